"""Pure mathematics, one noun per file: layers, initializers, losses. Start reading at layer.py and dense.py."""

from portanet.nn.activations import (
    ELU,
    GELU,
    SELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from portanet.nn.batch_norm import BatchNorm
from portanet.nn.conv2d import Conv2D
from portanet.nn.dense import Dense
from portanet.nn.dropout import Dropout
from portanet.nn.embedding import Embedding
from portanet.nn.flatten import Flatten
from portanet.nn.frozen import Frozen
from portanet.nn.initializers import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    uniform,
    zeros,
)
from portanet.nn.layer import Layer
from portanet.nn.layer_norm import LayerNorm
from portanet.nn.layout import Layout
from portanet.nn.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    sigmoid,
    softmax,
)
from portanet.nn.losses.loss import Loss, TaskKind
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
from portanet.nn.pooling import AveragePool2D, GlobalAveragePool2D, MaxPool2D
from portanet.nn.preprocessing import Rescale, Standardize
from portanet.nn.random_affine import RandomAffine
from portanet.nn.reshape import Reshape
from portanet.nn.residual import Residual
from portanet.nn.sequential import Sequential

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "AveragePool2D",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Conv2D",
    "CrossEntropy",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Frozen",
    "GlobalAveragePool2D",
    "Hinge",
    "Huber",
    "Identity",
    "Layer",
    "LayerNorm",
    "Layout",
    "LeakyReLU",
    "Loss",
    "MaxPool2D",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "RandomAffine",
    "ReLU",
    "Rescale",
    "Reshape",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Standardize",
    "Tanh",
    "TaskKind",
    "binary_cross_entropy",
    "cross_entropy",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "hinge",
    "huber",
    "lecun_normal",
    "mean_absolute_error",
    "mean_squared_error",
    "poisson",
    "sigmoid",
    "softmax",
    "uniform",
    "zeros",
]

LOSSES = {
    loss.__name__: loss
    for loss in (
        BinaryCrossEntropy,
        CrossEntropy,
        Hinge,
        Huber,
        MeanAbsoluteError,
        MeanSquaredError,
        Poisson,
    )
}
"""The losses that a model file may name."""


def _is_named_in_files(part: object) -> bool:
    is_layer = isinstance(part, type) and issubclass(part, Layer) and part is not Layer
    return is_layer or getattr(part, "__module__", "") == uniform.__module__


LAYERS = {name: globals()[name] for name in __all__ if _is_named_in_files(globals()[name])}
"""The layers that a file may name, and the initializers that they take."""
