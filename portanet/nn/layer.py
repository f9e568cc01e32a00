"""The contract of every layer: hyper-parameters in fields, arrays passed in, no state between calls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from portanet import _peers
from portanet._calls import prepares
from portanet._settings import short_repr
from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError

if TYPE_CHECKING:
    from portanet.rng import Generator


class Layer:
    """A frozen dataclass of hyper-parameters with pure methods; its arrays live in a dict called `params`.

    A layer without arrays overrides `forward` and `backward`, and `output_shape` if it changes the shape.
    A layer with arrays also overrides `init`, and names the trained arrays (`trainable_names`) and those of them that
    weight decay applies to (`decayed`). Its other arrays are buffers, which gradient descent does not change.

    A container is a layer with fields that hold layers, its children. `params[name]` holds the arrays of a child. Its
    `forward` gives child number i the key `key.child(i)`, and its cache is a dict that holds each child's cache by
    name. The default methods assume that every child takes the container's input, as parallel branches do; Sequential
    overrides them for children in sequence.

    The methods must do the same in every step, because a step is compiled or traced and then replayed: whatever differs
    between steps, such as random numbers, must come from the arguments (`key`, see noise.py), not from Python state.
    """

    trainable_names: ClassVar[tuple[str, ...]] = ()
    decayed: ClassVar[tuple[str, ...]] = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(_peers.attribute("Layer", name).replace("Layer", type(self).__name__, 1), name=name)

    def __repr__(self) -> str:
        """The constructor-style repr without default values."""
        return short_repr(self)

    # Arrays and shapes

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        """The initial values of the layer's arrays, on the host.

        rng          the random generator to draw from
        input_shape  the shape of one row, without the batch axis

        A container with arrays besides its children's returns `{...} | super().init(rng, input_shape)`.
        Raises ModelError if the layer cannot take this shape.
        """
        self.output_shape(input_shape)
        children = ((name, child.init(rng, shape)) for name, child, shape in self.children_with_shapes(input_shape))
        return {name: arrays for name, arrays in children if arrays}

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of one row of the output.

        input_shape  the shape of one row of the input

        Raises ModelError for a shape that the layer cannot take.
        """
        return input_shape

    def macs(self, input_shape: Shape) -> int:
        """The multiply-accumulates (MACs) of one row's forward pass, counted in matrix products.

        input_shape  the shape of one row of the input
        """
        return sum(child.macs(shape) for _, child, shape in self.children_with_shapes(input_shape))

    # The passes

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        """The output for a batch, and the cache that `backward` needs.

        params  the layer's arrays, as `init` names them
        x       (N, ...) the batch
        train   whether this is a training step: dropout drops, batch norm uses the batch
        key     the noise key of this batch, such as `noise.Key(0)`; needed by layers that draw random numbers
        """
        raise NotImplementedError(f"{type(self).__name__} needs a forward method")

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        """Return the gradient of the loss for the input (N, ...), and the gradients for the trained arrays by name.

        params   the arrays that were passed to `forward`
        cache    the cache that `forward` returned
        dy       the gradient of the loss for the output, in its shape
        need_dx  whether the gradient for the input is needed; if not, it may be None, which saves work
        """
        raise NotImplementedError(f"{type(self).__name__} needs a backward method")

    def next_buffers(self, params: Params, cache: Cache) -> Params:
        """The buffers after a training step; only a layer with running statistics has any to return.

        params  the layer's arrays before the step
        cache   the cache that `forward` returned

        They depend on the full batch, so a layer that overrides this is not `rowwise`.
        """
        caches = _caches_by_name(self, cache)
        buffers = ((name, self.children[name].next_buffers(params.get(name, {}), caches[name])) for name in caches)
        return {name: arrays for name, arrays in buffers if arrays}

    # The data

    @property
    def needs_fit(self) -> bool:
        """Whether `fit` computes arrays from the training data; True for preprocessing."""
        return any(child.needs_fit for child in self.children.values())

    @prepares
    def fit(self, params: Params, blocks: Iterable[Array]) -> Params:
        """Return `params` with the arrays that preprocessing computes from the training rows, once, on the host.

        params  the layer's arrays from `init`
        blocks  the rows in order, a few thousand at a time; can be iterated several times
        """
        fitted = {name: child.fit(params[name], blocks) for name, child in self.children.items() if child.needs_fit}
        return params | fitted if fitted else params

    def check(self, x: Array) -> None:
        """Raise DataError for values that the layer cannot take.

        x  (N, ...) rows

        Called once before training and for each prediction, outside of steps, so it may read values.
        """
        for child in self.children.values():
            child.check(x)

    # Properties that decide how a model is computed

    @property
    def rowwise(self) -> bool:
        """Whether each row of a batch is computed independently, so that a batch may be cut into shards."""
        return not self._keeps_buffers and all(child.rowwise for child in self.children.values())

    @property
    def _keeps_buffers(self) -> bool:
        """Whether the class overrides next_buffers with more than calls of its children's."""
        return type(self).next_buffers is not Layer.next_buffers

    @property
    def is_trainable(self) -> bool:
        """Whether there are trained arrays, here or in a child."""
        return bool(self.trainable_names) or any(child.is_trainable for child in self.children.values())

    @property
    def learns_unit(self) -> bool:
        """Whether trained weights decide the scale of the outputs, so that targets may be in any unit.

        A regression model that ends in such a layer is trained on standardised targets; one that ends in another layer,
        such as Softplus or Rescale, on targets in their own unit.
        """
        return self.is_trainable

    @property
    def output_range(self) -> tuple[float, float]:
        """The bounds of the outputs: infinite, except for functions such as Sigmoid."""
        return -math.inf, math.inf

    @property
    def takes_images(self) -> bool | None:
        """Whether it reads its input as (channels, height, width); None if the order does not matter."""
        answers = (child.takes_images for child in self.children.values())
        return next((answer for answer in answers if answer is not None), None)

    @property
    def keeps_values(self) -> bool:
        """Whether its output in prediction has the same values as its input, so that later layers can check them."""
        return False

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers in training, and so changes values that it leaves alone in prediction."""
        return any(child.is_random for child in self.children.values())

    @property
    def reads_ids(self) -> bool:
        """Whether it reads the rows' integer ids, as Embedding does, so that no layer before may change them."""
        return any(child.reads_ids for child in self.children.values())

    @property
    def accepts_uint8(self) -> bool | None:
        """Whether it casts uint8 to the dtype of its arrays before it computes; None if it passes uint8 on.

        All other layers would compute in uint8, which wraps around.
        """
        children = self.children.values()
        return all(child.accepts_uint8 for child in children) if children else bool(self.trainable_names)

    @property
    def accepts_missing(self) -> bool | None:
        """Whether it takes rows with NaN for missing values and returns finite ones; None if it passes NaN on."""
        children = self.children.values()
        return bool(children) and all(child.accepts_missing for child in children)

    def scaled(self, factor: float, rows: int) -> tuple[Layer, float] | None:
        """A layer with the same arrays, and a number, with self(x * factor) = layer(x) * number; None if impossible.

        factor  the factor of the input
        rows    rows in a batch; the result is also None if folding the factor is slower than multiplying the input
        """
        return None

    # Children

    @property
    def children(self) -> Mapping[str, Layer]:
        """The layers in this layer's fields, by name."""
        return _layers_in_fields(self)

    def children_with_shapes(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Return the children in order, each with its name and the shape of one row of its input.

        input_shape  the shape of one row of the container's input
        """
        for name, child in self.children.items():
            yield name, child, input_shape

    def with_children(self, children: Mapping[str, Layer]) -> Self:
        """The same layer with other children.

        children  the new children by name; the others stay
        """
        if children.keys() - _layers_in_fields(self).keys():
            raise NotImplementedError(f"{type(self).__name__} needs a with_children method")
        layer: Any = self
        return dataclasses.replace(layer, **children)

    @property
    def is_chain(self) -> bool:
        """Whether it does nothing but pass each child's output to the next child."""
        return False

    def freeze(self, *names: str) -> Self:
        """The same container with some children frozen: `model.freeze("0", "1")`.

        names  the children to freeze; their arrays keep their names

        Raises ModelError for a name that no child has.
        """
        from portanet.nn.frozen import Frozen

        children = self.children
        if unknown := [name for name in names if name not in children]:
            there = ", ".join(map(repr, children)) or "none"
            raise ModelError(f"{type(self).__name__} has no child {unknown[0]!r} to freeze; there is {there}.")
        frozen = {name: Frozen(children[name]) for name in names if not isinstance(children[name], Frozen)}
        return self.with_children(frozen) if frozen else self

    def unfrozen(self) -> Layer:
        """The same layer with every frozen layer inside trainable again."""
        pairs = ((name, child, child.unfrozen()) for name, child in self.children.items())
        changed = {name: unfrozen for name, child, unfrozen in pairs if unfrozen is not child}
        return self.with_children(changed) if changed else self

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        """Return layers of this class with the shape of a row, for gradient checks on standard normal rows."""
        return [(cls(), (7,))]


def _caches_by_name(layer: Layer, cache: Cache) -> dict[str, Cache]:
    """The cache of each child."""
    names = layer.children.keys()
    if names and not (isinstance(cache, dict) and names <= cache.keys()):
        missing = "a next_buffers method, or a cache that is a dict with the cache of each child by name"
        raise NotImplementedError(f"{type(layer).__name__} needs {missing}")
    return {name: cache[name] for name in names}


def _layers_in_fields(layer: Layer) -> dict[str, Layer]:
    fields: Any = dataclasses.fields(layer) if dataclasses.is_dataclass(layer) else ()
    values = {field.name: getattr(layer, field.name) for field in fields}
    return {name: value for name, value in values.items() if isinstance(value, Layer)}
