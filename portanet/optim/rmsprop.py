"""RMSProp: AdaGrad that forgets, so its steps do not fade away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from portanet._typing import Array
from portanet.optim.optimizer import OptimizerState, decay_rates, fraction, not_negative, penalize, positive
from portanet.xp import namespace


@dataclass(frozen=True)
class RMSProp:
    """Each weight's step divided by the root of a running mean of its squared gradients.

        g <- g + weight_decay * w                    w: the weights, not the biases
        s <- alpha s + (1 - alpha) g^2
        v <- momentum * v + g / (sqrt(s) + eps)
        w <- w - learning_rate * v

    Tieleman and Hinton 2012, Coursera, lecture 6.5. s starts at zero and is not corrected for it, eps stands outside
    the square root, and weight decay is coupled, as in torch.optim.RMSprop. The state keeps s as a sum,
    s / (1 - alpha), which saves a pass.
    Raises ConfigError unless 0 <= alpha, momentum < 1, eps > 0 and weight_decay >= 0.
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        fraction(self, alpha=self.alpha, momentum=self.momentum)
        positive(self, eps=self.eps)
        not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        xp = namespace(flat)
        velocity = {"velocity": xp.zeros_like(flat)} if self.momentum else {}
        return {"squares": xp.zeros_like(flat)} | velocity | decay_rates(flat, decayed, self.weight_decay)

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        grads = penalize(grads, flat, state)
        squares = state["squares"]
        squares *= self.alpha
        squares += grads * grads
        scale = (1.0 - self.alpha) ** -0.5
        root = namespace(flat).sqrt(squares)
        root += self.eps * scale
        grads /= root
        state = state | {"squares": squares}
        if self.momentum:
            velocity = state["velocity"]
            velocity *= self.momentum
            velocity += grads
            flat -= learning_rate * scale * velocity
            return flat, state | {"velocity": velocity}
        grads *= learning_rate * scale
        flat -= grads
        return flat, state
