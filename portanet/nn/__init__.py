"""Layers, initializers and losses: pure mathematics, one concept per file. Start reading at layer.py and dense.py.

A name imported here is public: model files can name the layer or loss, and `portanet gradcheck` checks it.
"""

from types import ModuleType as _Module
from typing import Any as _Any

from portanet import _calls, _peers
from portanet.errors import ConfigError as _ConfigError
from portanet.errors import ModelError as _ModelError
from portanet.nn.activations import ELU as ELU
from portanet.nn.activations import GELU as GELU
from portanet.nn.activations import SELU as SELU
from portanet.nn.activations import Identity as Identity
from portanet.nn.activations import LeakyReLU as LeakyReLU
from portanet.nn.activations import Mish as Mish
from portanet.nn.activations import ReLU as ReLU
from portanet.nn.activations import Sigmoid as Sigmoid
from portanet.nn.activations import SiLU as SiLU
from portanet.nn.activations import Softplus as Softplus
from portanet.nn.activations import Tanh as Tanh
from portanet.nn.batch_norm import BatchNorm as BatchNorm
from portanet.nn.columns import Columns as Columns
from portanet.nn.conv2d import Conv2D as Conv2D
from portanet.nn.dense import Dense as Dense
from portanet.nn.dropout import Dropout as Dropout
from portanet.nn.embedding import Embedding as Embedding
from portanet.nn.flatten import Flatten as Flatten
from portanet.nn.frozen import Frozen as Frozen
from portanet.nn.initializers import glorot_normal as glorot_normal
from portanet.nn.initializers import glorot_uniform as glorot_uniform
from portanet.nn.initializers import he_normal as he_normal
from portanet.nn.initializers import he_uniform as he_uniform
from portanet.nn.initializers import lecun_normal as lecun_normal
from portanet.nn.initializers import uniform as uniform
from portanet.nn.initializers import zeros as zeros
from portanet.nn.layer import Layer as Layer
from portanet.nn.layer_norm import LayerNorm as LayerNorm
from portanet.nn.layout import Layout as Layout
from portanet.nn.losses import BinaryCrossEntropy as BinaryCrossEntropy
from portanet.nn.losses import CrossEntropy as CrossEntropy
from portanet.nn.losses import Hinge as Hinge
from portanet.nn.losses import Huber as Huber
from portanet.nn.losses import Loss as Loss
from portanet.nn.losses import MeanAbsoluteError as MeanAbsoluteError
from portanet.nn.losses import MeanSquaredError as MeanSquaredError
from portanet.nn.losses import Poisson as Poisson
from portanet.nn.losses import Quantile as Quantile
from portanet.nn.losses import binary_cross_entropy as binary_cross_entropy
from portanet.nn.losses import cross_entropy as cross_entropy
from portanet.nn.losses import hinge as hinge
from portanet.nn.losses import huber as huber
from portanet.nn.losses import mean_absolute_error as mean_absolute_error
from portanet.nn.losses import mean_squared_error as mean_squared_error
from portanet.nn.losses import poisson as poisson
from portanet.nn.losses import sigmoid as sigmoid
from portanet.nn.losses import softmax as softmax
from portanet.nn.losses.loss import TaskKind as TaskKind
from portanet.nn.ntk_dense import NTKDense as NTKDense
from portanet.nn.periodic import PeriodicEmbedding as PeriodicEmbedding
from portanet.nn.pooling import AveragePool2D as AveragePool2D
from portanet.nn.pooling import GlobalAveragePool2D as GlobalAveragePool2D
from portanet.nn.pooling import MaxPool2D as MaxPool2D
from portanet.nn.preprocessing import Rescale as Rescale
from portanet.nn.preprocessing import Standardize as Standardize
from portanet.nn.random_affine import RandomAffine as RandomAffine
from portanet.nn.reshape import Reshape as Reshape
from portanet.nn.residual import Residual as Residual
from portanet.nn.scale import Scale as Scale
from portanet.nn.sequential import Sequential as Sequential

_public: dict[str, _Any] = {
    name: value for name, value in globals().items() if not (name.startswith("_") or isinstance(value, _Module))
}
__all__ = sorted(_public)

LAYERS = {
    name: value
    for name, value in _public.items()
    if (isinstance(value, type) and issubclass(value, Layer) and value is not Layer)
    or getattr(value, "__module__", "") == uniform.__module__
}
"""The layers that a file may name, and the initializers that they take."""

LOSSES: dict[str, type[Loss]] = {
    name: value
    for name, value in _public.items()
    if isinstance(value, type) and issubclass(value, Loss) and value is not Loss
}
"""The losses that a file may name."""

_calls.explain_calls(LAYERS.values(), _ModelError)
_calls.explain_calls(LOSSES.values(), _ConfigError)


def __getattr__(name: str) -> _Any:
    if name[:1].isupper() and (remedy := _peers.renamed(name, {*LAYERS, *LOSSES})):
        raise _ModelError(f"portanet.nn has no {name}", remedy=remedy)  # `from` drops an AttributeError's message
    raise AttributeError(f"module 'portanet.nn' has no attribute {name!r}")
