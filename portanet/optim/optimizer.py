"""The contract of every optimizer: two methods over one flat vector, and a state that is plain data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol, TypeVar

from portanet._typing import Array, Params
from portanet.errors import ConfigError
from portanet.xp import device, namespace


class Optimizer(Protocol):
    """The rule that turns a gradient into a step. Hyper-parameters are fields; arrays are passed in.

    `learning_rate` is the first field. The training loop multiplies it by the schedule's factor and passes the product
    to `update`. An optimizer without this field has the rate 1, so it gets the factor itself.

    The state is a NamedTuple (a dict, a tuple or a list works too) of arrays and numbers, with None for unused entries.
    Its arrays are created from `flat`, and `update` returns a state of the same form.

    `update` owns its arguments: it may write to `flat`, `grads` and `state` in place, and the caller continues with
    what it returns. It keeps no reference to `grads`, so the caller may reuse that memory.

    A step may be compiled, or traced and then replayed: whatever `update` reads besides its arguments (a list, an
    attribute, a counter) is constant from then on. Values that change belong in the state.

    Three attributes are optional. `weights(flat, state)` returns the weights to evaluate and to save, if they are not
    `flat`. `average_buffers(average, buffers, state)` returns the buffers that belong to them: the average after a
    step, from the average before it, the new buffers, and the state before the step.
    `elementwise = True` declares that the entries are updated independently: a part of `flat`, with the same part of
    `grads` and of the state's vectors, gives the same as the full vector; JAX then trains faster.
    """

    def init(self, flat: Array, *, decayed: int) -> Any:
        """Return the state before the first step.

        flat     (size,) all trained arrays as one vector
        decayed  the number of entries, from the front, that weight decay applies to
        """

    def update(self, flat: Array, grads: Array, state: Any, *, learning_rate: float) -> tuple[Array, Any]:
        """Return the parameters and the state after one step.

        flat           (size,) the parameters
        grads          (size,) the gradient of the loss
        state          the state from `init` or the last `update`
        learning_rate  the optimizer's rate times the schedule's factor
        """


OptimizerT = TypeVar("OptimizerT", bound=Optimizer)


def learning_rate(optimizer: Optimizer) -> float:
    """Return the learning rate, before the schedule's factor."""
    return float(getattr(optimizer, "learning_rate", 1.0))


def with_learning_rate(optimizer: OptimizerT, rate: float) -> OptimizerT:
    """Return the optimizer with another rate, also inside wrappers; raises ConfigError if it has no rate."""
    fields: Any = optimizer
    if (inner := getattr(fields, "optimizer", None)) is not None:
        return dataclasses.replace(fields, optimizer=with_learning_rate(inner, rate))
    if "learning_rate" not in getattr(fields, "__dataclass_fields__", ()):
        raise ConfigError(f"{type(fields).__name__} has no field learning_rate to replace by {rate!r}.")
    return dataclasses.replace(fields, learning_rate=rate)


def weights(optimizer: Optimizer, flat: Array, state: Any) -> Array:
    """Return the weights to evaluate and to save: `optimizer.weights(flat, state)` if it exists, else `flat`."""
    offered = getattr(optimizer, "weights", None)
    averaged: Array = flat if offered is None else offered(flat, state)
    return averaged


def average_buffers(optimizer: Optimizer, average: Params, buffers: Params, state: Any) -> Params:
    """Return the buffers that belong to averaged weights; empty if the optimizer does not average."""
    offered = getattr(optimizer, "average_buffers", None)
    averaged: Params = {} if offered is None else offered(average, buffers, state)
    return averaged


def fade(total: Array, factor: float) -> Array:
    """Multiply a running sum by a factor below 1; negligible values become 0.

    x <- (factor x + c) - c        c: 2^25 times the smallest normal number, in float32; 2^54 times in float64

    Without this, the sum of a weight without gradients would end below the smallest normal number, 1.2e-38, and stay
    there: 0.9 times such a subnormal number finally rounds to itself, and a processor takes about a hundred times as
    long for it. Numbers above 2^50 times the smallest normal one, 1.4e-23, keep all their bits.
    """
    about = namespace(total).finfo(total.dtype)
    lost = float(about.smallest_normal) * 4.0 / float(about.eps)
    total *= factor
    total += lost
    total -= lost
    return total


def decay_rates(flat: Array, decayed: int, weight_decay: float) -> Array | None:
    """Return the rate at which each entry of `flat` shrinks; None if none does."""
    if weight_decay == 0:
        return None
    xp = namespace(flat)
    places = xp.arange(flat.shape[0], dtype=xp.int32, device=device(flat))
    rates: Array = xp.astype(places < decayed, flat.dtype) * weight_decay
    return rates


def penalize(grads: Array, flat: Array, decay: Array | None) -> Array:
    """Add coupled weight decay, the gradient of the penalty weight_decay / 2 * w^2, to that of the loss.

    g <- g + weight_decay * w
    """
    if decay is not None:
        grads += decay * flat
    return grads


def shrink(flat: Array, decay: Array | None, learning_rate: float) -> Array:
    """Apply decoupled weight decay, separate from the optimizer's step.

    w <- w - learning_rate * weight_decay * w
    """
    if decay is not None:
        factors = decay * -learning_rate
        factors += 1.0
        flat *= factors
    return flat


def require_rate(owner: object, rate: float) -> None:
    """Raise ConfigError unless the learning rate is a finite number above 0."""
    is_number = hasattr(rate, "__float__") and not isinstance(rate, bool)
    if not (is_number and math.isfinite(rate) and rate > 0):
        usual = getattr(type(owner), "learning_rate", 0.01)
        raise ConfigError(f"{type(owner).__name__} needs a finite learning_rate above 0, got {rate!r}; try {usual:g}.")


def require_fraction(owner: object, **settings: float) -> None:
    """Raise ConfigError unless 0 <= value < 1 for each."""
    for name, value in settings.items():
        if not 0 <= value < 1:
            raise ConfigError(f"{type(owner).__name__} needs 0 <= {name} < 1, got {value!r}.")


def require_positive(owner: object, **settings: float) -> None:
    """Raise ConfigError unless each value is a finite number above 0."""
    for name, value in settings.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{type(owner).__name__} needs a finite {name} above 0, got {value!r}.")


def require_not_negative(owner: object, **settings: float) -> None:
    """Raise ConfigError unless each value is a finite number of at least 0."""
    for name, value in settings.items():
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{type(owner).__name__} needs a finite {name} of at least 0, got {value!r}.")


def require_optimizer(owner: object, optimizer: object) -> None:
    """Raise ConfigError unless `owner` has an optimizer to wrap."""
    if not is_optimizer(optimizer):
        raise ConfigError(f"{type(owner).__name__} needs an optimizer such as Adam() to wrap, got {optimizer!r}.")


def is_optimizer(value: object) -> bool:
    """Return whether a value has the two methods of an optimizer; a class is not an optimizer, its instances are."""
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in ("init", "update"))
