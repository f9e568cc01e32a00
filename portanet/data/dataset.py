"""What every reader returns: the rows of one source, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from portanet._typing import HostArray
from portanet.data.fingerprint import fingerprint
from portanet.data.memmap.rows import as_rows
from portanet.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Rows `x` (N, ...), their `labels` (N,) if there are any, and the names that go with them.

    x        uint8 for pixels that are whole numbers from 0 to 255, else float32, or float64 where float32 would make
             one value of two, such as 20230101 and 20230102; images are (N, channels, height, width), tables
             (N, columns); a memory map, or `Rows` of one, where the set is large
    labels   int32 indices into `classes`; float32 or float64 targets where `classes` is empty; None without labels
    classes  the name of each class, as text: ("0", ..., "9")
    columns  the names of a table's columns in x's order; None for images
    """

    name: str
    x: HostArray
    labels: HostArray | None = None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def rows(self, index: HostArray | slice) -> Dataset:
        """The rows that `index` names, in its order; those of a memory map are read when they are needed."""
        mapped = as_rows(self.x)
        x: Any = self.x[index] if mapped is None else mapped.select(index)
        return replace(self, x=x, labels=None if self.labels is None else self.labels[index])

    def require_labels(self) -> HostArray:
        """The labels; DataError where the source has none."""
        if self.labels is None:
            raise DataError(
                f"{self.name} has no labels.",
                remedy="name a CSV's label column with label=NAME, or use data that has labels",
            )
        return self.labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the shape, dtype and bytes of x and labels."""
        return fingerprint(self.x, self.labels)
