"""Adam and AdamW: each weight's step divided by the size that its gradient usually has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from portanet._typing import Array
from portanet.optim.optimizer import OptimizerState, decay_rates, fraction, not_negative, positive, shrink
from portanet.xp import namespace


@dataclass(frozen=True)
class Adam:
    """Running means of the gradient and of its square give each weight a step size of its own.

        m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
        w <- w - learning_rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    Kingma and Ba 2015, arXiv:1412.6980, with eps outside the square root of the corrected v, as there and in
    torch.optim.Adam. The state keeps m and v as sums, and the sums of their weights beside them: m / (1 - beta1^t)
    is first / first_weight. That saves two passes, and the weights are plain numbers that cost the device nothing.
    Raises ConfigError unless 0 <= beta1, beta2 < 1 and eps > 0.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        fraction(self, beta1=self.beta1, beta2=self.beta2)
        positive(self, eps=self.eps)

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        xp = namespace(flat)
        return {
            "first": xp.zeros_like(flat),
            "second": xp.zeros_like(flat),
            "first_weight": 0.0,
            "second_weight": 0.0,
        }

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        first, second = state["first"], state["second"]
        first *= self.beta1
        first += grads
        grads *= grads
        second *= self.beta2
        second += grads
        first_weight = self.beta1 * state["first_weight"] + 1.0
        second_weight = self.beta2 * state["second_weight"] + 1.0
        second_root = second_weight**0.5
        step = namespace(flat).sqrt(second)
        step += self.eps * second_root
        step = first / step
        step *= learning_rate * second_root / first_weight
        flat -= step
        sums = {"first": first, "second": second, "first_weight": first_weight, "second_weight": second_weight}
        return flat, state | sums


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, and apart from it every weight shrinks by a fixed share.

        w <- w - learning_rate * weight_decay * w        then Adam's step; biases do not shrink

    Decoupled weight decay: Loshchilov and Hutter 2019, arXiv:1711.05101, scaled by the learning rate as in
    torch.optim.AdamW. Raises ConfigError for a negative weight_decay too.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        return super().init(flat, decayed=decayed) | decay_rates(flat, decayed, self.weight_decay)

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        flat = shrink(flat, state, learning_rate)
        return super().update(flat, grads, state, learning_rate=learning_rate)
