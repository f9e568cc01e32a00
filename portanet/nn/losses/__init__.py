"""Losses, which training minimises. Models end in logits; the losses turn them into probabilities themselves."""

from portanet.nn.losses.classification import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    sigmoid,
    softmax,
)
from portanet.nn.losses.loss import Loss, LossFunction, TaskKind
from portanet.nn.losses.quantile import Quantile
from portanet.nn.losses.regression import (
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    huber,
    mean_absolute_error,
    mean_squared_error,
    poisson,
)

__all__ = [
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Hinge",
    "Huber",
    "Loss",
    "LossFunction",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "TaskKind",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "poisson",
    "sigmoid",
    "softmax",
]
