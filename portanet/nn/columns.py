"""Preprocessing of a table: numeric and categorical columns become features of similar scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import DataError, ModelError
from portanet.nn.initializers import filled, lecun_normal
from portanet.nn.layer import Layer
from portanet.nn.order import in_order
from portanet.xp import cast, device, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator

NUMBER, GAPS = "number", "number?"


class Run(NamedTuple):
    """A run of adjacent columns of one kind, from `start` to before `stop`."""

    kind: str | int
    start: int
    stop: int


@dataclass(frozen=True, repr=False)
class Columns(Layer):
    """Turns the columns of a table, numbers or category codes, into features from -3 to 3.

        number     z = x, the median where x is NaN
        category   z_k = [x = k] for k in 1..K; K = 2 gives one feature, [x = 1] - [x = 2]
        features   s = (z - center) * factor        y = s / sqrt(1 + (s / 3)^2)

        x (N, D)   y (N, features): those of the columns in order, then the flags, then the embeddings

    center is the median of z over the training rows, and 1 / factor its interquartile range; if that is 0, half of the
    range from minimum to maximum, and if that is 0 too, factor is 0. All are exact: columns are sorted, as many at once
    as fit into 128 MB.

    kinds          of each column: "number"; "number?", a number with a flag beside it, 1 where x is NaN, else 0; or the
                   count K of a category's values, whose codes are 1..K, and 0 or NaN for missing and unseen ones.
                   Without kinds every column is a number
    one_hot        a category of up to this many values has the features above; one with more has a learned vector
                   for each of its values, an embedding
    embedding      the length of these vectors
    min_frequency  values in fewer training rows than this share the vector of code 0

    The vector of code 0 starts at zero, which is the mean of the others: they are standard normal draws. It stays
    there if no training row has it. Weight decay does not apply to vectors, as in `Embedding`.

    The preprocessing of RealMLP (Holzmueller et al. 2024, arXiv:2407.04491), with flags.
    Raises ModelError for impossible kinds, and for kinds that do not match the columns; `check` raises DataError for
    codes that are not integers or above K.
    """

    kinds: tuple[str | int, ...] = ()
    _: KW_ONLY
    one_hot: int = 8
    embedding: int = 8
    min_frequency: int = 5

    def __post_init__(self) -> None:
        wanted = f"Columns takes {NUMBER!r}, {GAPS!r} or a count of categories for each column"
        if not isinstance(self.kinds, tuple):
            raise ModelError(f"{wanted}, as in kinds=({NUMBER!r}, 5), got {self.kinds!r}.")
        for kind in self.kinds:
            if kind not in (NUMBER, GAPS) and not _is_count(kind):
                raise ModelError(f"{wanted}, got {kind!r}.")
        for name in ("one_hot", "embedding", "min_frequency"):
            if not _is_count(value := getattr(self, name)):
                raise ModelError(f"Columns needs {name} of at least 1, got {value!r}.")

    # Arrays and shapes

    @property
    def trainable_names(self) -> tuple[str, ...]:  # type: ignore[override] # a category may need an embedding
        return ("embedding",) if self.tables else ()

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        self.output_shape(input_shape)
        params: Params = {}
        if features := self._scaled(input_shape[0]):
            params = {"center": filled(0.0, (features,)), "factor": filled(1.0, (features,))}
        if self.tables:
            rows = sum(count + 1 for _, count, _ in self.tables)
            vectors = lecun_normal(rng, (rows, self.embedding), 1, self.embedding)
            vectors[[start for _, _, start in self.tables]] = 0.0
            params |= {"common": filled(1.0, (rows,)), "embedding": vectors}
        return params

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ModelError(f"Columns needs the rows of a table, got shape {input_shape}; put Flatten() before it.")
        if self.kinds and len(self.kinds) != input_shape[0]:
            raise ModelError(f"Columns has kinds for {len(self.kinds)} columns, got rows of {input_shape[0]}.")
        return (self._scaled(input_shape[0]) + len(self.flagged) + self.embedding * len(self.tables),)

    def runs(self, columns: int) -> Iterator[Run]:
        """The runs of adjacent columns of one kind."""
        start = 0
        for kind, group in groupby(self.kinds or (NUMBER,) * columns):
            stop = start + len(list(group))
            yield Run(kind, start, stop)
            start = stop

    def _scaled(self, columns: int) -> int:
        """The number of scaled features."""
        return sum((run.stop - run.start) * self._width(run.kind) for run in self.runs(columns))

    def _width(self, kind: str | int) -> int:
        """The number of scaled features of a column of this kind."""
        if isinstance(kind, str):
            return 1
        return 0 if kind > self.one_hot else 1 if kind == 2 else kind

    @cached_property
    def flagged(self) -> list[int]:
        """The columns with a flag."""
        return [column for column, kind in enumerate(self.kinds) if kind == GAPS]

    @cached_property
    def tables(self) -> list[tuple[int, int, int]]:
        """The columns with an embedding: (column, K, the row of its code 0 in the array of all vectors)."""
        columns = [(i, kind) for i, kind in enumerate(self.kinds) if isinstance(kind, int) and kind > self.one_hot]
        starts = accumulate((count + 1 for _, count in columns), initial=0)
        return [(column, count, start) for (column, count), start in zip(columns, starts, strict=False)]

    # The data

    @property
    def needs_fit(self) -> bool:
        return True

    @property
    def accepts_uint8(self) -> bool:
        return True

    @property
    def accepts_missing(self) -> bool:
        return True

    def fit(self, params: Params, blocks: Iterable[Array]) -> Params:
        scales: list[tuple[float, float]] = []
        common: list[float] = []
        kinds = self.kinds or (NUMBER,) * params["center"].shape[0]
        for kind, column in zip(kinds, in_order(blocks), strict=True):
            if isinstance(kind, str):
                scales.append(column.scale())
            elif kind <= self.one_hot:
                scales += column.indicator_scales(kind)
            else:
                common += [1.0, *(float(count >= self.min_frequency) for count in column.counts(kind))]
        arrays = {"common": common}
        arrays |= {name: [pair[i] for pair in scales] for i, name in enumerate(("center", "factor"))}
        asarray = namespace(next(iter(blocks))).asarray
        return params | {name: asarray(values) for name, values in arrays.items() if values}

    def check(self, x: Array) -> None:
        xp = namespace(x)
        for kind, start, stop in self.runs(x.shape[1]):
            if isinstance(kind, str):
                continue
            codes = cast(x[:, start:stop], xp.float64 if x.dtype == xp.float64 else xp.float32)
            codes = xp.where(xp.isnan(codes), 0.0, codes)
            if not bool(xp.all((codes >= 0) & (codes <= kind) & (codes == xp.floor(codes)))):
                raise DataError(f"Columns needs codes from 0 to {kind} in {_named(start, stop)}, got other values.")

    # The passes

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x, xp = cast(x, params["center" if "center" in params else "embedding"].dtype), namespace(x)
        parts, cache = [], _Kept(xp.isnan(x))
        if "center" in params:
            z = self._features(x)
            s = (xp.where(xp.isnan(z), params["center"], z) - params["center"]) * params["factor"]
            s = xp.minimum(xp.maximum(s, -FAR), FAR)
            root = 1.0 / xp.sqrt(1.0 + s * s / 9.0)
            parts.append(s * root)
            cache = cache._replace(slope=root * root * root * params["factor"])
        if self.flagged:
            parts.append(xp.astype(xp.isnan(_columns(x, self.flagged)), x.dtype))
        if self.tables:
            picked = self._picked(x, params["common"])
            vectors = xp.take(params["embedding"], xp.reshape(picked, (-1,)), axis=0)
            parts.append(xp.reshape(vectors, (x.shape[0], -1)))
            cache = cache._replace(picked=picked)
        return xp.concat(parts, axis=1), cache

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, (missing, slope, picked) = namespace(dy), cache
        grads = {}
        if picked is not None:
            first = dy.shape[1] - len(self.tables) * self.embedding
            vectors = xp.reshape(dy[:, first:], (*picked.shape, self.embedding))
            pieces = [
                _one_hot(picked[:, i], start, count + 1, dy) @ vectors[:, i, :]
                for i, (_, count, start) in enumerate(self.tables)
            ]
            grads["embedding"] = xp.concat(pieces, axis=0)
        if not need_dx:
            return None, grads
        parts, start_of_features = [], 0
        for kind, start, stop in self.runs(missing.shape[1]):
            width = (stop - start) * self._width(kind)
            if isinstance(kind, str):
                place = slice(start_of_features, start_of_features + width)
                parts.append(dy[:, place] * slope[:, place])
            else:
                parts.append(xp.zeros((dy.shape[0], stop - start), dtype=dy.dtype, device=device(dy)))
            start_of_features += width
        return xp.where(missing, 0.0, xp.concat(parts, axis=1)), grads

    def _features(self, x: Array) -> Array:
        """The numbers and the indicators of categories in one array, with NaN for missing numbers."""
        if all(isinstance(kind, str) for kind in self.kinds):
            return x
        xp, (columns, *codes) = namespace(x), zip(*self._indicators, strict=True)
        z, (plus, minus) = _columns(x, columns), (xp.asarray(own, dtype=x.dtype, device=device(x)) for own in codes)
        at_plus, at_minus = ((z >= code) & (z < code + 1.0) for code in (plus, minus))
        return xp.where(xp.isnan(plus), z, xp.astype(at_plus, x.dtype) - xp.astype(at_minus, x.dtype))

    @cached_property
    def _indicators(self) -> list[tuple[int, float, float]]:
        """For each scaled feature: its column, and the codes for which it is 1 and -1; both NaN for a number."""
        found: list[tuple[int, float, float]] = []
        for column, kind in enumerate(self.kinds):
            if isinstance(kind, str):
                found.append((column, math.nan, math.nan))
            elif kind == 2 <= self.one_hot:
                found.append((column, 1.0, 2.0))
            elif kind <= self.one_hot:
                found += [(column, float(code), math.nan) for code in range(1, kind + 1)]
        return found

    def _picked(self, x: Array, common: Array) -> Array:
        """The row of each category's vector, (N, columns with an embedding)."""
        xp, (columns, counts, starts) = namespace(x), zip(*self.tables, strict=True)
        shared = [start for _, count, start in self.tables for _ in range(count + 1)]
        own = xp.arange(len(shared), dtype=xp.int32, device=device(x))
        own = xp.where(common > 0.5, own, _integers(shared, x))
        codes = _codes(_columns(x, columns), xp.asarray(counts, dtype=x.dtype, device=device(x)))
        rows = xp.reshape(codes + _integers(starts, x), (-1,))
        return xp.reshape(xp.take(own, rows, axis=0), tuple(codes.shape))

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        from portanet.nn import Rescale, Sequential

        draws = Rescale(0.3, 2.5)  # maps the draws to 0 to 4
        return [(Sequential(draws, cls((NUMBER, GAPS, 2, 4, 9))), (5,))]


class _Kept(NamedTuple):
    """The cache of backward: where x (N, D) is NaN, dy/dz of the scaled features, and the rows of vectors."""

    missing: Array
    slope: Array | None = None
    picked: Array | None = None


FAR = 1e6  # clip here: beyond it the features are 3 to the last bit, and squares would overflow


def _columns(x: Array, numbers: Sequence[int]) -> Array:
    """The columns with these indices."""
    return namespace(x).take(x, _integers(numbers, x), axis=1)


def _integers(values: Sequence[int], like: Array) -> Array:
    xp = namespace(like)
    return xp.asarray(values, dtype=xp.int32, device=device(like))


def _codes(x: Array, counts: Array) -> Array:
    """Codes in int32; 0 for NaN, and for values outside 1 to the count of their column."""
    xp = namespace(x)
    return xp.astype(xp.where((x >= 0) & (x < counts + 1), x, 0.0), xp.int32)


def _one_hot(picked: Array, start: int, count: int, like: Array) -> Array:
    """(count, N): 1 where a row picks number `start` + i, else 0."""
    xp = namespace(like)
    numbers = xp.arange(start, start + count, dtype=xp.int32, device=device(like))
    return xp.astype(numbers[:, None] == picked[None, :], like.dtype)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _named(start: int, stop: int) -> str:
    return f"column {start}" if stop == start + 1 else f"columns {start} to {stop - 1}"
