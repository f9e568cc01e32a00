"""The result of every reader: the rows of one source, with their labels and names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from portanet._text import listed, plain
from portanet._typing import HostArray
from portanet.data.fingerprint import fingerprint
from portanet.data.memmap.rows import as_rows
from portanet.errors import DataError
from portanet.storage.class_kind import ClassKind
from portanet.storage.label import Label
from portanet.storage.schema import Schema


class Ids(NamedTuple):
    """The column that identifies rows: its name, and its cells (N,) as text."""

    name: str
    texts: HostArray


@dataclass(frozen=True, repr=False)
class Dataset:
    """Rows `x` (N, ...), their labels if there are any, and the names that go with them.

    name     the name of the source, for messages
    x        uint8 for pixels that are whole numbers from 0 to 255, else float32, or float64 if float32 would merge
             values such as 20230101 and 20230102; images are (N, channels, height, width), tables (N, columns); a
             memory map, or `Rows` of one, if the data are large
    targets  the labels (N,) as a loss takes them: int32 indices into `classes`, or, if `classes` is empty, float32 or
             float64 numbers to predict; (N, K) for several labels; None without labels
    classes  the name of each class, as text: ("0", ..., "9")
    columns  the names of a table's columns in x's order; None for images
    label    the name of a table's label column, or a tuple of several
    table    the schema: the columns of the source and their kinds, including those left out
    notes    notes for the user on how the data were read, a line each
    ids      the identifiers of rows to predict, as in the source; for pictures their paths, named "File"

    `labels` are the targets as the source has them, and as `TrainedModel.predict` returns them. Raises DataError for
    targets that are not indices into `classes`.
    """

    name: str
    x: HostArray
    targets: HostArray | None = None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    label: Label = None
    table: Schema | None = None
    notes: tuple[str, ...] = ()
    ids: Ids | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        object.__setattr__(self, "columns", None if self.columns is None else tuple(map(str, self.columns)))
        if self.targets is None:
            return
        targets, count = np.asarray(self.targets), len(self.classes)
        whole = targets.dtype.kind in "iu" and 0 <= targets.min(initial=0) <= targets.max(initial=0) < count
        if count and not whole:
            raise DataError(
                f"the targets of {self.name} must be class numbers, from 0 to {count - 1} for its {count} classes.",
                remedy="give labels by name to fit directly, beside x",
            )
        object.__setattr__(self, "targets", targets)

    def __repr__(self) -> str:
        """The name, the number of rows and their shape, without the arrays."""
        shape = " x ".join(map(str, self.x.shape[1:])) or "1"
        kind = "no labels" if self.targets is None else f"{len(self.classes)} classes" if self.classes else "numbers"
        return f"Dataset({plain(self.name)!r}: {len(self):,} rows of {shape} {self.x.dtype}, {kind})"

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def rows(self, index: HostArray | slice) -> Dataset:
        """A selection of rows; those of a memory map are read when they are needed.

        index  row indices in the desired order, a mask (N,), or a slice
        """
        mapped = as_rows(self.x)
        x: Any = self.x[index] if mapped is None else mapped.select(index)
        targets = None if self.targets is None else self.targets[index]
        ids = None if self.ids is None else self.ids._replace(texts=self.ids.texts[index])
        return replace(self, x=x, targets=targets, ids=ids)

    @cached_property
    def labels(self) -> HostArray | None:
        """The labels (N,), or (N, K), as the source has them: text, integers, booleans or numbers."""
        if self.targets is None or not self.classes:
            return self.targets
        return ClassKind.of_names(self.classes).labels(self.classes)[self.targets]

    def require_targets(self) -> HostArray:
        """The targets; raises DataError if the source has no labels."""
        if self.targets is None:
            names = [column.name for column in self.table.columns] if self.table else []
            shown = f" ({listed(names)})" if names else ""
            raise DataError(
                f"{self.name} has no labels.",
                remedy=f"name a table's label column{shown} with label=NAME, or use data that has labels",
            )
        return self.targets

    def require_labels(self) -> HostArray:
        """The labels; raises DataError if the source has none."""
        targets, labels = self.require_targets(), self.labels
        return targets if labels is None else labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the shape, dtype and bytes of x and targets."""
        return fingerprint(self.x, self.targets)
