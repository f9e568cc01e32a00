"""Sorted columns of a table, for exact medians, quartiles and counts in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from portanet._typing import Array
from portanet.xp import copied, device, namespace

_HELD = 2**24  # numbers that are sorted at once: 128 MB


class Ordered(NamedTuple):
    """One column of all rows, sorted.

    values  its numbers in ascending order, without NaN
    rows    the number of rows, those with NaN included
    """

    values: Array
    rows: int

    def counts(self, last: int) -> list[int]:
        """The number of rows with each of the codes 1 to `last`."""
        xp = namespace(self.values)
        numbers = xp.arange(1, last + 2, dtype=self.values.dtype, device=device(self.values))
        edges = xp.searchsorted(self.values, numbers)
        return [int(edges[k + 1]) - int(edges[k]) for k in range(last)]

    def scale(self) -> tuple[float, float]:
        """The center and the factor of the numbers; see `_scale`."""
        values: Any = self.values
        return _scale(lambda place: float(values[place]), values.shape[0])

    def indicator_scales(self, last: int) -> list[tuple[float, float]]:
        """The same for [x = k], for each of the codes k from 1 to `last`; for [x = 1] - [x = 2] if `last` is 2."""
        counts, rows = self.counts(last), self.rows
        if last == 2:
            return [_scale(lambda place: float(place >= rows - counts[0]) - float(place < counts[1]), rows)]
        return [_scale(lambda place, first=rows - count: float(place >= first), rows) for count in counts]  # type: ignore[misc]


def in_order(blocks: Iterable[Array]) -> Iterator[Ordered]:
    """Each column of the rows in `blocks`, sorted; the blocks are read once for every 2**24 numbers."""
    shapes = [block.shape for block in blocks]
    rows, columns = sum(count for count, _ in shapes), shapes[0][1]
    size = max(1, _HELD // rows)
    for start in range(0, columns, size):
        parts = [copied(block[:, start : start + size]) for block in blocks]  # a view would keep the whole block alive
        xp = namespace(parts[0])
        held = xp.concat(parts, axis=0).T
        present = rows - xp.sum(xp.astype(xp.isnan(held), xp.int64), axis=1)
        held = xp.sort(xp.where(xp.isnan(held), xp.inf, held), axis=1)
        for column in range(held.shape[0]):
            yield Ordered(held[column, : int(present[column])], rows)


def _scale(at: Callable[[int], float], count: int) -> tuple[float, float]:
    """The median of `count` numbers, and 1 over their interquartile range; `at(i)` is the i-th smallest number.

    If that range is 0, 1 over half the range from minimum to maximum is used; 0 if that is 0 too.
    """
    if not count:
        return 0.0, 0.0

    def quantile(share: float) -> float:
        position = share * (count - 1)
        below = int(position)
        return at(below) + (at(min(below + 1, count - 1)) - at(below)) * (position - below)

    distance = quantile(0.75) - quantile(0.25) or (at(count - 1) - at(0)) / 2
    return quantile(0.5), (1 / max(distance, 1e-30) if distance else 0.0)
