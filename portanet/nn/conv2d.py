"""The convolution of images: small filters applied at every position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.folding import ScaledWeight
from portanet.nn.images import batch_first, batch_last, image, pad, side
from portanet.nn.initializers import Initializer, he_uniform, zeros
from portanet.nn.layer import Layer
from portanet.xp import cast, device, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Conv2D(Layer):
    """Every output is a weighted sum of a square patch of the input, plus a bias; all positions share the weights.

        y[n, f, i, j] = b[f] + sum_{c, u, v} x[n, c, i s + u - p, j s + v - p] W[f, c, u, v]

        x (N, C, H, W)   W (filters, C, k, k)   b (filters,)   y (N, filters, H', W'),  H' = (H + 2p - k) // s + 1

    filters      the number of output channels
    kernel_size  k: height and width of a patch, in pixels
    stride       s: pixels between patches, in both directions
    padding      p: zeros on each side, a number below kernel_size; "valid" is 0, "same" keeps the height and width at
                 stride 1 (an even kernel gets the odd row and column after the image)
    initializer  draws the first weights, for fan_in C k k; biases start at 0

    A cross-correlation, as in other libraries: LeCun et al. 1998, "Gradient-Based Learning Applied to Document
    Recognition". Raises ModelError for impossible settings, inputs that are not images, and images smaller than the
    kernel.
    """

    filters: int
    kernel_size: int
    _: KW_ONLY
    stride: int = 1
    padding: Literal["valid", "same"] | int = "valid"
    initializer: Initializer = he_uniform

    trainable_names: ClassVar[tuple[str, ...]] = ("weight", "bias")
    decayed: ClassVar[tuple[str, ...]] = ("weight",)

    def __post_init__(self) -> None:
        for name in ("kernel_size", "stride", "padding"):
            object.__setattr__(self, name, side(getattr(self, name)))
        for name in ("filters", "kernel_size", "stride"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                square = ", one number for a square" if isinstance(getattr(self, name), tuple) else ""
                raise ModelError(f"Conv2D needs {name} of at least 1{square}, got {getattr(self, name)!r}.")
        number = self.padding if isinstance(self.padding, int) else 0
        if self.padding not in ("valid", "same") and not (number is self.padding and 0 <= number < self.kernel_size):
            raise ModelError(f"Conv2D takes padding 'valid', 'same' or 0 to kernel_size - 1, got {self.padding!r}.")

    @property
    def takes_images(self) -> bool:
        return True

    @property
    def padding_sides(self) -> tuple[int, int]:
        """The rows of padding above and below; the same for columns."""
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
        sizes = [size + sum(self.padding_sides) - self.kernel_size for size in image(self, input_shape)[1:]]
        if min(sizes) < 0:
            raise ModelError(f"Conv2D's kernel of {self.kernel_size} is larger than the image {input_shape[1:]}.")
        return (self.filters, *(size // self.stride + 1 for size in sizes))

    def macs(self, input_shape: Shape) -> int:
        filters, height, width = self.output_shape(input_shape)
        return filters * height * width * input_shape[0] * self.kernel_size**2

    def scaled(self, factor: float, rows: int) -> tuple[Layer, float] | None:
        return (ScaledWeight(self, factor), 1.0) if type(self) is Conv2D else None

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp, weight, shape = namespace(x), params["weight"], self.output_shape(x.shape[1:])
        padded = batch_last(cast(x, weight.dtype))
        for axis in (1, 2):
            padded = pad(padded, axis, *self.padding_sides)
        patches = _patches(padded, (self.kernel_size, self.kernel_size), shape[1:], self.stride)
        y = xp.matmul(xp.reshape(weight, (self.filters, -1)), patches)
        y += params["bias"][:, None]
        return batch_first(xp.reshape(y, (*shape, x.shape[0]))), (patches, x.shape)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, weight, (patches, x_shape) = namespace(dy), params["weight"], cache
        dy = batch_last(dy)
        flat = xp.reshape(dy, (self.filters, -1))
        dweight = xp.matmul(patches, xp.permute_dims(flat, (1, 0)))  # faster than flat @ patches.T
        grads = {"weight": xp.reshape(xp.permute_dims(dweight, (1, 0)), weight.shape), "bias": xp.sum(flat, axis=1)}
        return (self._dx(weight, dy, x_shape) if need_dx else None), grads

    def _dx(self, weight: Array, dy: Array, x_shape: Shape) -> Array:
        """The gradient for x: each value of dy contributes to the patch that its output was computed from.

            row[c, u, i, w] = sum_{f, v} W[f, c, u, v] dy[f, i, (w + p - v) / s]
            dx[c, h, w] = sum_u row[c, u, (h + p - u) / s, w]        out-of-range indices contribute 0

        The width is gathered before the product, and the height summed after it. Gathering both would make the product
        larger, summing both the sum.
        """
        xp, k, (before, _), (n, channels, height, width) = namespace(dy), self.kernel_size, self.padding_sides, x_shape
        dy = pad(_spread(dy, 2, self.stride), 2, k - 1 - before, k - 1)
        patches = _patches(dy, (1, k), (dy.shape[1], width), 1)
        turned = xp.permute_dims(xp.flip(weight, axis=3), (1, 2, 0, 3))
        row = xp.matmul(xp.reshape(turned, (channels * k, -1)), patches)
        row = _spread(xp.reshape(row, (channels, k, dy.shape[1], width * n)), 2, self.stride)
        dx = _add_shifted(row)[:, before : before + height, :]
        return batch_first(xp.reshape(dx, (channels, height, width, n)))

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [
            (cls(2, 3), (2, 5, 4)),
            (cls(2, 2, stride=2, padding=1), (2, 4, 6)),
            (cls(3, 4, stride=3, padding="same"), (1, 6, 7)),
        ]


def _patches(x: Array, size: Shape, places: Shape, stride: int) -> Array:
    """The patches of `size` (k, l) at each of `places` (H', W'), `stride` apart.

    x (C, H, W, N)   result (C * k * l, H' * W' * N): the convolution is then one matrix product (im2col,
    Chellapilla et al. 2006, "High Performance Convolutional Neural Networks for Document Processing").
    """
    xp, (channels, height, width, n) = namespace(x), x.shape
    pixels = xp.reshape(xp.arange(height * width, dtype=xp.int32, device=device(x)), (height, width))
    window = xp.reshape(pixels[: size[0], : size[1]], (-1, 1))  # pixel offsets from the window's corner
    last = [(count - 1) * stride + 1 for count in places]  # slices must not end beyond the image
    corner = xp.reshape(pixels[: last[0] : stride, : last[1] : stride], (1, -1))
    seen = xp.take(xp.reshape(x, (channels, height * width, n)), xp.reshape(window + corner, (-1,)), axis=1)
    return xp.reshape(seen, (channels * window.shape[0], corner.shape[1] * n))


def _spread(x: Array, axis: int, stride: int) -> Array:
    """`x` with stride - 1 zeros after each position along an axis."""
    xp, shape = namespace(x), x.shape
    apart = pad(xp.expand_dims(x, axis=axis + 1), axis + 1, 0, stride - 1)
    return xp.reshape(apart, (*shape[:axis], shape[axis] * stride, *shape[axis + 1 :]))


def _add_shifted(x: Array) -> Array:
    """The sum of the k rows of each channel, with row u shifted by u positions.

        y[c, t] = sum_u x[c, u, t - u]        x (C, k, L, R)   y (C, L + k - 1, R)

    Rows are padded with zeros to length L + k and then read with length L + k - 1, which shifts each by one more.
    """
    xp, (channels, k, length, rest) = namespace(x), x.shape
    total = length + k - 1
    line = xp.reshape(pad(x, 2, 0, k), (channels, k * (length + k), rest))
    return xp.sum(xp.reshape(line[:, : k * total, :], (channels, k, total, rest)), axis=1)
