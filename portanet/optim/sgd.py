"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.optim.optimizer import OptimizerState, decay_rates, fraction, not_negative, penalize
from portanet.xp import namespace


@dataclass(frozen=True)
class SGD:
    """Steps against the gradient; momentum keeps going in directions that last.

        g <- g + weight_decay * w                    w: the weights, not the biases
        v <- momentum * v + g
        w <- w - learning_rate * v                   with nesterov: g + momentum * v in place of v

    Weight decay is the gradient of an L2 penalty (coupled), and the velocity has no dampening, as in
    torch.optim.SGD. Momentum: Polyak 1964. Nesterov's form: Sutskever et al. 2013, ICML.
    Raises ConfigError unless 0 <= momentum < 1 and weight_decay >= 0, and for nesterov without momentum.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        fraction(self, momentum=self.momentum)
        not_negative(self, weight_decay=self.weight_decay)
        if self.nesterov and not self.momentum:
            raise ConfigError("SGD with nesterov=True needs a momentum above 0, such as momentum=0.9.")

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        velocity = {"velocity": namespace(flat).zeros_like(flat)} if self.momentum else {}
        return velocity | decay_rates(flat, decayed, self.weight_decay)

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        grads = penalize(grads, flat, state)
        if not self.momentum:
            grads *= learning_rate
            flat -= grads
            return flat, state
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grads
        step = velocity
        if self.nesterov:
            grads += self.momentum * velocity
            step = grads
        flat -= learning_rate * step
        return flat, state | {"velocity": velocity}
