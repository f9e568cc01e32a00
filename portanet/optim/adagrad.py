"""AdaGrad: each weight's step divided by the size of all its gradients so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from portanet._typing import Array
from portanet.optim.optimizer import OptimizerState, decay_rates, not_negative, penalize, positive
from portanet.xp import namespace


@dataclass(frozen=True)
class AdaGrad:
    """The more a weight has been pushed, the shorter its next step; what is rarely pushed keeps its long steps.

        g <- g + weight_decay * w                    w: the weights, not the biases
        s <- s + g^2
        w <- w - learning_rate * g / (sqrt(s) + eps)

    Duchi et al. 2011, JMLR 12. Weight decay is coupled, and eps stands outside the square root, as in
    torch.optim.Adagrad. Raises ConfigError unless eps > 0 and weight_decay >= 0.
    """

    eps: float = 1e-10
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(self, eps=self.eps)
        not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        return {"squares": namespace(flat).zeros_like(flat)} | decay_rates(flat, decayed, self.weight_decay)

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        grads = penalize(grads, flat, state)
        squares = state["squares"]
        squares += grads * grads
        root = namespace(flat).sqrt(squares)
        root += self.eps
        grads /= root
        grads *= learning_rate
        flat -= grads
        return flat, state | {"squares": squares}
