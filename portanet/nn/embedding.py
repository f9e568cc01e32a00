"""Embedding: integer ids to learned vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import DataError, ModelError
from portanet.nn.initializers import Initializer, lecun_normal
from portanet.nn.layer import Layer
from portanet.xp import cast, device, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """Maps each integer id to its row of the weights.

        y[n, t] = W[x[n, t]]        x (N, T), 0 to vocabulary - 1   W (vocabulary, features)   y (N, T, features)

    vocabulary   the number of ids
    features     the length of each id's vector
    initializer  draws the first weights for fan_in 1, since each output is a single weight; lecun_normal, the default,
                 gives standard normal values, as in PyTorch

    Weight decay does not apply to the weights, since it would shrink the rows of ids that are absent from a batch. The
    gradient for W is a product with a one-hot matrix (vocabulary, N * T), so this layer is for vocabularies of up to a
    few thousand; the gradient for x is zero, because ids are integers. Bengio et al. 2003, JMLR 3.

    Raises ModelError unless vocabulary and features are at least 1, and for rows that are not flat. `check` raises
    DataError for values that are not ids, if the layers before keep values, as Flatten does, and ModelError if a layer
    before changes them, as Dropout does.
    """

    vocabulary: int
    features: int
    _: KW_ONLY
    initializer: Initializer = lecun_normal

    trainable_names: ClassVar[tuple[str, ...]] = ("weight",)

    def __post_init__(self) -> None:
        for name in ("vocabulary", "features"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"Embedding needs {name} of at least 1, got {value!r}.")

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        *_, features = self.output_shape(input_shape)
        return {"weight": self.initializer(rng, (self.vocabulary, features), 1, features)}

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ModelError(f"Embedding needs rows of T integers, got shape {input_shape}; put Flatten() before.")
        return (*input_shape, self.features)

    def macs(self, input_shape: Shape) -> int:
        return input_shape[0] * self.vocabulary * self.features  # those of the gradient: forward has no product

    @property
    def reads_ids(self) -> bool:
        return True

    def check(self, x: Array) -> None:
        xp, last = namespace(x), self.vocabulary - 1
        if xp.isdtype(x.dtype, ("bool", "unsigned integer")):
            x = xp.astype(x, xp.float32)  # PyTorch has no minimum for most other dtypes
        low, high = float(xp.min(x)), float(xp.max(x))
        if not 0 <= low <= high <= last:
            raise DataError(f"Embedding needs integers from 0 to {last}, got values from {low:g} to {high:g}.")
        if not bool(xp.all(x == xp.floor(x))):
            raise DataError(f"Embedding needs integers from 0 to {last}, got some that are not whole.")

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp = namespace(x)
        picked = xp.reshape(cast(x, xp.int32), (-1,))
        y = xp.take(params["weight"], picked, axis=0)
        return xp.reshape(y, (*x.shape, self.features)), picked

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, picked = namespace(dy), cache
        numbers = xp.arange(self.vocabulary, dtype=xp.int32, device=device(dy))
        one_hot = xp.astype(numbers[:, None] == picked[None, :], dy.dtype)
        grads = {"weight": one_hot @ xp.reshape(dy, (-1, self.features))}
        return (xp.zeros(dy.shape[:-1], dtype=dy.dtype, device=device(dy)) if need_dx else None), grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        from portanet.nn import Rescale, Sequential

        return [(Sequential(Rescale(0.3, 2.5), cls(5, 2)), (4,))]  # maps the draws to 0 to 4
