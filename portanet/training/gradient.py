"""The gradient of the loss over one batch, computed in shards where that is faster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from portanet._typing import Array, Params, Shape
from portanet.namespace import device, namespace
from portanet.nn.folding import folded
from portanet.nn.layer import Layer
from portanet.nn.layout import Layout, merge
from portanet.nn.loss import LossFunction
from portanet.nn.noise import Key
from portanet.numpy_namespace import sharing
from portanet.parallel import Workers
from portanet.rows import gather
from portanet.training.state import Data
from portanet.training.task import task_of

_SHARDS = 4  # at least, or none
_SHARD_ROWS = 32  # with fewer, products of matrices are slow
_SHARD_ARITHMETIC = 13_000_000  # multiplications forward: below it, NumPy's calls cost more than what they do


def shard_rows(model: Layer, input_shape: Shape, batch_size: int) -> int:
    """How many rows make a shard: it follows from model and batch alone, so the bits do too.

    A power of two, large enough that a shard is about half a millisecond of work, and small enough that its arrays
    stay in the processor's cache; the whole batch where it would be fewer than four, since large products are shared
    too (numpy_namespace.py), and for a model that is not rowwise.
    """
    arithmetic = model.arithmetic(input_shape)
    if not model.rowwise or arithmetic == 0:
        return batch_size
    rows = _SHARD_ROWS
    while rows * arithmetic < _SHARD_ARITHMETIC:
        rows *= 2
    return rows if batch_size >= _SHARDS * rows else batch_size


class Batch(NamedTuple):
    """What one batch gives: the loss, its gradient, what adds up to the score (if measured), and the buffers after."""

    loss: Array
    grads: Array
    counted: list[Array]
    buffers: Params


@dataclass(frozen=True)
class Gradient:
    """The loss and its gradient as one function of the flat parameters and a batch.

    grad = sum over shards of d/dparams sum_i weights_i * value_i        weights: sum 1 over the whole batch

    whole  whether parameters and gradient are one vector; else they are its pieces, and there are no shards
    """

    model: Layer
    loss: LossFunction
    layout: Layout
    shard_rows: int
    workers: Workers
    whole: bool = True

    @cached_property
    def _folded(self) -> Layer:
        return folded(self.model)

    def __call__(
        self, flat: Array, buffers: Params, data: Data, rows: Array | None, key: Key, *, measure: bool
    ) -> Batch:
        """For the rows that `rows` numbers, or for all rows; `measure` also counts what the task's score needs."""
        model, params = self._folded, self.layout.unpack(flat, buffers)
        count = (data.x if rows is None else rows).shape[0]
        weights = _weights(data, rows, flat if self.whole else flat[0])

        def shard(i: int) -> tuple[tuple[Array, ...], Params]:
            start, stop = i * self.shard_rows, min((i + 1) * self.shard_rows, count)
            x, labels = (_rows(array, rows, start, stop) for array in (data.x, data.labels))
            logits, cache = model.forward(params, x, train=True, key=key.shifted(start))
            loss, dlogits = self.loss(logits, labels, weights[start:stop])
            _, grads = model.backward(params, cache, dlogits, need_dx=False)
            counted = (task_of(self.loss).counted(logits, labels),) if measure else ()
            flat_grads = self.layout.pack(grads) if self.whole else self.layout.pieces(grads)
            return (loss, flat_grads, *counted), model.next_buffers(params, cache)

        if count <= self.shard_rows:
            with sharing(self.workers.both):
                (loss, grads, *counted), changed = shard(0)
            return Batch(loss, grads, counted, merge(buffers, changed))
        loss, grads, *counted = self.workers.sum(lambda i: shard(i)[0], -(-count // self.shard_rows))
        return Batch(loss, grads, counted, buffers)


def _rows(array: Array, rows: Array | None, start: int, stop: int) -> Array:
    """Rows start to stop of a batch, gathered where the batch is a choice of rows."""
    return array[start:stop, ...] if rows is None else gather(array, rows[start:stop])


def _weights(data: Data, rows: Array | None, flat: Array) -> Array:
    """The weight of each row of the batch; they sum to 1."""
    xp = namespace(flat)
    count = (data.x if rows is None else rows).shape[0]
    if data.weights is None:
        return xp.full((count,), 1.0 / count, dtype=flat.dtype, device=device(flat))
    weights = _rows(data.weights, rows, 0, count)
    total = xp.sum(weights)
    return weights / xp.where(total > 0, total, 1.0)  # a batch without any weight moves nothing
