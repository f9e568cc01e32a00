"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.optim.optimizer import decay_rates, fade, penalize, require_fraction, require_not_negative, require_rate
from portanet.xp import namespace


class SGDState(NamedTuple):
    """The state of SGD.

    velocity  the running sum v of the gradients; None without momentum
    decay     the weight decay of each entry; None without
    """

    velocity: Array | None
    decay: Array | None


@dataclass(frozen=True)
class SGD:
    """Steps against the gradient; momentum builds up speed in directions that last.

        g <- g + weight_decay * w                    w: the weights, not the biases
        v <- momentum * v + g
        w <- w - learning_rate * v                   with nesterov: g + momentum * v in place of v

    learning_rate  the factor of the gradient; the default, and the order of the settings, are those of Keras
    momentum       the decay of the velocity v, which has no dampening; 0 is none
    nesterov       whether to look one step of momentum ahead
    weight_decay   the strength of an L2 penalty on weights, added to the gradient (coupled); 0 is none

    As in torch.optim.SGD. Momentum: Polyak 1964. Nesterov's form: Sutskever et al. 2013, ICML.
    Raises ConfigError unless learning_rate > 0, 0 <= momentum < 1 and weight_decay >= 0, and for nesterov without
    momentum.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_rate(self, self.learning_rate)
        require_fraction(self, momentum=self.momentum)
        require_not_negative(self, weight_decay=self.weight_decay)
        if self.nesterov and not self.momentum:
            raise ConfigError("SGD with nesterov=True needs a momentum above 0, such as momentum=0.9.")

    def init(self, flat: Array, *, decayed: int) -> SGDState:
        velocity = namespace(flat).zeros_like(flat) if self.momentum else None
        return SGDState(velocity, decay_rates(flat, decayed, self.weight_decay))

    def update(self, flat: Array, grads: Array, state: SGDState, *, learning_rate: float) -> tuple[Array, SGDState]:
        grads, velocity = penalize(grads, flat, state.decay), state.velocity
        if velocity is None:
            grads *= learning_rate
            flat -= grads
            return flat, state
        velocity = fade(velocity, self.momentum)
        velocity += grads
        step = velocity
        if self.nesterov:
            grads += self.momentum * velocity
            step = grads
        flat -= learning_rate * step
        return flat, state._replace(velocity=velocity)
