"""The gradient of the loss over one batch, computed in shards where that is faster."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from portanet._settings import is_frozen
from portanet._tree import tree_merge
from portanet._typing import Array, Params, Shape
from portanet.backends import Backend
from portanet.backends.base import Transform, untraced
from portanet.errors import ConfigError, ModelError
from portanet.mpi.ranks import Ranks
from portanet.mpi.team import Team
from portanet.nn.folding import fold_input_scale
from portanet.nn.layer import Layer
from portanet.nn.layout import Layout
from portanet.nn.losses.loss import LossFunction
from portanet.nn.noise import Key
from portanet.training.inputs.tasks import task_of
from portanet.training.steps import shards
from portanet.training.steps.shards import Workers
from portanet.training.steps.state import Data, take
from portanet.xp import device, namespace

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

_SHARDS = 4  # at least, if a batch is cut at all
_ALIGNED = 8  # the rows of a shard are a multiple of this
_SHARD_ROWS = 32  # at least; matrix products of fewer rows are slow
_SHARD_MACS = 13_000_000  # at least, in the forward pass; below, the overhead of NumPy's calls dominates


def shard_rows(model: Layer, input_shape: Shape, batch_size: int) -> int:
    """The number of rows in a shard: it depends on model and batch size alone, and so do the bits of the result.

    A shard is large enough for about half a millisecond of work, and small enough that its arrays stay in the
    processor's cache. The number of shards is a multiple of four, all of equal size, so that two or four workers end
    at the same time. A batch of fewer than four shards is not cut, since large products are parallel anyway
    (xp/numpy.py), nor is one of a model that is not rowwise.
    """
    macs = model.macs(input_shape)
    if not model.rowwise or macs == 0:
        return batch_size
    rows = _SHARD_ROWS
    while rows * macs < _SHARD_MACS:
        rows *= 2
    if batch_size < _SHARDS * rows:
        return batch_size
    count = _SHARDS * math.ceil(batch_size / (_SHARDS * rows))
    return _ALIGNED * math.ceil(batch_size / (_ALIGNED * count))


def gradient_of(run: TrainedModel, layout: Layout, rows: int, accumulate: int, ranks: Ranks | None = None) -> Gradient:
    """Return the gradient for batches of this many rows, computed in at least `accumulate` parts, shared by ranks."""
    if accumulate > 1 and not run.model.rowwise:
        name = type(not_rowwise(run.model)).__name__
        raise ConfigError(f"a batch for {name} cannot be computed in parts.", remedy="use accumulate=1, or LayerNorm")
    shard = shard_rows(run.model, run.input_shape, rows)
    size = min(shard if ranks else run.backend.shard_rows(rows, shard), -(-rows // accumulate))
    workers = team(run, ranks, layout.size)
    if ranks and (note := ranks.idle(-(-rows // size))):
        ranks.note(f"a batch of {rows} rows makes {note}")
    trace = tracer_for(run.backend, workers, cut=size < rows)
    return Gradient(run.model, run.loss, layout, size if size < rows else None, workers, trace=trace)


def tracer_for(backend: Backend, workers: Workers, *, cut: bool) -> Transform:
    """Return the tracer of a step; two workers may share its calls, unless they already share the shards of a batch."""
    return backend.tracer(None if cut or workers.size == 1 else workers.run_pair)


def team(run: TrainedModel, ranks: Ranks | None, numbers: int = 0) -> Workers:
    """Return the threads of this process, or with ranks those of all processes, for sums of vectors of this length."""
    local = shards.workers(run.workers)
    return local if ranks is None else Team(ranks, local, run.backend, numbers)


@contextlib.contextmanager
def shared(run: TrainedModel, workers: Workers) -> Iterator[None]:
    """Share the rows that are measured among these workers, within the block."""
    run.sharing = workers
    try:
        yield
    finally:
        run.sharing = None


class Batch(NamedTuple):
    """The result of one batch.

    grads    the gradient of the loss
    sums     if measured, "loss" and, for the metric, the partial sums "counted"
    buffers  the buffers after the step
    weight   the sum of the weights of its rows; their number if all count the same
    """

    grads: Array
    sums: dict[str, Array]
    buffers: Params
    weight: Array | int


@dataclass(frozen=True)
class Gradient:
    """The loss and its gradient as one function of the flat parameters and a batch.

    grad = sum over shards of d/dparams sum_i weights_i * value_i        weights: sum 1 over the whole batch

    shard_rows  rows of a batch that are computed at once; None: all
    flat        whether parameters and gradient are one vector; else they are tuples with one vector per array
    trace       the transform that speeds up functions of arrays: `Backend.tracer`
    counts      whether the sums hold "counted" too
    """

    model: Layer
    loss: LossFunction
    layout: Layout
    shard_rows: int | None
    workers: Workers
    flat: bool = True
    trace: Transform = untraced
    counts: bool = True

    def __call__(
        self, flat: Array, buffers: Params, data: Data, rows: Array | None, key: Key, *, measure: bool
    ) -> Batch:
        """The gradient for the rows with these indices, or for all rows; `measure` adds loss and metric."""
        count = (data.x if rows is None else rows).shape[0]
        weight: Array | int = count
        if data.weights is not None:
            shares, weight = _shares(data.weights, rows)
            data = data._replace(weights=shares)

        size = self.shard_rows or count

        def part(i: int) -> _Part:
            start, stop = i * size, min((i + 1) * size, count)
            all_rows, own, numbers = (start, stop) == (0, count), data, rows
            if rows is None:
                own = data._replace(x=data.x[start:stop, ...], labels=data.labels[start:stop, ...])
            elif not all_rows:
                numbers = rows[start:stop]
            if data.weights is not None and not all_rows:
                own = own._replace(weights=data.weights[start:stop])
            noise = (key.value, key.position + start)
            return self._part(flat, buffers, own, numbers, noise, batch=count, measure=measure)

        if count <= size:
            grads, sums, changed = part(0)
            return Batch(grads, sums, tree_merge(buffers, changed), weight)

        def shard(i: int) -> tuple[Array, ...]:
            grads, sums, changed = part(i)
            if changed:
                raise ModelError(
                    f"the buffers of layer {next(iter(changed))} are lost where a batch is cut; its rowwise "
                    "must be False."
                )
            return grads, *sums.values()

        grads, *values = self.workers.sum(shard, -(-count // size))
        return Batch(grads, dict(zip(("loss", "counted"), values, strict=False)), buffers, weight)

    @cached_property
    def _part(self) -> Callable[..., _Part]:
        pure = is_frozen(self.model) and is_frozen(self.loss)
        return self.trace(replace(self)._of_part, reused=0, pure=pure)  # a copy avoids a reference cycle

    def _of_part(
        self,
        flat: Array,
        buffers: Params,
        data: Data,
        rows: Array | None,
        noise: tuple[Any, Any],
        *,
        batch: int,
        measure: bool,
    ) -> _Part:
        """The contribution of these rows to loss, gradient and metric of a batch of `batch` rows."""
        x, labels = data.x, data.labels
        if rows is not None:
            x, labels = take(x, rows), take(labels, rows)
        first = flat if self.flat else flat[0]
        weights = data.weights
        if weights is None:
            weights = namespace(first).full((x.shape[0],), 1.0 / batch, dtype=first.dtype, device=device(first))
        model, params = fold_input_scale(self.model, x.shape[0]), self.layout.unpack(flat, buffers)
        logits, cache = model.forward(params, x, train=True, key=Key(*noise))
        loss, dlogits = self.loss(logits, labels, weights)
        _, grads = model.backward(params, cache, dlogits, need_dx=False)
        sums = {"loss": loss} if measure else {}
        if measure and self.counts:
            sums["counted"] = task_of(self.loss).partial(logits, labels)
        pack = self.layout.pack if self.flat else self.layout.per_array
        return pack(grads), sums, model.next_buffers(params, cache)


_Part = tuple[Any, dict[str, Array], Params]


def not_rowwise(layer: Layer) -> Layer:
    """The innermost layer that needs the whole batch."""
    return next((not_rowwise(child) for child in layer.children.values() if not child.rowwise), layer)


def _shares(weights: Array, rows: Array | None) -> tuple[Array, Array]:
    """The weights of the batch's rows, normalised to sum 1, and their sum before."""
    weights = weights if rows is None else take(weights, rows)
    xp = namespace(weights)
    total = xp.sum(weights)
    return weights / xp.where(total > 0, total, 1.0), total  # a batch of weight 0 has a zero gradient
