"""How far intervals and probabilities of the preset `table` can be trusted, on rows it has not seen.

Five fixed splits of each table, at most 2,000 rows to train on (--rows), of which a fifth is held out to choose the
epoch and to calibrate; at most 4,000 others to measure on. Of numbers: the fraction of the targets inside intervals of
0.9, and their mean width in standard deviations. Of classes: log loss and calibration error, before and after the
temperature. The figures stand in portanet/training/presets.py.

    python scripts/certainty.py intervals [TABLE...]
    python scripts/certainty.py temperature [TABLE...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from tables import TABLES, Table, frame

import portanet
from portanet import metrics
from portanet.nn import Quantile, Sequential
from portanet.storage.model_card import ModelCard
from portanet.training import presets
from portanet.training.fit import fit_spec
from portanet.training.inputs.tasks import Classify, Regress
from portanet.training.inputs.validation import hold_out
from portanet.training.trained.calibration import put_right

TEST, SPLITS = 4_000, 5
NUMBERS = {name: TABLES[name] for name in ("diamonds", "ames", "hotel", "flights")} | {
    "wage": Table("ISLR", "Wage", "wage", classes=False, drop=("logwage",)),
    "cps": Table("AER", "CPS1988", "wage", classes=False),
}
CLASSES = {
    name: TABLES[name]
    for name in ("credit", "mlc_churn", "attrition", "lending", "titanic", "diamonds_cut", "breast_cancer", "wine")
} | {
    "wa_churn": Table("modeldata", "wa_churn", "churn", classes=True),
    "hmda": Table("AER", "HMDA", "deny", classes=True),
    "penguins": Table("palmerpenguins", "penguins", "species", classes=True),
    "digits": Table("sklearn", "digits", "target", classes=True),
}


def splits(table: Table, most: int) -> Iterator[tuple[Any, Any]]:
    """Rows to train on and to measure on, drawn again for each number; small tables give three quarters to train on."""
    rows, label = frame(table), table.label
    count = min(most, len(rows) * 3 // 4)
    for number in range(SPLITS):
        order = rows.sample(min(len(rows), count + TEST), random_state=number)
        task = "auto" if table.classes else "regress"
        train = portanet.read(order[:count].reset_index(drop=True), label=label, task=task)
        test = portanet.read(
            order[count : count + TEST].reset_index(drop=True), label=label, task="classify" if train.classes else task,
            table=train.table, classes=train.classes or None,
        )  # fmt: skip
        yield train, test


def trained(train: Any, loss: Any = None) -> tuple[portanet.TrainedModel, Any]:
    """A model of the preset with this loss, and the rows that were held out."""
    classes = bool(train.classes)
    spec = presets.preset("table", Classify() if classes else Regress())
    spec = replace(spec, calibrate=False) if loss is None else replace(spec, loss=loss)
    (x, _, _), held_out = hold_out((train, None, None), spec.valid, classes=classes)
    card = ModelCard(x.x.shape[1:], spec.dtype, x.classes, x.columns, x.label, table=x.table)
    spec = spec.for_data(card)
    return fit_spec(spec, Sequential(*spec.layers), x, valid=held_out, backend="numpy", workers=1), held_out


def intervals(train: Any, test: Any) -> dict[str, float]:
    run, _ = trained(train, Quantile())
    low, high = run.intervals(test).T
    targets: Any = test.targets
    inside = (low <= targets) & (targets <= high)
    r2 = run.evaluate(test)["r2"]
    return {"coverage": inside.mean(), "width": (high - low).mean() / targets.std(), "r2": r2}


def temperature(train: Any, test: Any) -> dict[str, float]:
    run, held_out = trained(train)
    found = {}
    for when in ("before", "after"):
        p = run.probabilities(test).astype(np.float64)
        found[f"log loss {when}"] = float(metrics.log_loss(p, test.targets))
        found[f"calibration error {when}"] = float(metrics.calibration_error(p, test.targets))
        run.spec = replace(run.spec, calibrate=True)
        with run.backend.session(run.dtype):
            put_right(run, *run.labelled(held_out))
    return found


def show(name: str, found: list[dict[str, float]]) -> None:
    """One line: the mean and the spread over the splits."""
    cells = [
        f"{key} {np.mean([row[key] for row in found]):.4f} ± {np.std([row[key] for row in found]):.4f}"
        for key in found[0]
    ]
    print(f"{name:14}", "  ".join(cells), flush=True)


MEASURES: dict[str, tuple[dict[str, Table], Callable[[Any, Any], dict[str, float]]]] = {
    "intervals": (NUMBERS, intervals),
    "temperature": (CLASSES, temperature),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join([*NUMBERS, *CLASSES]))
    parser.add_argument("--rows", type=int, default=2_000)
    options = parser.parse_args()
    tables, measure = MEASURES[options.what]
    for name in options.tables or tables:
        found = []
        for train, test in splits(tables[name], options.rows):
            found.append(measure(train, test))
            print(name, found[-1], file=sys.stderr, flush=True)
        show(name, found)


if __name__ == "__main__":
    main()
