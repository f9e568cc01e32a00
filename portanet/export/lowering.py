"""Layers as ONNX's standard operators (opset 17), with one short function for each kind of layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from portanet.errors import ModelError
from portanet.export.columns import lower_columns
from portanet.export.place import Place
from portanet.nn import (
    ELU,
    GELU,
    SELU,
    AveragePool2D,
    BatchNorm,
    Columns,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Frozen,
    GlobalAveragePool2D,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Mish,
    NTKDense,
    PeriodicEmbedding,
    RandomAffine,
    ReLU,
    Rescale,
    Reshape,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Standardize,
    Tanh,
)


def lower(layer: Any, place: Place, x: str) -> str:
    """Write a layer in evaluation mode to the graph; return its output. Raises ModelError for an unknown layer."""
    if type(layer) not in LOWERINGS:  # not isinstance: a subclass may compute something else
        raise ModelError(
            f"{type(layer).__name__} cannot be exported: it has no form in standard operators. Export a model of "
            "portanet's own layers."
        )
    value = LOWERINGS[type(layer)](layer, place, x)
    place.graph.layers.append((place.path, value))
    return value


def _dense(layer: Dense, place: Place, x: str) -> str:
    return place.add("Gemm", place.floats(x), place.array("weight"), place.array("bias"))


def _ntk_dense(layer: NTKDense, place: Place, x: str) -> str:
    weight = place.constant("weight", place.params["weight"] * place.shape[0] ** -0.5)
    return place.add("Gemm", place.floats(x), weight, place.constant("bias", place.params["bias"] * layer.bias_rate))


def _conv(layer: Conv2D, place: Place, x: str) -> str:
    before, after = layer.padding_sides
    return place.add(
        "Conv", place.floats(x), place.array("weight"), place.array("bias"),
        kernel_shape=[layer.kernel_size] * 2, pads=[before, before, after, after], strides=[layer.stride] * 2,
    )  # fmt: skip


def _pool(op: str) -> Lowering:
    def lowered(layer: Any, place: Place, x: str) -> str:
        size = [layer.size] * 2
        return place.add(op, place.floats(x), kernel_shape=size, strides=size)

    return lowered


def _global_average(layer: GlobalAveragePool2D, place: Place, x: str) -> str:
    return place.add("ReduceMean", place.floats(x), axes=[2, 3], keepdims=0)


def _batch_norm(layer: BatchNorm, place: Place, x: str) -> str:
    arrays = map(place.array, ("scale", "shift", "mean", "variance"))
    return place.add("BatchNormalization", place.floats(x), *arrays, epsilon=layer.eps)


def _layer_norm(layer: LayerNorm, place: Place, x: str) -> str:
    arrays = map(place.array, ("scale", "shift"))
    return place.add("LayerNormalization", place.floats(x), *arrays, axis=1, epsilon=layer.eps)


def _embedding(layer: Embedding, place: Place, x: str) -> str:
    return place.add("Gather", place.array("weight"), place.add("Cast", x, to="int64"), axis=0)


def _rescale(layer: Rescale, place: Place, x: str) -> str:
    y = place.add("Mul", place.floats(x), place.constant("factor", layer.factor))
    return y if layer.offset == 0 else place.add("Add", y, place.constant("offset", layer.offset))


def _standardize(layer: Standardize, place: Place, x: str) -> str:
    if place.is_wide(x):
        centred = place.minus(x, place.params["mean"])
    else:
        centred = place.add("Sub", place.floats(x), place.array("mean"))
    return place.add("Div", centred, place.array("deviation"))


def _periodic(layer: PeriodicEmbedding, place: Place, x: str) -> str:
    (columns,), arrays = place.shape, {name: layer.rate * array for name, array in place.params.items()}
    x = place.add("Reshape", place.floats(x), shape=[0, columns, 1])
    angles = place.add("Mul", x, place.constant("frequency", 2 * math.pi * arrays["frequency"]))
    angles = place.add("Add", angles, place.constant("phase", arrays["phase"]))
    waves = place.add("Reshape", place.add("Cos", angles), shape=[0, columns, layer.frequencies, 1])
    weighted = place.add("Mul", waves, place.constant("weight", layer.frequencies * arrays["weight"]))
    sums = place.add("ReduceMean", weighted, axes=[2], keepdims=0)
    y = place.add("Concat", x, place.add("Add", sums, place.constant("bias", arrays["bias"])), axis=2)
    return place.add("Reshape", y, shape=[0, columns * layer.features])


def _scale(layer: Scale, place: Place, x: str) -> str:
    return place.add("Mul", place.floats(x), place.constant("scale", place.params["scale"] * layer.rate))


def _flatten(layer: Flatten, place: Place, x: str) -> str:
    return place.add("Flatten", x, axis=1)


def _reshape(layer: Reshape, place: Place, x: str) -> str:
    return place.add("Reshape", x, shape=[0, *layer.shape])  # 0 keeps the number of rows


def _unchanged(layer: Layer, place: Place, x: str) -> str:
    return x


def _activation(op: str, *settings: tuple[str, str]) -> Lowering:
    """Return the lowering of an activation with an ONNX operator; settings are pairs of ONNX's name and ours."""

    def lowered(layer: Any, place: Place, x: str) -> str:
        return place.add(op, place.floats(x), **{name: getattr(layer, field) for name, field in settings})

    return lowered


def _silu(layer: SiLU, place: Place, x: str) -> str:
    x = place.floats(x)
    return place.add("Mul", x, place.add("Sigmoid", x))


def _mish(layer: Mish, place: Place, x: str) -> str:
    x = place.floats(x)
    return place.add("Mul", x, place.add("Tanh", place.add("Softplus", x)))


def _gelu(layer: GELU, place: Place, x: str) -> str:
    """GELU's tanh form, x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, since opset 17 has no Gelu."""
    x, slope = place.floats(x), math.sqrt(2.0 / math.pi)
    cubic = place.add("Mul", place.add("Mul", x, x), place.constant("cubic", 0.044715 * slope))
    inner = place.add("Mul", x, place.add("Add", cubic, place.constant("slope", slope)))
    half = place.constant("half", 0.5)
    gate = place.add("Add", place.add("Mul", place.add("Tanh", inner), half), half)
    return place.add("Mul", x, gate)


def _frozen(layer: Frozen, place: Place, x: str) -> str:
    return lower(layer.layer, place, x)


def _sequential(layer: Sequential, place: Place, x: str) -> str:
    for name, child, shape in layer.children_with_shapes(place.shape):
        x = lower(child, place.child(name, shape), x)
    return x


def _residual(layer: Residual, place: Place, x: str) -> str:
    return place.add("Add", place.floats(x), place.floats(_sequential(layer, place, x)))


Lowering = Callable[[Any, Place, str], str]

LOWERINGS: dict[type[Layer], Lowering] = {
    Dense: _dense,
    NTKDense: _ntk_dense,
    PeriodicEmbedding: _periodic,
    Conv2D: _conv,
    MaxPool2D: _pool("MaxPool"),
    AveragePool2D: _pool("AveragePool"),
    GlobalAveragePool2D: _global_average,
    BatchNorm: _batch_norm,
    Columns: lower_columns,
    LayerNorm: _layer_norm,
    Embedding: _embedding,
    Rescale: _rescale,
    Scale: _scale,
    Standardize: _standardize,
    Flatten: _flatten,
    Reshape: _reshape,
    Identity: _unchanged,
    Dropout: _unchanged,
    RandomAffine: _unchanged,
    ReLU: _activation("Relu"),
    LeakyReLU: _activation("LeakyRelu", ("alpha", "slope")),
    ELU: _activation("Elu", ("alpha", "alpha")),
    SELU: _activation("Selu"),
    Sigmoid: _activation("Sigmoid"),
    Tanh: _activation("Tanh"),
    Softplus: _activation("Softplus"),
    SiLU: _silu,
    Mish: _mish,
    GELU: _gelu,
    Frozen: _frozen,
    Sequential: _sequential,
    Residual: _residual,
}
