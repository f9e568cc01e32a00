"""The contract of every loss: settings in fields, arrays passed in, a value and its gradient out."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import ClassVar, TypeAlias

from portanet._settings import short_repr
from portanet._typing import Array, Shape
from portanet.errors import ConfigError, DataError


class TaskKind(Enum):
    """The kind of labels that a loss takes."""

    CLASSIFY = "classify"  # one class for each row
    MULTILABEL = "multilabel"  # any number of classes for each row
    REGRESS = "regress"  # numbers
    QUANTILES = "quantiles"  # numbers, with several outputs for each
    COUNT = "count"  # numbers of at least 0; the outputs are their logarithms


LossFunction: TypeAlias = Callable[[Array, Array, Array], tuple[Array, Array]]
"""A `Loss`, or a plain function of yours that is called in the same way; its task is `TaskKind.CLASSIFY`."""


class Loss:
    """A frozen dataclass of settings, called with a batch; it returns the loss and its gradient for the outputs.

        loss = sum_i weights_i * value_i        doutputs = dloss / doutputs

    The trainer makes the weights (N,) sum to 1 over the full batch, so the losses of its parts simply add.

    A training step may be compiled, or traced and then replayed: whatever a loss reads besides its arguments (a list,
    an attribute, a counter) is constant from then on. Values that change must be arguments.

    task          the kind of labels
    takes_shares  whether labels of one class for each row may also be a probability for each class, (N, K)
    own_unit      whether it needs targets and outputs in the unit of the data, as a relative error does; `fit`
                  standardises the targets of every other regression loss
    takes_logits  the reason why outputs must be unbounded, such as "it contains the softmax"; empty if they need not
    """

    task: ClassVar[TaskKind] = TaskKind.CLASSIFY
    takes_shares: ClassVar[bool] = False
    own_unit: ClassVar[bool] = False
    takes_logits: ClassVar[str] = ""

    @property
    def outputs_per_target(self) -> int:
        """The number of outputs that a model has for each target."""
        return 1

    def require_labels(self, outputs: Shape, labels: Shape) -> None:
        """Raise DataError for labels of a wrong shape, which would otherwise be broadcast.

        outputs  the shape of the outputs, (N, K)
        labels   the shape of the labels
        """
        classes = (outputs[:1],) if self.task is TaskKind.CLASSIFY else ()
        shares = () if classes and not self.takes_shares else (outputs,)
        if tuple(labels) not in (*classes, *shares):
            wanted = " or ".join(str(tuple(shape)) for shape in (*classes, *shares))
            raise DataError(
                f"{type(self).__name__} takes labels of shape {wanted} for {outputs[0]} rows, got {tuple(labels)}."
            )

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        """Return the loss, 0-d, and its gradient in the shape of `outputs`.

        outputs  (N, K) the model's outputs
        labels   as the loss takes them, (N,) or (N, K)
        weights  (N,) the weights of the rows; they sum to 1 over the batch
        """
        raise NotImplementedError(f"{type(self).__name__} needs a __call__ method")

    def __repr__(self) -> str:
        """The constructor call, without default values."""
        return short_repr(self)


def require_positive(loss: Loss, name: str, value: float) -> None:
    """Raise ConfigError unless the setting is a finite number above 0."""
    if not 0 < value < math.inf:
        raise ConfigError(f"{type(loss).__name__} needs a finite {name} > 0, got {value!r}.")
