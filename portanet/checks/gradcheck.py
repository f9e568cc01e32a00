"""Gradient checks: a backward pass compared with finite differences of its forward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import nn
from portanet._calls import explained
from portanet._tree import tree_get, tree_items, tree_set
from portanet._typing import Array, Params
from portanet.backends import Backend, choose
from portanet.errors import ModelError
from portanet.nn.layer import Layer
from portanet.nn.layout import Layout
from portanet.nn.losses import BinaryCrossEntropy, CrossEntropy, Hinge
from portanet.nn.losses.loss import Loss, LossFunction
from portanet.nn.losses.quantile import Quantile
from portanet.nn.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError, Poisson
from portanet.nn.noise import Key
from portanet.rng import WEIGHTS, generator
from portanet.training.inputs.tasks import task_of
from portanet.xp import device, namespace

EXAMPLES = [
    example
    for layer_type in nn.LAYERS.values()
    if isinstance(layer_type, type) and issubclass(layer_type, Layer)
    for example in layer_type.examples()
]
"""Layers to check, each with the shape of an input row, for `portanet gradcheck`."""

_TARGETS = [[0.5, -1.0, 2.0], [0.0, 3.0, 1.0], [1.5, 0.2, -0.7]]

LOSS_EXAMPLES: tuple[tuple[Loss, Any], ...] = (
    (CrossEntropy(), [0, 2, 1]),
    (CrossEntropy(label_smoothing=0.1, class_weight=(1.0, 0.5, 3.0)), [0, 2, 1]),
    (CrossEntropy(class_weight=(1.0, 0.5, 3.0)), [[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.1, 0.3, 0.6]]),
    (BinaryCrossEntropy(), [[1, 0, 1], [0, 0, 0], [1, 0.5, 0]]),
    (Hinge(), [0, 2, 1]),
    (MeanSquaredError(), _TARGETS),
    (MeanAbsoluteError(), _TARGETS),
    (Huber(), _TARGETS),
    (Poisson(), [[0, 3, 1], [7, 0, 2], [1, 1, 4]]),
    (Quantile(), [[0.3], [-1.2], [2.5]]),
)
"""Losses to check, each with labels for outputs (3, 3)."""


@dataclass(frozen=True)
class Gradient:
    """The element of one array whose gradient is furthest from the finite difference.

    array     the array's name, "x" for the input
    index     the element's index in the flattened array
    backward  its gradient by backward
    numeric   its gradient by central differences
    error     their difference, divided by the array's largest gradient
    """

    array: str
    index: int
    backward: float
    numeric: float
    error: float

    def line(self, tolerance: float) -> str:
        """The error and its index, followed by "right" or "WRONG" and both gradients."""
        right = self.error <= tolerance
        verdict = "right" if right else f"WRONG: backward {self.backward:g}, numeric {self.numeric:g}"
        return f"{self.error:8.1e} at {self.array}[{self.index}]  {verdict}"


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """The result of `gradcheck`: the worst element of each array, worst first. Its repr has a line for each."""

    arrays: tuple[Gradient, ...]
    tolerance: float
    name: str = ""

    def __repr__(self) -> str:
        lines = [array.line(self.tolerance) for array in self.arrays]
        return "\n".join([self.name, *lines] if self.name else lines)

    @property
    def worst(self) -> Gradient:
        """The worst element of all."""
        return self.arrays[0]

    @property
    def passed(self) -> bool:
        """Whether every error is within the tolerance."""
        return all(array.error <= self.tolerance for array in self.arrays)


@explained
def gradcheck(
    target: Layer | LossFunction,
    x: Any,
    *,
    labels: Any = None,
    loss: LossFunction | None = None,
    params: Params | None = None,
    backend: Backend | str = "numpy",
    seed: int = 0,
    elements: int = 100,
    step: float = 1e-5,
    tolerance: float = 1e-6,
) -> GradientCheck:
    """Return a comparison of a layer's, a loss's or a model's gradients with central differences, in float64.

        numeric_i = (f(v + h e_i) - f(v - h e_i)) / 2h        f = sum(forward(x) * r), r random, or the loss

    target     a layer, whose input and trainable arrays are checked, or a loss (give `labels`)
    x          the layer's input (N, ...), or the outputs (N, K) that the loss takes
    labels     as `fit` takes them for this loss
    loss       with `labels`: check a model's gradient of this loss
    params     the layer's arrays; by default drawn from `seed` and moved off zero
    backend    a Backend or its name
    seed       of params and r
    elements   the number of elements of each array to check; all of them in smaller arrays
    step       h; 1e-5 is near the cube root of float64's precision, where truncation and rounding balance
    tolerance  the largest error, relative to the array's largest gradient, that passes

    A layer with noise is checked with one key, so that its noise is constant. At a kink, such as ReLU at 0, finite
    differences are wrong: choose another x. Raises ModelError if x does not fit the layer, DataError if the labels do
    not fit the loss, ConfigError for a loss with an unknown task, and BackendError if the backend cannot run.
    """
    on = backend if isinstance(backend, Backend) else choose(backend)
    rng = generator(seed, WEIGHTS)
    with on.session("float64"):
        x = on.put(x, "float64")
        if labels is not None:
            rows, *_, outputs = _output_shape(target, x) if isinstance(target, Layer) else x.shape
            host_labels = task_of(loss or target).labels(np.asarray(labels), rows, outputs)
            labels = on.put(host_labels, host_labels.dtype.name)
        if not isinstance(target, Layer):
            weights = on.put(rng.uniform(0.5, 1.5, x.shape[0]), "float64")
            value, slope = lambda moved: target(moved, labels, weights)[0], target(x, labels, weights)[1]
            gradients = [_compare("x", x, slope, value, on, elements, step)]
        else:
            if params is None:
                params = {}
                for path, array in tree_items(target.init(rng, tuple(x.shape[1:]))):
                    initial: Any = array
                    tree_set(params, path, initial + rng.uniform(0.1, 0.5, initial.shape))
            arrays: Params = {}
            for path, array in tree_items(params):
                tree_set(arrays, path, on.put(array, "float64"))
            upstream = on.put(rng.uniform(-1.0, 1.0, _output_shape(target, x)), "float64")
            gradients = list(_layer_gradients(target, arrays, x, upstream, labels, loss, on, elements, step))
    gradients.sort(key=lambda gradient: -math.inf if math.isnan(gradient.error) else -gradient.error)
    return GradientCheck(tuple(gradients), tolerance, repr(target))


def _output_shape(layer: Layer, x: Array) -> tuple[int, ...]:
    if not isinstance(layer, Layer):
        raise ModelError(f"gradcheck takes a layer or a loss, got {layer!r}.")
    return (x.shape[0], *layer.output_shape(tuple(x.shape[1:])))


def _layer_gradients(
    layer: Layer,
    params: Params,
    x: Array,
    upstream: Array,
    labels: Any,
    loss: LossFunction | None,
    backend: Backend,
    elements: int,
    step: float,
) -> Iterator[Gradient]:
    xp, key = namespace(x), Key(1)

    def value(params: Params, x: Array) -> tuple[Array, Array, Any]:
        y, cache = layer.forward(params, x, train=True, key=key)
        if loss is None:
            return xp.sum(y * upstream), upstream, cache
        weights = xp.full((x.shape[0],), 1.0 / x.shape[0], dtype=x.dtype, device=device(x))
        return *loss(y, labels, weights), cache

    _, dy, cache = value(params, x)
    dx, grads = layer.backward(params, cache, dy)
    if dx is not None:
        yield _compare("x", x, dx, lambda moved: value(params, moved)[0], backend, elements, step)
    for path, _, _ in Layout.of(layer, params).places:

        def moved_value(moved: Array, path: tuple[str, ...] = path) -> Array:
            changed: Params = {}
            for name, array in tree_items(params):
                tree_set(changed, name, moved if name == path else array)
            return value(changed, x)[0]

        yield _compare(
            ".".join(path), tree_get(params, path), tree_get(grads, path), moved_value, backend, elements, step
        )


def _compare(
    name: str, at: Array, gradient: Array, value: Callable[[Array], Array], backend: Backend, elements: int, step: float
) -> Gradient:
    """The element of `gradient` that is furthest from the central difference of `value`."""
    xp = namespace(at)
    if gradient.shape != at.shape:
        raise ModelError(f"the gradient of {name} has shape {gradient.shape}, the array {at.shape}.")

    def read(number: Array) -> float:
        return float(backend.to_numpy(number))

    size = math.prod(at.shape)
    scale = max(read(xp.max(xp.abs(gradient))), 1e-12)
    indices = xp.reshape(xp.arange(size, dtype=xp.int32, device=device(at)), at.shape)
    worst = Gradient(name, 0, 0.0, 0.0, 0.0)
    for index in range(0, size, max(1, size // elements)):
        mask = xp.astype(indices == index, at.dtype)
        numeric = (value(at + mask * step) - value(at - mask * step)) / (2.0 * step)
        backward = xp.sum(gradient * mask)
        error = abs(read(numeric - backward)) / scale  # subtracted on the device, at its precision
        if not error <= worst.error:  # true for NaN too
            worst = Gradient(name, index, read(backward), read(numeric), error)
    return worst
