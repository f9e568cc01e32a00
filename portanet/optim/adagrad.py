"""AdaGrad: each weight's step is divided by the root of the sum of its squared gradients so far."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.optim.optimizer import decay_rates, penalize, require_not_negative, require_positive, require_rate
from portanet.xp import namespace


class AdaGradState(NamedTuple):
    """The state of AdaGrad.

    squares  the sum s of the squared gradients
    decay    the weight decay of each entry; None without
    """

    squares: Array
    decay: Array | None


@dataclass(frozen=True)
class AdaGrad:
    """Each weight's steps shrink with its sum of squared gradients, so rarely updated weights keep long steps.

        g <- g + weight_decay * w                    w: the weights, not the biases
        s <- s + g^2
        w <- w - learning_rate * g / (sqrt(s) + eps)

    learning_rate  the size of the first steps, as in torch.optim.Adagrad
    eps            added outside the square root, so that nothing is divided by 0
    weight_decay   the strength of an L2 penalty on weights, added to the gradient (coupled); 0 is none

    Duchi et al. 2011, JMLR 12. Raises ConfigError unless learning_rate > 0, eps > 0 and weight_decay >= 0.
    """

    learning_rate: float = 0.01
    _: KW_ONLY
    eps: float = 1e-10
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_rate(self, self.learning_rate)
        require_positive(self, eps=self.eps)
        require_not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> AdaGradState:
        return AdaGradState(namespace(flat).zeros_like(flat), decay_rates(flat, decayed, self.weight_decay))

    def update(
        self, flat: Array, grads: Array, state: AdaGradState, *, learning_rate: float
    ) -> tuple[Array, AdaGradState]:
        grads, squares = penalize(grads, flat, state.decay), state.squares
        squares += grads * grads
        root = namespace(flat).sqrt(squares)
        root += self.eps
        grads /= root
        grads *= learning_rate
        flat -= grads
        return flat, state._replace(squares=squares)
