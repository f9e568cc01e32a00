"""scikit-learn's solvers as optimizers of portanet, with the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from portanet._typing import Array
from portanet.xp import namespace


class AdamState(NamedTuple):
    """The state of Adam.

    first, second  the running means m and v of the gradients and of their squares
    steps          the number of steps
    """

    first: Array
    second: Array
    steps: float


@dataclass(frozen=True)
class Adam:
    """Adam with epsilon added to the uncorrected square root, as in scikit-learn.

        m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
        w <- w - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)

    Kingma and Ba 2015, arXiv:1412.6980, the form at the end of section 2.
    """

    beta1: float
    beta2: float
    eps: float

    elementwise: ClassVar[bool] = True

    def init(self, flat: Array, *, decayed: int) -> AdamState:
        xp = namespace(flat)
        return AdamState(xp.zeros_like(flat), xp.zeros_like(flat), 0.0)

    def update(self, flat: Array, grads: Array, state: AdamState, *, learning_rate: float) -> tuple[Array, AdamState]:
        first, second, steps = state
        steps = steps + 1.0
        rate = learning_rate * (1.0 - self.beta2**steps) ** 0.5 / (1.0 - self.beta1**steps)
        first *= self.beta1
        first += (1.0 - self.beta1) * grads
        grads *= grads
        grads *= 1.0 - self.beta2
        second *= self.beta2
        second += grads
        step = namespace(flat).sqrt(second)
        step += self.eps
        step = first / step
        step *= rate
        flat -= step
        return flat, AdamState(first, second, steps)


class SGDState(NamedTuple):
    """The state of SGD.

    velocity  the running sum of the steps
    """

    velocity: Array


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum, whose velocity accumulates steps, as in scikit-learn.

        v <- momentum v - learning_rate g        w <- w + v        with nesterov: w + momentum v - learning_rate g

    Sutskever et al. 2013, ICML. The velocity of `portanet.optim.SGD` accumulates gradients instead, as in PyTorch; with
    a constant learning rate both are the same.
    """

    momentum: float
    nesterov: bool

    elementwise: ClassVar[bool] = True

    def init(self, flat: Array, *, decayed: int) -> SGDState:
        return SGDState(namespace(flat).zeros_like(flat))

    def update(self, flat: Array, grads: Array, state: SGDState, *, learning_rate: float) -> tuple[Array, SGDState]:
        velocity = state.velocity
        velocity *= self.momentum
        grads *= learning_rate
        velocity -= grads
        if self.nesterov:
            step = self.momentum * velocity
            step -= grads
            flat += step
        else:
            flat += velocity
        return flat, SGDState(velocity)
