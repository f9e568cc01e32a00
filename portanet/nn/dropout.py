"""Dropout: noise in training that keeps units from co-adapting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn import noise
from portanet.nn.layer import Layer
from portanet.xp import namespace


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """In training, each value is set to zero with probability `rate`, and the others are scaled up to compensate.

        y = x * mask / (1 - rate)        any shape; mask is 1 with probability 1 - rate, else 0; y = x in prediction

    rate  the probability that a value is dropped, from 0 to below 1

    The key alone decides which values are dropped, on every backend. Srivastava et al. 2014, JMLR 15.
    Raises ModelError unless 0 <= rate < 1.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ModelError(f"Dropout needs 0 <= rate < 1, the probability to drop, got {self.rate!r}.")

    @property
    def keeps_values(self) -> bool:
        return True

    @property
    def is_random(self) -> bool:
        return self.rate > 0

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        if not train or self.rate == 0:
            return x, None
        if key is None:
            raise ModelError("Dropout needs a key to train: forward(..., train=True, key=noise.Key(0)).")
        mask = noise.keep(key, x, self.rate)
        return namespace(x).where(mask, x / (1.0 - self.rate), 0.0), mask

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        mask = cache
        return (dy if mask is None else namespace(dy).where(mask, dy / (1.0 - self.rate), 0.0)), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(0.4), (7,))]
