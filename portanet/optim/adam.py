"""Adam and AdamW: each weight's step is scaled by running means of its gradient."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.optim.optimizer import (
    decay_rates,
    fade,
    require_fraction,
    require_not_negative,
    require_positive,
    require_rate,
    shrink,
)
from portanet.xp import namespace


class AdamState(NamedTuple):
    """The state of Adam and of AdamW.

    first          the running sum m / (1 - beta1) of the gradients
    second         the running sum v / (1 - beta2) of the squared gradients
    first_weight   the sum of the weights in `first`, a number: (1 - beta1^t) / (1 - beta1)
    second_weight  the sum of the weights in `second`, a number
    decay          the weight decay of each entry; None without
    """

    first: Array
    second: Array
    first_weight: float
    second_weight: float
    decay: Array | None


@dataclass(frozen=True)
class Adam:
    """Running means of the gradient and of its square give each weight its own step size.

        m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
        w <- w - learning_rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    learning_rate  the size of a step while gradients agree; the default is the authors'
    beta1          the decay of the running mean of the gradient, m
    beta2          the decay of the running mean of its square, v
    eps            added outside the square root of the corrected v, to avoid division by 0

    Kingma and Ba 2015, arXiv:1412.6980, as in torch.optim.Adam. The state keeps m and v as sums, with the sums of
    their weights: m / (1 - beta1^t) is first / first_weight. That saves two passes over the arrays, and the weights
    are numbers on the host. Raises ConfigError unless learning_rate > 0, 0 <= beta1, beta2 < 1 and eps > 0.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_rate(self, self.learning_rate)
        require_positive(self, eps=self.eps)
        require_fraction(self, beta1=self.beta1, beta2=self.beta2)

    def init(self, flat: Array, *, decayed: int) -> AdamState:
        xp = namespace(flat)
        return AdamState(xp.zeros_like(flat), xp.zeros_like(flat), 0.0, 0.0, None)

    def update(self, flat: Array, grads: Array, state: AdamState, *, learning_rate: float) -> tuple[Array, AdamState]:
        first, second, first_weight, second_weight, decay = state
        first = fade(first, self.beta1)
        first += grads
        grads *= grads
        second = fade(second, self.beta2)
        second += grads
        first_weight = self.beta1 * first_weight + 1.0
        second_weight = self.beta2 * second_weight + 1.0
        second_root = second_weight**0.5
        step = namespace(flat).sqrt(second)
        step += self.eps * second_root
        step = first / step
        step *= learning_rate * second_root / first_weight
        flat -= step
        return flat, AdamState(first, second, first_weight, second_weight, decay)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: each step also shrinks every weight by a fixed fraction.

        w <- w - learning_rate * weight_decay * w        then Adam's step; biases do not shrink

    learning_rate  as for `Adam`
    beta1          as for `Adam`
    beta2          as for `Adam`
    eps            as for `Adam`
    weight_decay   the rate at which weights shrink, times the learning rate; the default is that of torch.optim.AdamW

    Loshchilov and Hutter 2019, arXiv:1711.05101. All settings but the rate are keywords, since Keras and PyTorch
    disagree about the second one. Raises ConfigError for a negative weight_decay too.
    """

    _: KW_ONLY
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require_not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> AdamState:
        return super().init(flat, decayed=decayed)._replace(decay=decay_rates(flat, decayed, self.weight_decay))

    def update(self, flat: Array, grads: Array, state: AdamState, *, learning_rate: float) -> tuple[Array, AdamState]:
        flat = shrink(flat, state.decay, learning_rate)
        return super().update(flat, grads, state, learning_rate=learning_rate)
