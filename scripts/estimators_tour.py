"""A tour of MLPClassifier and MLPRegressor among scikit-learn's tools; nothing here is special to portanet's.

python scripts/estimators_tour.py
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from portanet import EarlyStopping, MLPClassifier, MLPRegressor

warnings.simplefilter("ignore", ConvergenceWarning)
rng = np.random.default_rng(0)

# %% A pipeline, cross-validated
x, y = load_iris(return_X_y=True)
pipe = make_pipeline(StandardScaler(), MLPClassifier(max_iter=60, learning_rate_init=0.02, random_state=0))
scores = cross_val_score(pipe, x, y, cv=3)
print(f"iris, cross-validated: {scores.mean():.3f}")
assert scores.mean() > 0.9

# %% A search; each fit after the first takes the steps that the first one traced
grid = {"mlpclassifier__hidden_layer_sizes": [(10,), (10, 10)], "mlpclassifier__alpha": [1e-4, 1e-1]}
search = GridSearchCV(pipe, grid, cv=3).fit(x, y)
print(f"the best of {len(search.cv_results_['params'])}: {search.best_params_}, {search.best_score_:.3f}")
assert search.best_score_ > 0.9

# %% Which columns matter, and probabilities that are what they say
importance = permutation_importance(search.best_estimator_, x, y, n_repeats=3, random_state=0)
print("importance of the columns:", importance.importances_mean.round(2))
assert importance.importances_mean[2:].sum() > importance.importances_mean[:2].sum()
calibrated = CalibratedClassifierCV(pipe, cv=2).fit(x, y)
assert np.allclose(calibrated.predict_proba(x).sum(axis=1), 1)

# %% A frame with text and gaps, as it comes
n = 300
people = pd.DataFrame(
    {
        "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(40, 12, n)),
        "town": rng.choice(["Bern", "Chur", "Genf"], n),
        "since": pd.date_range("2020-01-01", periods=n, freq="D"),
    }
)
answer = np.where((people["town"] == "Chur") | (people["age"] > 50), "yes", "no")
model = MLPClassifier(max_iter=60, learning_rate_init=0.01, random_state=0).fit(people, answer)
print(f"a frame with text and gaps: {model.score(people, answer):.3f}")
assert model.score(people, answer) > 0.9

# %% A file without pickle, the model on its own, and back
with tempfile.TemporaryDirectory() as folder:
    path = model.save(Path(folder) / "people.safetensors")
    assert (MLPClassifier.load(path).predict(people) == model.predict(people)).all()
print(model.to_portanet())

# %% Rows to validate on, and callbacks of both libraries
x, y = load_diabetes(return_X_y=True)
y = (y - y.mean()) / y.std()
x_train, x_val, y_train, y_val = train_test_split(x, y, random_state=0)
monitor = ScoringMonitor(scoring="r2")
regressor = MLPRegressor(max_iter=200, learning_rate_init=0.01, random_state=0)
regressor.set_callbacks(EarlyStopping("valid_loss", patience=10), monitor)
regressor.fit(x_train, y_train, X_val=x_val, y_val=y_val)
logged = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
print(f"diabetes: stopped after {regressor.n_iter_} epochs, R2 {regressor.score(x_val, y_val):.3f}")
assert len(logged) == regressor.n_iter_ == len(regressor.validation_loss_curve_)

# %% A stream: each part is seen once
stream = MLPClassifier(hidden_layer_sizes=(16,), learning_rate_init=0.02, random_state=0)
for _ in range(60):
    part = rng.normal(size=(64, 4))
    stream.partial_fit(part, (part[:, 0] * part[:, 1] > 0).astype(int), classes=[0, 1])
test = rng.normal(size=(500, 4))
print(f"a stream: {stream.score(test, test[:, 0] * test[:, 1] > 0):.3f}")
assert stream.score(test, test[:, 0] * test[:, 1] > 0) > 0.75
