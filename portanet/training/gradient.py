"""The gradient of the loss over one batch, computed in shards where that is faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from portanet._typing import Array, Params, Shape
from portanet.namespace import device, namespace
from portanet.nn.layer import Layer
from portanet.nn.layout import Layout, merge
from portanet.nn.loss import LossFunction
from portanet.nn.noise import Key
from portanet.parallel import Workers, add
from portanet.rows import gather
from portanet.training.state import Data
from portanet.training.task import task_of

_SHARD_ARITHMETIC = (
    26_000_000  # multiplications forward: below it, handing a shard to a thread costs more than it gains
)


def shard_rows(model: Layer, input_shape: Shape, batch_size: int) -> int:
    """How many rows make a shard: it follows from model and batch alone, so the bits do too.

    A power of two, large enough that a shard is about a millisecond of work; the whole batch for a model
    that is not rowwise.
    """
    arithmetic = model.arithmetic(input_shape)
    if not model.rowwise or arithmetic == 0:
        return batch_size
    rows = 1
    while rows * arithmetic < _SHARD_ARITHMETIC:
        rows *= 2
    return min(rows, batch_size)


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
    """

    model: Layer
    loss: LossFunction
    layout: Layout
    shard_rows: int
    workers: Workers

    def __call__(
        self, flat: Array, buffers: Params, data: Data, rows: Array | None, key: Key, *, measure: bool
    ) -> Batch:
        """For the rows that `rows` numbers, or for all rows; `measure` also counts what the task's score needs."""
        params = self.layout.unpack(flat, buffers)
        count = (data.x if rows is None else rows).shape[0]
        weights = _weights(data, rows, flat)

        def shard(i: int) -> tuple[tuple[Array, ...], Params]:
            start, stop = i * self.shard_rows, min((i + 1) * self.shard_rows, count)
            x, labels = (_rows(array, rows, start, stop) for array in (data.x, data.labels))
            logits, cache = self.model.forward(params, x, train=True, key=key.shifted(start))
            loss, dlogits = self.loss(logits, labels, weights[start:stop])
            _, grads = self.model.backward(params, cache, dlogits, need_dx=False)
            counted = (task_of(self.loss).counted(logits, labels),) if measure else ()
            return (loss, self.layout.pack(grads), *counted), self.model.next_buffers(params, cache)

        if count <= self.shard_rows:
            (loss, grads, *counted), changed = shard(0)
            return Batch(loss, grads, counted, merge(buffers, changed))
        shards = self.workers.map(lambda i: shard(i)[0], -(-count // self.shard_rows))
        loss, grads, *counted = add(shards)
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
