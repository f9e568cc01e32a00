"""NAdam: Adam that looks one step of momentum ahead."""

from __future__ import annotations

from dataclasses import dataclass

from portanet._typing import Array
from portanet.optim.adam import Adam
from portanet.optim.optimizer import OptimizerState, not_negative
from portanet.xp import namespace


@dataclass(frozen=True)
class NAdam(Adam):
    """Adam with Nesterov's momentum, whose strength mu grows from about beta1 / 2 to beta1.

        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)        M_t = mu_1 mu_2 ... mu_t
        m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
        d = (1 - mu_t) g / (1 - M_t) + mu_(t+1) m / (1 - M_(t+1))
        w <- w - learning_rate * d / (sqrt(v / (1 - beta2^t)) + eps)

    Dozat 2016, ICLR workshop, as in torch.optim.NAdam. The state keeps m and v as sums, as Adam's does.
    Raises ConfigError as Adam does, and for a negative momentum_decay.
    """

    momentum_decay: float = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        not_negative(self, momentum_decay=self.momentum_decay)

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        xp = namespace(flat)
        arrays = {"first": xp.zeros_like(flat), "second": xp.zeros_like(flat)}
        return arrays | {"second_weight": 0.0, "momentum_product": 1.0, "steps": 0.0}

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        first, second = state["first"], state["second"]
        first *= self.beta1
        first += grads
        second *= self.beta2
        second += grads * grads
        second_weight = self.beta2 * state["second_weight"] + 1.0
        steps = state["steps"] + 1.0
        now, ahead = self._momentum(steps), self._momentum(steps + 1.0)
        product = state["momentum_product"] * now
        own = (1.0 - now) / (1.0 - product)
        carried = ahead * (1.0 - self.beta1) / (1.0 - product * ahead)
        grads += (carried / own) * first
        second_root = second_weight**0.5
        root = namespace(flat).sqrt(second)
        root += self.eps * second_root
        grads /= root
        grads *= learning_rate * own * second_root
        flat -= grads
        sums = {"first": first, "second": second, "second_weight": second_weight}
        return flat, state | sums | {"momentum_product": product, "steps": steps}

    def _momentum(self, step: float) -> float:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (self.momentum_decay * step))
