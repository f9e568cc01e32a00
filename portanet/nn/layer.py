"""The contract of every layer: hyper-parameters in fields, arrays passed in, nothing remembered between calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._settings import written
from portanet._typing import Array, Cache, Params, Shape

if TYPE_CHECKING:
    from portanet.rng import Generator


class Layer:
    """A frozen dataclass of hyper-parameters with pure methods; its arrays live in a dict called `params`.

    A layer without arrays overrides `forward` and `backward`, and `output_shape` if it changes the shape.
    One with arrays also says which names are `trained`, and which of those weight decay applies to
    (`decayed`); its other arrays are buffers, which gradient descent leaves alone.

    The methods do the same in every step: a step is compiled or recorded and then repeated, so what differs from step
    to step, random numbers too, comes from the arguments (`key`, see noise.py), and not from Python's own state.
    """

    trainable_names: ClassVar[tuple[str, ...]] = ()
    decayed: ClassVar[tuple[str, ...]] = ()

    @property
    def rowwise(self) -> bool:
        """Whether each row of a batch is computed on its own, so that a batch may be cut into shards."""
        return True

    @property
    def needs_fit(self) -> bool:
        """Whether `fit` takes arrays from the training data; True for preprocessing."""
        return False

    @property
    def is_trainable(self) -> bool:
        """Whether there are trained arrays, here or in a child."""
        return bool(self.trainable_names)

    @property
    def children(self) -> Mapping[str, Layer]:
        """The layers inside this one, by name; empty for all but containers."""
        return {}

    def __repr__(self) -> str:
        """The layer as one would write it, without the settings that are as always."""
        return written(self)

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        """The first values of the layer's arrays, on the host. `input_shape` has no batch axis.

        Raises ModelError where the layer cannot take this shape.
        """
        self.output_shape(input_shape)
        return {}

    def fit(self, params: Params, x: Array) -> Params:
        """`params` with what preprocessing takes from the training rows `x`: once, on the host."""
        return params

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of one row of the output; raises ModelError for a shape that the layer cannot take."""
        return input_shape

    def check(self, x: Array) -> None:
        """Raises DataError for values in `x` (N, ...) that the layer cannot take; a container asks its first child.

        Asked once before training and for each prediction, outside of steps, so it may read values.
        """
        for child in list(self.children.values())[:1]:
            child.check(x)

    def macs(self, input_shape: Shape) -> int:
        """Multiplications with an addition that one row's forward pass takes, in products of matrices."""
        return 0

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        """The output for a batch `x` (N, ...), and what `backward` will need."""
        raise NotImplementedError(f"{type(self).__name__} needs a forward method")

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        """From the loss's gradient for the output, those for the input and for the trained arrays.

        Without `need_dx` the first may be None, which saves its work.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a backward method")

    def next_buffers(self, params: Params, cache: Cache) -> Params:
        """The buffers after a training step; only a layer that keeps running statistics has any to return."""
        return {}
