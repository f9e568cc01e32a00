"""The contract of every layer: hyper-parameters in fields, arrays passed in, nothing remembered between calls."""

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
    One with arrays also overrides `init`, and names those that are trained (`trainable_names`) and those of them that
    weight decay applies to (`decayed`); its other arrays are buffers, which gradient descent leaves alone.

    A container is a layer with fields that hold layers, its children. `params[name]` holds the arrays of a child. Its
    `forward` gives child number i the key `key.child(i)`, and its cache is a dict that holds each child's cache by
    name. The other methods have defaults for it, which assume that every child is given the container's own input, as
    branches are; Sequential overrides them for children in a row.

    The methods do the same in every step: a step is compiled or traced and then repeated, so what differs from step
    to step, random numbers too, comes from the arguments (`key`, see noise.py), and not from Python's own state.
    """

    trainable_names: ClassVar[tuple[str, ...]] = ()
    decayed: ClassVar[tuple[str, ...]] = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(_peers.attribute("Layer", name).replace("Layer", type(self).__name__, 1), name=name)

    def __repr__(self) -> str:
        """The layer as one would write it, without the settings that are as always."""
        return short_repr(self)

    # Arrays and shapes

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        """The first values of the layer's arrays, on the host. `input_shape` has no batch axis.

        A container with arrays of its own adds them to those of its children: `{...} | super().init(rng, input_shape)`.
        Raises ModelError where the layer cannot take this shape.
        """
        self.output_shape(input_shape)
        children = ((name, child.init(rng, shape)) for name, child, shape in self.children_with_shapes(input_shape))
        return {name: arrays for name, arrays in children if arrays}

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of one row of the output; raises ModelError for a shape that the layer cannot take."""
        return input_shape

    def macs(self, input_shape: Shape) -> int:
        """Multiply-accumulates of one row's forward pass, counted in products of matrices."""
        return sum(child.macs(shape) for _, child, shape in self.children_with_shapes(input_shape))

    # The passes

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        """The output for a batch `x` (N, ...), and what `backward` will need."""
        raise NotImplementedError(f"{type(self).__name__} needs a forward method")

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        """From the loss's gradient for the output, those for the input and for the trained arrays.

        Without `need_dx` the first may be None, which saves its work.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a backward method")

    def next_buffers(self, params: Params, cache: Cache) -> Params:
        """The buffers after a training step; only a layer that keeps running statistics has any to return.

        They follow from the whole batch, so a layer that overrides this is not `rowwise`.
        """
        caches = _caches_by_name(self, cache)
        buffers = ((name, self.children[name].next_buffers(params.get(name, {}), caches[name])) for name in caches)
        return {name: arrays for name, arrays in buffers if arrays}

    # The data

    @property
    def needs_fit(self) -> bool:
        """Whether `fit` takes arrays from the training data; True for preprocessing."""
        return any(child.needs_fit for child in self.children.values())

    @prepares
    def fit(self, params: Params, blocks: Iterable[Array]) -> Params:
        """`params` with what preprocessing takes from the training rows: once, on the host.

        `blocks` are the rows in order, a few thousand at a time; they may be walked more than once.
        """
        fitted = {name: child.fit(params[name], blocks) for name, child in self.children.items() if child.needs_fit}
        return params | fitted if fitted else params

    def check(self, x: Array) -> None:
        """Raises DataError for values in `x` (N, ...) that the layer cannot take.

        Asked once before training and for each prediction, outside of steps, so it may read values.
        """
        for child in self.children.values():
            child.check(x)

    # What others ask before they compute

    @property
    def rowwise(self) -> bool:
        """Whether each row of a batch is computed on its own, so that a batch may be cut into shards."""
        return not self._keeps_buffers and all(child.rowwise for child in self.children.values())

    @property
    def _keeps_buffers(self) -> bool:
        """Whether its class has a next_buffers of its own, which more than calls those of its children."""
        return type(self).next_buffers is not Layer.next_buffers

    @property
    def is_trainable(self) -> bool:
        """Whether there are trained arrays, here or in a child."""
        return bool(self.trainable_names) or any(child.is_trainable for child in self.children.values())

    @property
    def learns_unit(self) -> bool:
        """Whether weights of its own decide the unit of its outputs, so that any unit of targets is as good.

        A regression model that ends in such a layer learns standardised targets, one that ends in another, such as
        Softplus or Rescale, targets in their own unit.
        """
        return self.is_trainable

    @property
    def output_range(self) -> tuple[float, float]:
        """The least and the greatest output that there can be: none, but for a function such as Sigmoid."""
        return -math.inf, math.inf

    @property
    def takes_images(self) -> bool | None:
        """Whether it reads its input as (channels, height, width); None where another order would do as well."""
        answers = (child.takes_images for child in self.children.values())
        return next((answer for answer in answers if answer is not None), None)

    @property
    def keeps_values(self) -> bool:
        """Whether its output in prediction holds the values of its input, so that those behind it can be checked."""
        return False

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers in training, which change there what it keeps in prediction."""
        return any(child.is_random for child in self.children.values())

    @property
    def reads_ids(self) -> bool:
        """Whether it reads the rows' own whole numbers, as Embedding does: no layer before it may change them."""
        return any(child.reads_ids for child in self.children.values())

    @property
    def accepts_uint8(self) -> bool | None:
        """Whether it casts bytes to the dtype of its arrays before it computes; None where it hands them on as bytes.

        Any other layer would compute in bytes, which wrap around.
        """
        children = self.children.values()
        return all(child.accepts_uint8 for child in children) if children else bool(self.trainable_names)

    @property
    def accepts_missing(self) -> bool | None:
        """Whether it takes rows with NaN for missing values, and gives finite ones; None where it hands them on."""
        children = self.children.values()
        return bool(children) and all(child.accepts_missing for child in children)

    def scaled(self, factor: float, rows: int) -> tuple[Layer, float] | None:
        """A layer of the same arrays and a number, with self(x * factor) = layer(x) * number; None without them.

        For batches of `rows` rows: None, too, where the layer would take more work than to multiply its input.
        """
        return None

    # Layers inside

    @property
    def children(self) -> Mapping[str, Layer]:
        """The layers inside this one, by name: those that its fields hold."""
        return _layers_in_fields(self)

    def children_with_shapes(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Each child with its name and the shape of one row of its input, in the order of `children`."""
        for name, child in self.children.items():
            yield name, child, input_shape

    def with_children(self, children: Mapping[str, Layer]) -> Self:
        """The same layer with these in place of its children of the same names."""
        if children.keys() - _layers_in_fields(self).keys():
            raise NotImplementedError(f"{type(self).__name__} needs a with_children method")
        own: Any = self
        return dataclasses.replace(own, **children)

    @property
    def is_chain(self) -> bool:
        """Whether it is nothing but its children, each given the output of the one before."""
        return False

    def freeze(self, *names: str) -> Self:
        """The same container with these children frozen: `model.freeze("0", "1")`; their arrays keep their names.

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
        """The same layer with every frozen layer inside able to learn again."""
        pairs = ((name, child, child.unfrozen()) for name, child in self.children.items())
        changed = {name: unfrozen for name, child, unfrozen in pairs if unfrozen is not child}
        return self.with_children(changed) if changed else self

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        """Layers of this class with the shape of a row, to check their gradients on standard normal rows."""
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
