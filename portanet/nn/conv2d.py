"""The convolution of images: small filters that look at every place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.namespace import cast, device, namespace
from portanet.nn.initializers import Initializer, he_uniform, zeros
from portanet.nn.layer import Layer

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Conv2D(Layer):
    """Every output is a weighted sum of a square patch of the input, plus a bias; all places share the weights.

        y[n, f, i, j] = b[f] + sum_{c, u, v} x[n, c, i s + u - p, j s + v - p] W[f, c, u, v]

        x (N, C, H, W)   W (filters, C, k, k)   b (filters,)   y (N, filters, H', W'),  H' = (H + 2p - k) // s + 1

    padding p: "valid" is 0, "same" keeps the height and width at stride 1 (an even kernel gets the odd row and
    column after), a number gives both sides. It is a correlation, as everywhere in the field (LeCun et al. 1998).
    Raises ModelError for what is not an image, and for one that is smaller than the kernel.
    """

    filters: int
    kernel_size: int
    stride: int = 1
    padding: Literal["valid", "same"] | int = "valid"
    initializer: Initializer = he_uniform

    trained: ClassVar[tuple[str, ...]] = ("weight", "bias")
    decayed: ClassVar[tuple[str, ...]] = ("weight",)

    def __post_init__(self) -> None:
        for name in ("filters", "kernel_size", "stride"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ModelError(f"Conv2D needs {name} of at least 1, got {getattr(self, name)!r}.")
        number = self.padding if isinstance(self.padding, int) else 0
        if self.padding not in ("valid", "same") and not (number is self.padding and 0 <= number < self.kernel_size):
            raise ModelError(f"Conv2D takes padding 'valid', 'same' or 0 to kernel_size - 1, got {self.padding!r}.")

    @property
    def _sides(self) -> tuple[int, int]:
        """The rows of padding before and after; the columns are the same."""
        if self.padding == "same":
            return (self.kernel_size - 1) // 2, self.kernel_size // 2
        return (0, 0) if self.padding == "valid" else (int(self.padding), int(self.padding))

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        self.output_shape(input_shape)
        area = self.kernel_size**2
        shape = (self.filters, input_shape[0], self.kernel_size, self.kernel_size)
        fan_in, fan_out = input_shape[0] * area, self.filters * area
        return {
            "weight": self.initializer(rng, shape, fan_in, fan_out),
            "bias": zeros(rng, (self.filters,), fan_in, fan_out),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ModelError(f"Conv2D needs images (channels, height, width), got shape {input_shape}.")
        sizes = [size + sum(self._sides) - self.kernel_size for size in input_shape[1:]]
        if min(sizes) < 0:
            raise ModelError(f"Conv2D's kernel of {self.kernel_size} is larger than the image {input_shape[1:]}.")
        return (self.filters, *(size // self.stride + 1 for size in sizes))

    def arithmetic(self, input_shape: Shape) -> int:
        filters, height, width = self.output_shape(input_shape)
        return filters * height * width * input_shape[0] * self.kernel_size**2

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp, weight = namespace(x), params["weight"]
        x = cast(x, weight.dtype)
        filters, height, width = shape = self.output_shape(x.shape[1:])
        patches = _gather(x, *(self._sources(x, length) for length in (height, width)), outside=any(self._sides))
        y = xp.reshape(weight, (filters, -1)) @ patches + params["bias"][:, None]
        return xp.reshape(y, (x.shape[0], *shape)), (patches, x.shape)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, weight, (patches, x_shape) = namespace(dy), params["weight"], cache
        flat = xp.reshape(dy, (dy.shape[0], self.filters, -1))
        dweight = xp.sum(flat @ xp.permute_dims(patches, (0, 2, 1)), axis=0)
        grads = {"weight": xp.reshape(dweight, weight.shape), "bias": xp.sum(dy, axis=(0, 2, 3))}
        if not need_dx:
            return None, grads
        readers = _gather(dy, *(self._readers(dy, length) for length in x_shape[2:]), outside=True)
        channels_first = xp.reshape(xp.permute_dims(weight, (1, 0, 2, 3)), (x_shape[1], -1))
        return xp.reshape(channels_first @ readers, x_shape), grads

    def _sources(self, like: Array, length: int) -> Array:
        """(k, length) int32: which row of x each row of the filter meets at each row of y."""
        offset, place = self._grid(like, length)
        return place * self.stride + offset - self._sides[0]

    def _readers(self, like: Array, length: int) -> Array:
        """(k, length) int32: which row of y meets each row of x by each row of the filter; -1 for none."""
        xp = namespace(like)
        offset, place = self._grid(like, length)
        reach = place - offset + self._sides[0]
        return xp.where(reach % self.stride == 0, reach // self.stride, -1)

    def _grid(self, like: Array, length: int) -> tuple[Array, Array]:
        xp, place = namespace(like), device(like)
        offset = xp.arange(self.kernel_size, dtype=xp.int32, device=place)
        return offset[:, None], xp.arange(length, dtype=xp.int32, device=place)[None, :]


def _gather(x: Array, rows: Array, columns: Array, *, outside: bool) -> Array:
    """For each pair of filter offsets and places the value of the image there, or 0 outside of it, if any is.

    x (N, C, H, W), rows (k, H'), columns (k, W')   result (N, C * k * k, H' * W')
    """
    xp, (n, channels, height, width) = namespace(x), x.shape
    size, places = rows.shape[0], rows.shape[1] * columns.shape[1]
    r, c = rows[:, None, :, None], columns[None, :, None, :]
    index = r * width + c
    flat = xp.reshape(x, (n, channels, height * width))
    if outside:
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        found = xp.take(flat, xp.reshape(xp.where(inside, index, 0), (-1,)), axis=2)
        found = xp.where(xp.reshape(inside, (-1,)), found, 0.0)
    else:
        found = xp.take(flat, xp.reshape(index, (-1,)), axis=2)
    return xp.reshape(found, (n, channels * size * size, places))
