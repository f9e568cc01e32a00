"""Lion: every step changes each weight by exactly the learning rate, up or down."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.optim.optimizer import decay_rates, fade, require_fraction, require_not_negative, require_rate, shrink
from portanet.xp import namespace


class LionState(NamedTuple):
    """The state of Lion.

    first  the running sum m / (1 - beta2) of the gradients
    decay  the weight decay of each entry; None without
    """

    first: Array
    decay: Array | None


@dataclass(frozen=True)
class Lion:
    """Steps in the direction of the sign of a running mean of the gradient; the learning rate is their size.

        w <- w - learning_rate * weight_decay * w                        w: the weights, not the biases
        w <- w - learning_rate * sign(beta1 m + (1 - beta1) g)
        m <- beta2 m + (1 - beta2) g

    learning_rate  the size of every step, 3 to 10 times smaller than a good one for AdamW; the default is the authors'
    beta1          the decay of the mean whose sign is taken
    beta2          the decay of the running mean m
    weight_decay   the rate at which weights shrink, times the learning rate (decoupled); 3 to 10 times AdamW's. 0 is
                   none

    Chen et al. 2023, arXiv:2302.06675, algorithm 2. The state keeps m as a sum, m / (1 - beta2), which saves two
    passes over the arrays. Raises ConfigError unless learning_rate > 0, 0 <= beta1, beta2 < 1 and weight_decay >= 0.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    _: KW_ONLY
    weight_decay: float = 0.0

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_rate(self, self.learning_rate)
        require_fraction(self, beta1=self.beta1, beta2=self.beta2)
        require_not_negative(self, weight_decay=self.weight_decay)

    def init(self, flat: Array, *, decayed: int) -> LionState:
        return LionState(namespace(flat).zeros_like(flat), decay_rates(flat, decayed, self.weight_decay))

    def update(self, flat: Array, grads: Array, state: LionState, *, learning_rate: float) -> tuple[Array, LionState]:
        flat = shrink(flat, state.decay, learning_rate)
        xp, first = namespace(flat), state.first
        mean = (self.beta1 * (1.0 - self.beta2) / (1.0 - self.beta1)) * first
        mean += grads
        first = fade(first, self.beta2)
        first += grads
        step = xp.astype(mean > 0.0, flat.dtype)  # not xp.sign, which synchronises with the device in CuPy
        step -= xp.astype(mean < 0.0, flat.dtype)
        step *= learning_rate
        flat -= step
        return flat, state._replace(first=first)
