"""Gradient clipping: a gradient whose norm is too large is scaled down before the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Params
from portanet.optim import optimizer as base
from portanet.optim.optimizer import Optimizer, require_optimizer, require_positive
from portanet.xp import namespace

_EPS = 1e-6  # as in PyTorch


@dataclass(frozen=True)
class ClipByGlobalNorm:
    """Clips the norm of the gradient, over all weights together, to `max_norm` before the optimizer's step.

        g <- g * min(max_norm / (|g| + 1e-6), 1)

    optimizer  takes the steps; learning rate, state and evaluated weights are its own
    max_norm   the largest norm of the gradient of the loss; coupled weight decay is added afterwards

    Pascanu et al. 2013, arXiv:1211.5063, as torch.nn.utils.clip_grad_norm_. Raises ConfigError for a value that is not
    an optimizer, and unless max_norm is finite and above 0.
    """

    optimizer: Optimizer
    max_norm: float

    def __post_init__(self) -> None:
        require_optimizer(self, self.optimizer)
        require_positive(self, max_norm=self.max_norm)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the optimizer inside."""
        return base.learning_rate(self.optimizer)

    def init(self, flat: Array, *, decayed: int) -> Any:
        return self.optimizer.init(flat, decayed=decayed)

    def update(self, flat: Array, grads: Array, state: Any, *, learning_rate: float) -> tuple[Array, Any]:
        xp = namespace(grads)
        norm = xp.sqrt(grads @ grads)
        grads *= xp.minimum(self.max_norm / (norm + _EPS), 1.0)
        return self.optimizer.update(flat, grads, state, learning_rate=learning_rate)

    def weights(self, flat: Array, state: Any) -> Array:
        """Return the weights to evaluate from the optimizer inside."""
        return base.weights(self.optimizer, flat, state)

    def average_buffers(self, average: Params, buffers: Params, state: Any) -> Params:
        """Return the buffers that belong to these weights."""
        return base.average_buffers(self.optimizer, average, buffers, state)
