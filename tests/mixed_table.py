"""A table with a column of every kind, and rows to predict that have gaps, new values and other spellings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from portanet import TrainedModel, fit, nn, read
from portanet.data import Dataset

TOWNS = [f"town {letter}" for letter in "ABCDEFGHIJKL"]  # more than have indicators; the last are rare
KINDS = {"zip": "category"}


def training_rows(count: int = 300) -> list[dict[str, str]]:
    """Rows whose label follows from most columns."""
    rng, rows = np.random.default_rng(11), []
    for i in range(count):
        size, town = rng.normal(50, 10), min(int(rng.exponential(3.0)), 11)
        day, second = int(rng.integers(-20_000, 20_000)), int(rng.integers(0, 10**9))
        rows.append(
            {
                "size": "" if i % 9 == 0 else f"{size:.3f}",
                "grid": repr(1e9 + round(float(rng.normal()), 4)),
                "colour": "NA" if i % 11 == 0 else ("red", "blue", "grün")[i % 3],
                "town": TOWNS[town],
                "smoker": "yes" if i % 4 else "no",
                "zip": ("7", "8", "10")[i % 3],
                "day": "" if i % 13 == 0 else str(np.datetime64(day, "D")),
                "seen at": str(np.datetime64(second, "s")).replace("T", " "),
                "month": "" if i % 17 == 0 else str(np.datetime64(day // 40, "M")),
                "opens": "" if i % 19 == 0 else f"{second % 24}:{second % 60:02}",
                "label": "high" if size + 3 * town + day / 2000 + 5 * (i % 3) > 60 else "low",
            }
        )
    return rows


def new_rows(count: int = 40, *, zero: str = "") -> list[dict[str, str]]:
    """Rows that training did not have; `zero` stands before a whole number."""
    rows = training_rows(count + 7)[7:]
    for i, row in enumerate(rows):
        row.pop("label")
        if i % 2:
            row |= {"size": "nan", "colour": ("mauve", "", "?")[i % 3], "town": "Nowhere", "grid": "1000000000.25"}
        if i % 3 == 0:
            row |= {
                "smoker": ("TRUE", "n", "maybe", "")[i % 4],
                "zip": ("7.0", f"{zero}8", "11", "")[i % 4],
                "grid": "",
            }
        if i % 5 == 0:
            row |= {"day": ("1899-12-31", "2024-02-29", "0001-01-01", "")[i % 4], "seen at": ""}
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def training_data(folder: Path) -> Dataset:
    """The training rows as read from a file."""
    return read(write(folder / "train.csv", training_rows()), kinds=KINDS)


def trained(folder: Path, **settings: Any) -> TrainedModel:
    """A model of the classes."""
    model = nn.Sequential(nn.Columns(), nn.Dense(8), nn.Tanh(), nn.Dense(2))
    return fit(model, training_data(folder), epochs=5, **settings)


def columns_of(rows: list[dict[str, str]]) -> list[Any]:
    """The columns as an ONNX file takes them, made without portanet."""
    texts = {name: np.array([row[name] for row in rows], object) for name in ("colour", "town", "smoker", "zip")}
    numbers = {name: np.array([float(row[name] or "nan") for row in rows]) for name in ("size", "grid")}
    dates = {
        name: np.array([row[name].replace(" ", "T") or "NaT" for row in rows], "datetime64[s]")
        for name in ("day", "seen at", "month")
    }
    clock = [f"1970-01-01T{row['opens']:0>5}" if row["opens"] else "NaT" for row in rows]
    dates["opens"] = np.array(clock, "datetime64[s]")
    found = texts | numbers | dates
    return [
        found[name] for name in ("size", "grid", "colour", "town", "smoker", "zip", "day", "seen at", "month", "opens")
    ]
