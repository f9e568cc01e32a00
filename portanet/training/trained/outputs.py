"""The outputs of a model for many rows, computed in blocks."""

from __future__ import annotations

from typing import Any

from portanet._settings import is_frozen
from portanet._typing import Array, Params, Shape
from portanet.backends import Backend
from portanet.nn.layer import Layer

_LEAST, _MOST = 128, 2048  # rows in a block; the maximum bounds the memory
_MACS = 130_000_000  # in a block: with more, its arrays do not fit the processor's cache
_WARMUP = 4  # plain calls before it is traced


def block_rows(model: Layer, input_shape: Shape) -> int:
    """The number of rows in a block."""
    rows, macs = _LEAST, model.macs(input_shape)
    while rows < _MOST and rows * macs < _MACS:
        rows *= 2
    return rows


class Outputs:
    """A model's outputs in evaluation mode, as a function of parameters and rows that is traced like a training step.

    model    the layers
    backend  where it computes
    rows     in a block
    """

    def __init__(self, model: Layer, backend: Backend, input_shape: Shape) -> None:
        self.model, self.backend, self._input_shape = model, backend, input_shape
        self.rows = block_rows(model, input_shape)
        self._traced = backend.tracer()(
            lambda params, x: model.forward(params, x)[0], pure=is_frozen(model), warmup=_WARMUP
        )

    def __call__(self, params: Params, x: Array) -> Array:
        outputs: Array = self._traced(params, x)
        return outputs

    def __reduce__(self) -> Any:
        return type(self), (self.model, self.backend, self._input_shape)  # without the traces of this process
