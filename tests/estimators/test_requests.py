"""Features requested of scikit-learn's networks, each by the number of its issue or pull request there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.neural_network as theirs
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import portanet
from portanet import EarlyStopping, MLPClassifier, MLPRegressor, ReduceOnPlateau, nn
from portanet.errors import ConfigError, DataError

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations", "ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
RARE = (X[:, 0] > 1.1).astype(int)
CODES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
NUMBER = X[:, 0] * 2 + np.abs(X[:, 1])
SEVERAL = np.stack([X[:, 0] > 0, X[:, 1] > 0.2], axis=1).astype(int)
X_VAL, Y_VAL, CODES_VAL = X[::3] + 0.1, NUMBER[::3], CODES[::3]


def classifier(**settings: Any) -> Any:
    return MLPClassifier(**{"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0} | settings)


def regressor(**settings: Any) -> Any:
    return MLPRegressor(**{"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0} | settings)


def test_9113_class_weight() -> None:
    weights = {0: 1.0, 1: 5.0}
    own = classifier(class_weight=weights).fit(X, RARE)
    by_row = theirs.MLPClassifier(hidden_layer_sizes=(8,), max_iter=15, random_state=0)
    by_row.fit(X, RARE, sample_weight=np.where(RARE == 1, 5.0, 1.0))
    np.testing.assert_allclose(own.loss_curve_, by_row.loss_curve_)
    assert (
        classifier(class_weight="balanced").fit(X, RARE).predict(X).sum() > classifier().fit(X, RARE).predict(X).sum()
    )


def test_18748_custom_validation_rows() -> None:
    model = classifier(early_stopping=True, n_iter_no_change=2, max_iter=100)
    model.fit(X, CODES, X_val=X_VAL, y_val=CODES_VAL)
    assert len(model.validation_scores_) == model.n_iter_ < 100
    assert model.best_validation_score_ == model.score(X_VAL, CODES_VAL) == max(model.validation_scores_)
    assert model.t_ == model.n_iter_ * len(X)  # none of the rows was held out


def test_18748_through_a_pipeline() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        last = classifier().set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), last, transform_input=["X_val"])
        pipe.fit(X, CODES, X_val=X_VAL, y_val=CODES_VAL)
    scaled = pipe[0].transform(X_VAL)
    assert pipe[1].validation_scores_[-1] == pipe[1].score(scaled, CODES_VAL)


def test_18507_validation_loss_curve() -> None:
    model = regressor().fit(X, NUMBER, X_val=X_VAL, y_val=Y_VAL, sample_weight_val=np.arange(40.0))
    expected = 0.5 * np.average((model.predict(X_VAL) - Y_VAL) ** 2, weights=np.arange(40.0))
    assert model.validation_loss_curve_[-1] == pytest.approx(expected)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_)


def test_6175_dropout() -> None:
    model = classifier(dropout=0.5).fit(X, CODES)
    assert model.loss_curve_ != classifier().fit(X, CODES).loss_curve_
    assert model.loss_curve_ == classifier(dropout=0.5).fit(X, CODES).loss_curve_
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))


def test_6091_a_warm_start_keeps_the_state_of_adam() -> None:
    halves = classifier(warm_start=True, shuffle=False, max_iter=5).fit(X, CODES).fit(X, CODES)
    whole = classifier(shuffle=False, max_iter=10).fit(X, CODES)
    np.testing.assert_allclose(halves.loss_curve_, whole.loss_curve_, rtol=1e-12)
    their_halves = theirs.MLPClassifier((8,), warm_start=True, shuffle=False, max_iter=5, random_state=0)
    their_halves.fit(X, CODES).fit(X, CODES)
    assert their_halves.loss_curve_[5:] != pytest.approx(halves.loss_curve_[5:])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_6091_a_time_limit(solver: str) -> None:
    model = classifier(
        solver=solver, max_iter=100_000, tol=0.0, n_iter_no_change=np.inf, time_limit=0.05, max_fun=10**9
    )
    assert 1 <= model.fit(X, CODES).n_iter_ < 100_000


def half_squares(outputs: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
    each = (weights / outputs.shape[1])[:, None]
    return (((outputs - labels) ** 2) * each * 0.5).sum(), (outputs - labels) * each


def test_14807_a_custom_loss_and_activation() -> None:
    class HalfSquares(nn.Loss):
        task = nn.TaskKind.REGRESS

        def __call__(self, outputs: Any, labels: Any, weights: Any, /) -> tuple[Any, Any]:
            return half_squares(outputs, labels, weights)

    own = regressor(loss=HalfSquares(), activation=nn.Tanh()).fit(X, NUMBER)
    usual = regressor(activation="tanh").fit(X, NUMBER)
    np.testing.assert_allclose(own.loss_curve_, usual.loss_curve_)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("absolute_error", lambda r: np.abs(r)),
        (nn.Quantile((0.9,)), lambda r: np.maximum(-0.9 * r, 0.1 * r)),
        ("huber", lambda r: np.where(np.abs(r) < 1, r * r / 2, np.abs(r) - 0.5)),
    ],
)
def test_14571_regression_losses(loss: Any, expected: Any) -> None:
    model = regressor(loss=loss, alpha=0.0, max_iter=1, learning_rate_init=1e-12).fit(X, NUMBER)
    assert model.loss_ == pytest.approx(expected(model.predict(X) - NUMBER).mean())


def test_30078_any_backend(backend: portanet.Backend) -> None:
    """One argument selects the backend, as for a GPU, and the numbers are those of NumPy."""
    model = classifier(backend=backend.name, dtype="float32", max_iter=5).fit(X, CODES)
    usual = classifier(dtype="float32", max_iter=5).fit(X, CODES)
    np.testing.assert_allclose(model.loss_curve_, usual.loss_curve_, rtol=1e-4)
    np.testing.assert_array_equal(model.predict(X), usual.predict(X))


def test_27676_callbacks_of_scikit_learn(capsys: pytest.CaptureFixture[str]) -> None:
    monitor = ScoringMonitor(scoring="neg_log_loss")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier(max_iter=3)), {"mlpclassifier__alpha": [0.1, 1]}, cv=2
    )
    search.set_callbacks(ProgressBar()).fit(X, CODES)
    model = classifier(max_iter=4).set_callbacks(monitor).fit(X, CODES)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    assert scores == sorted(scores)
    assert search.best_estimator_.score(X, CODES) <= 1
    assert model.set_callbacks() is model


def test_27676_scores_of_each_epoch_through_a_search() -> None:
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    pipe = make_pipeline(StandardScaler(), classifier(max_iter=3).set_callbacks(monitor))
    search = GridSearchCV(pipe, {"mlpclassifier__alpha": [0.1, 1]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(X, CODES)
    rows = monitor.get_logs().data
    assert len({row["parent_task_id_path"] for row in rows if row["task_name"] == "epoch"}) == 5
    assert len([row for row in rows if row["task_name"] == "epoch"]) == 5 * 3  # two alphas, two folds, and the refit
    refit = max((row for row in rows if row["task_name"] == "epoch"), key=lambda row: row["task_id_path"])
    assert refit["accuracy"] == search.score(X, CODES)


def test_27676_a_callback_stops_and_sees_the_search() -> None:
    class Stop:
        seen: list[str] = []  # noqa: RUF012
        max_propagation_depth = None

        def setup(self, estimator: Any, context: Any) -> None:
            self.seen.append(f"setup {type(estimator).__name__}")

        def teardown(self, estimator: Any, context: Any) -> None:
            self.seen.append("teardown")

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

        def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> bool:
            return context.task_name == "epoch" and context.task_id == 2

    search = GridSearchCV(make_pipeline(StandardScaler(), classifier()), {"mlpclassifier__alpha": [0.1]}, cv=2)
    search.set_callbacks(Stop()).fit(X, CODES)
    assert search.best_estimator_[1].n_iter_ == 3
    assert Stop.seen == ["setup GridSearchCV", "teardown"]


def test_27676_callbacks_of_portanet() -> None:
    model = regressor(max_iter=200, learning_rate_init=0.05)
    model.set_callbacks(EarlyStopping("valid_loss", patience=3)).fit(X, NUMBER, X_val=X_VAL, y_val=Y_VAL)
    assert model.n_iter_ < 200
    best = min(model.validation_loss_curve_)
    assert 0.5 * np.mean((model.predict(X_VAL) - Y_VAL) ** 2) == pytest.approx(best)
    slow = regressor(max_iter=10).set_callbacks(ReduceOnPlateau("loss", factor=1e-9, patience=0, threshold=0.9))
    assert np.ptp(slow.fit(X, NUMBER).loss_curve_[3:]) < 1e-6


def test_10097_an_activation_for_each_layer() -> None:
    model = classifier(hidden_layer_sizes=(6, 4), hidden_activations=["tanh", "relu"]).fit(X, CODES)
    first = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    second = np.maximum(first @ model.coefs_[1] + model.intercepts_[1], 0)
    np.testing.assert_allclose(model.activations(X)[1], second)


def test_9468_the_activations_of_all_layers() -> None:
    model = classifier(hidden_layer_sizes=(6, 4)).fit(X, CODES)
    first, second, last = model.activations(X)
    np.testing.assert_allclose(first, np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0))
    assert second.shape == (120, 4)
    np.testing.assert_allclose(last, model.predict_proba(X))


@pytest.mark.parametrize("name", ["leaky_relu", "mish", "gelu", "silu", "elu", "selu", "softplus"])
def test_26912_more_activations(name: str) -> None:
    model = classifier(activation=name).fit(X, CODES)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_12505_partial_fit_of_multi_label_rows() -> None:
    """Each call equals an epoch of fit; a label that is absent from a part changes nothing."""
    model, whole = classifier(shuffle=False), classifier(shuffle=False).fit(X, SEVERAL)
    for _ in range(15):
        model.partial_fit(X, SEVERAL, classes=[0, 1])
    np.testing.assert_allclose(model.predict_proba(X), whole.predict_proba(X))
    model.partial_fit(X[:4], np.zeros((4, 2), int))
    assert model.predict(X).shape == SEVERAL.shape
    assert len(model.loss_curve_) == 16


def test_25693_partial_fit_after_a_fit_with_early_stopping() -> None:
    model = regressor(early_stopping=True).fit(X, NUMBER)
    with pytest.raises(ValueError, match="X_val"):
        model.partial_fit(X, NUMBER)
    epochs = len(model.loss_curve_)
    model.partial_fit(X, NUMBER, X_val=X_VAL, y_val=Y_VAL)
    assert len(model.loss_curve_) == len(model.validation_scores_) == epochs + 1


def test_25693_partial_fit_with_early_stopping() -> None:
    model = classifier(early_stopping=True, n_iter_no_change=3, tol=1e-3)
    with pytest.raises(ValueError, match="X_val"):
        model.partial_fit(X, CODES, classes=[0, 1, 2])
    for _ in range(100):
        model.partial_fit(X, CODES, classes=[0, 1, 2], X_val=X_VAL, y_val=CODES_VAL)
    assert model.stopped_
    assert 3 < len(model.loss_curve_) < 100
    assert model.score(X_VAL, CODES_VAL) == model.best_validation_score_


def test_24411_any_scorer_stops() -> None:
    model = classifier(early_stopping=True, scoring="f1_macro", max_iter=8)
    model.fit(X, CODES, X_val=X_VAL, y_val=CODES_VAL)
    assert model.best_validation_score_ == f1_score(CODES_VAL, model.predict(X_VAL), average="macro")


def test_29504_a_clear_message_about_nan() -> None:
    rows = X.copy()
    rows[3, 1] = rows[5, 4] = np.nan
    with pytest.raises(
        DataError, match=r"NaN in columns 1, 4\. MLPClassifier takes gaps in a pandas DataFrame"
    ) as caught:
        classifier().fit(rows, CODES)
    assert isinstance(caught.value, ValueError)


def test_custom_layers() -> None:
    model = classifier(layers=[nn.Dense(6), nn.LayerNorm(), nn.ReLU()], batch_norm=False).fit(X, CODES)
    assert [array.shape for array in model.coefs_] == [(5, 6), (6, 3)]
    assert classifier(batch_norm=True).fit(X, CODES).loss_curve_[-1] < 1.5


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_intervals_contain_their_fraction(solver: str) -> None:
    x = RNG.normal(size=(600, 2))
    y = x[:, 0] + RNG.normal(size=600)
    settings: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0, "solver": solver}
    regressor = MLPRegressor(**settings, learning_rate_init=0.02, intervals=0.8, validation_fraction=0.4)
    low, high = regressor.fit(x[:400], y[:400]).predict_interval(x[400:])
    assert 0.7 < np.mean((low <= y[400:]) & (y[400:] <= high)) < 0.9
    with pytest.raises(DataError, match=r"at least 99 rows.*validation_fraction"):
        MLPRegressor(**settings, intervals=0.99).fit(x, y)
    with pytest.raises(ConfigError, match=r"intervals=0\.9"):
        MLPRegressor(**settings).fit(x, y).predict_interval(x)


def test_intervals_work_with_the_fewest_rows_possible() -> None:
    """Nine rows are enough for 0.9, whose quantile is their largest error; rounding does not require a tenth."""
    model = regressor(intervals=0.9).fit(X, NUMBER, X_val=X_VAL[:9], y_val=Y_VAL[:9])
    assert model.margin_ == np.abs(model.predict(X_VAL[:9]) - Y_VAL[:9]).max()
    with pytest.raises(DataError, match="at least 9 rows"):
        regressor(intervals=0.9).fit(X, NUMBER, X_val=X_VAL[:8], y_val=Y_VAL[:8])
