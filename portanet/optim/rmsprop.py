"""RMSProp: AdaGrad with a running mean instead of a sum, so that its steps do not vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.optim.optimizer import (
    decay_rates,
    fade,
    penalize,
    require_fraction,
    require_not_negative,
    require_positive,
    require_rate,
)
from portanet.xp import namespace


class RMSPropState(NamedTuple):
    """The state of RMSProp.

    squares   the running sum s / (1 - alpha) of the squared gradients
    velocity  the running sum v of the steps; None without momentum
    decay     the weight decay of each entry; None without
    """

    squares: Array
    velocity: Array | None
    decay: Array | None


@dataclass(frozen=True)
class RMSProp:
    """Each weight's step is divided by the root of a running mean of its squared gradients.

        g <- g + weight_decay * w                    w: the weights, not the biases
        s <- alpha s + (1 - alpha) g^2
        v <- momentum * v + g / (sqrt(s) + eps)
        w <- w - learning_rate * v

    learning_rate  the size of a typical step; the default, and the order of the settings, are those of Keras
    alpha          the decay of the running mean s; Keras calls it rho
    momentum       the decay of the running sum of steps, v; 0 is none
    eps            added outside the square root, to avoid division by 0
    weight_decay   the strength of an L2 penalty on weights, added to the gradient (coupled); 0 is none

    Tieleman and Hinton 2012, Coursera, lecture 6.5. s starts at zero and is not corrected for it, as in
    torch.optim.RMSprop. The state keeps s as a sum, s / (1 - alpha), which saves a pass. Raises ConfigError unless
    learning_rate > 0, 0 <= alpha, momentum < 1, eps > 0 and weight_decay >= 0.
    """

    learning_rate: float = 0.001
    alpha: float = 0.99
    momentum: float = 0.0
    eps: float = 1e-8
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_rate(self, self.learning_rate)
        require_positive(self, eps=self.eps)
        require_fraction(self, alpha=self.alpha, momentum=self.momentum)
        require_not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> RMSPropState:
        xp = namespace(flat)
        velocity = xp.zeros_like(flat) if self.momentum else None
        return RMSPropState(xp.zeros_like(flat), velocity, decay_rates(flat, decayed, self.weight_decay))

    def update(
        self, flat: Array, grads: Array, state: RMSPropState, *, learning_rate: float
    ) -> tuple[Array, RMSPropState]:
        grads, squares, velocity = penalize(grads, flat, state.decay), state.squares, state.velocity
        squares = fade(squares, self.alpha)
        squares += grads * grads
        scale = (1.0 - self.alpha) ** -0.5
        root = namespace(flat).sqrt(squares)
        root += self.eps * scale
        grads /= root
        if velocity is not None:
            velocity = fade(velocity, self.momentum)
            velocity += grads
            flat -= learning_rate * scale * velocity
            return flat, state._replace(squares=squares, velocity=velocity)
        grads *= learning_rate * scale
        flat -= grads
        return flat, state._replace(squares=squares)
