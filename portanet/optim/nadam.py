"""NAdam: Adam with Nesterov's momentum, which looks one step ahead."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.optim.optimizer import fade, require_fraction, require_not_negative, require_positive, require_rate
from portanet.xp import namespace


class NAdamState(NamedTuple):
    """The state of NAdam.

    first             the running sum m / (1 - beta1) of the gradients
    second            the running sum v / (1 - beta2) of the squared gradients
    second_weight     the sum of the weights in `second`, a number
    momentum_product  M_t, a number
    steps             t, a number
    """

    first: Array
    second: Array
    second_weight: float
    momentum_product: float
    steps: float


@dataclass(frozen=True)
class NAdam:
    """Adam with Nesterov's momentum, whose strength mu grows from about beta1 / 2 to beta1.

        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)        M_t = mu_1 mu_2 ... mu_t
        m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
        d = (1 - mu_t) g / (1 - M_t) + mu_(t+1) m / (1 - M_(t+1))
        w <- w - learning_rate * d / (sqrt(v / (1 - beta2^t)) + eps)

    learning_rate   as for `Adam`; the default is that of Keras
    beta1           the decay of the running mean of the gradient, m, and the limit of mu
    beta2           the decay of the running mean of its square, v
    eps             added outside the square root, to avoid division by 0
    momentum_decay  how fast mu grows

    Dozat 2016, ICLR workshop, as in torch.optim.NAdam. The state keeps m and v as sums, as Adam's does. Raises
    ConfigError unless learning_rate > 0, 0 <= beta1, beta2 < 1, eps > 0 and momentum_decay >= 0.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    _: KW_ONLY
    momentum_decay: float = 4e-3

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_rate(self, self.learning_rate)
        require_positive(self, eps=self.eps)
        require_fraction(self, beta1=self.beta1, beta2=self.beta2)
        require_not_negative(self, momentum_decay=self.momentum_decay)

    def init(self, flat: Array, *, decayed: int) -> NAdamState:
        xp = namespace(flat)
        return NAdamState(xp.zeros_like(flat), xp.zeros_like(flat), 0.0, 1.0, 0.0)

    def update(self, flat: Array, grads: Array, state: NAdamState, *, learning_rate: float) -> tuple[Array, NAdamState]:
        first, second, second_weight, product, steps = state
        first = fade(first, self.beta1)
        first += grads
        second = fade(second, self.beta2)
        second += grads * grads
        second_weight = self.beta2 * second_weight + 1.0
        steps = steps + 1.0
        now, ahead = self._momentum(steps), self._momentum(steps + 1.0)
        product = product * now
        of_gradient = (1.0 - now) / (1.0 - product)
        carried = ahead * (1.0 - self.beta1) / (1.0 - product * ahead)
        grads += (carried / of_gradient) * first
        second_root = second_weight**0.5
        root = namespace(flat).sqrt(second)
        root += self.eps * second_root
        grads /= root
        grads *= learning_rate * of_gradient * second_root
        flat -= grads
        return flat, NAdamState(first, second, second_weight, product, steps)

    def _momentum(self, step: float) -> float:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (self.momentum_decay * step))
