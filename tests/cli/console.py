"""What the tests of the command line share: an answer, and small files to train on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPECIES = ("setosa", "versicolor", "virginica")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """What is on stdout, which must be one line of JSON and nothing else."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1
        return json.loads(self.out)


Call = Callable[..., Answer]


def write_csv(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_files(folder: Path) -> None:
    rng = np.random.default_rng(0)
    kind = np.arange(90) % 3
    x = np.round(rng.normal(0.0, 2.0, (3, 4))[kind] + rng.normal(0.0, 0.5, (90, 4)), 3)
    names = [SPECIES[i] for i in kind]
    flowers = [[*row, name] for row, name in zip(x.tolist(), names, strict=True)]
    write_csv(folder / "flowers.csv", ["a", "b", "c", "d", "label"], flowers)
    write_csv(
        folder / "turned.csv", ["d", "species", "b", "c", "a"], [[f[i] for i in (3, 4, 1, 2, 0)] for f in flowers]
    )
    write_csv(folder / "bare.csv", ["a", "b", "c", "d"], x.tolist())
    write_csv(folder / "narrow.csv", ["a", "b", "c", "label"], [[*f[:3], f[4]] for f in flowers])
    write_csv(folder / "strange.csv", ["a", "b", "c", "d", "label"], [*flowers[:7], [1, 2, 3, 4, "rose"]])
    mixed = [[i + 3, "red" if i % 2 else "", f[0] if i % 5 else "?", f[4]] for i, f in enumerate(flowers)]
    write_csv(folder / "mixed.csv", ["key", "colour", "size", "label"], mixed)
    write_csv(folder / "holes.csv", ["a", "b", "label"], [[1, 2, "x"], [3, "", "y"]])
    write_csv(folder / "measured.csv", ["a", "b", "label"], [[1, 2, 0.5], [3, 4, 1.7]] * 9)
    write_csv(folder / "numbered.csv", ["a", "b", "label"], [[i % 3, -i, [70, 5, 12][i % 3]] for i in range(60)])
    write_csv(folder / "same.csv", ["a", "b", "label"], [[i, -i, "x"] for i in range(20)])
    write_csv(
        folder / "pets.csv",
        ["a", "b", "c", "d", "label"],
        [[*f[:4], ["cat", "dog"][i % 2]] for i, f in enumerate(flowers)],
    )
    write_csv(folder / "words.csv", ["a", "b", "label"], [[1, 2, 3], [4, 5, 6], [7, 8, "many"]] * 9)
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text("a,b,label\n")
    (folder / "notes.txt").write_text("not data\n")
    (folder / "nothing").mkdir()
    np.savez(folder / "table.npz", x=x.astype(np.float32), y=kind)
    np.savez(folder / "thin.npz", x=x[:, :3].astype(np.float32), y=kind)

    digit = np.arange(80) % 4
    pixels = rng.integers(0, 150, (80, 4, 4))
    pixels[np.arange(80), digit] += 100
    images = [[label, *row] for label, row in zip(digit.tolist(), pixels.reshape(80, 16).tolist(), strict=True)]
    header = ["label", *(f"pixel{i}" for i in range(16))]
    write_csv(folder / "digits.csv", header, images)
    write_csv(folder / "unknown.csv", header[1:], [row[1:] for row in images])
