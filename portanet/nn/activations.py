"""Element-wise activations; each caches the values that its derivative needs.

If the derivative follows from y, y is cached instead of x: the next layer caches it too, so it takes no extra memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params
from portanet.errors import ModelError
from portanet.nn.layer import Layer
from portanet.nn.losses import sigmoid
from portanet.xp import namespace


def _positive(x: Array) -> Array:
    """1 where x > 0, else 0. NumPy multiplies by it much faster than its `where` runs."""
    return namespace(x).astype(x > 0, x.dtype)


@dataclass(frozen=True, repr=False)
class Identity(Layer):
    """Returns its input unchanged.

        y = x        any shape

    uint8 and NaN are passed on too.
    """

    @property
    def keeps_values(self) -> bool:
        return True

    @property
    def accepts_uint8(self) -> bool | None:
        return None

    @property
    def accepts_missing(self) -> bool | None:
        return None

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return x, None

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return dy, {}


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """Negative values become zero.

        y = max(x, 0)        any shape; the derivative at 0 is taken as 0

    Nair and Hinton 2010, ICML.
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return 0.0, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y = namespace(x).maximum(x, 0.0)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y = cache
        return dy * _positive(y), {}


@dataclass(frozen=True, repr=False)
class LeakyReLU(Layer):
    """Negative values are scaled down, so that a unit below zero still learns.

        y = max(x, slope * x)        any shape; the derivative at 0 is taken as slope

    slope  the factor of negative values, from 0 (ReLU) to below 1

    Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
    Raises ModelError unless 0 <= slope < 1.
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.slope < 1:
            raise ModelError(f"LeakyReLU needs 0 <= slope < 1, got {self.slope!r}.")

    @property
    def output_range(self) -> tuple[float, float]:
        return (-math.inf if self.slope else 0.0), math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y = namespace(x).maximum(x, self.slope * x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y = cache
        return dy * namespace(dy).maximum(_positive(y), self.slope), {}


@dataclass(frozen=True, repr=False)
class ELU(Layer):
    """Negative values level off smoothly at -alpha.

        y = x where x > 0, else alpha * (e^x - 1)        any shape; the derivative at 0 is taken as alpha

    alpha  minus the limit of the output for x to minus infinity, and the slope at 0 from below

    Clevert et al. 2015, arXiv:1511.07289. Raises ModelError unless alpha is finite and above 0.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ModelError(f"ELU needs a finite alpha above 0, got {self.alpha!r}.")

    @property
    def output_range(self) -> tuple[float, float]:
        return -self.alpha, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp = namespace(x)
        y = xp.maximum(x, 0.0) + self.alpha * xp.expm1(xp.minimum(x, 0.0))
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y, positive = cache, _positive(cache)
        return dy * (positive + (1.0 - positive) * (y + self.alpha)), {}


_SCALE, _ELU = 1.0507009873554805, ELU(1.6732632423543772)


@dataclass(frozen=True, repr=False)
class SELU(Layer):
    """ELU with the two constants that keep signals near mean 0 and variance 1 from layer to layer.

        y = scale * ELU(x, alpha)        any shape; scale = 1.0507..., alpha = 1.6732...

    Made for weights that start as `lecun_normal` draws. Klambauer et al. 2017, arXiv:1706.02515.
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return -_SCALE * _ELU.alpha, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y, cache = _ELU.forward(params, x)
        return _SCALE * y, cache

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return _ELU.backward(params, cache, _SCALE * dy)


@dataclass(frozen=True, repr=False)
class Sigmoid(Layer):
    """Maps every value to (0, 1), zero to 1/2.

        y = 1 / (1 + e^-x)        any shape

    Rumelhart et al. 1986, Nature 323.
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y = sigmoid(x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y = cache
        return dy * (y * (1.0 - y)), {}


@dataclass(frozen=True, repr=False)
class Tanh(Layer):
    """Maps every value to (-1, 1), zero to zero.

        y = (e^x - e^-x) / (e^x + e^-x)        any shape

    LeCun et al. 1998, "Efficient BackProp".
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return -1.0, 1.0

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y = namespace(x).tanh(x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y = cache
        return dy * (1.0 - y * y), {}


@dataclass(frozen=True, repr=False)
class Softplus(Layer):
    """A smooth ReLU, above zero everywhere.

        y = log(1 + e^x)        any shape; computed as max(x, 0) + log(1 + e^-|x|), which cannot overflow

    Dugas et al. 2001, "Incorporating Second-Order Functional Knowledge for Better Option Pricing".
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return 0.0, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp = namespace(x)
        y = xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y = cache
        return dy * -namespace(dy).expm1(-y), {}


@dataclass(frozen=True, repr=False)
class SiLU(Layer):
    """Every value times its own sigmoid, a gate that is open above zero and shut below; also called swish.

        y = x * gate        gate = 1 / (1 + e^-x)        any shape

    Hendrycks and Gimpel 2016, arXiv:1606.08415; Elfwing et al. 2017, arXiv:1702.03118.
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return -0.2785, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        gate = sigmoid(x)
        y = x * gate
        return y, (y, gate)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y, gate = cache
        return dy * (gate + y * (1.0 - gate)), {}


@dataclass(frozen=True, repr=False)
class Mish(Layer):
    """Every value times the tanh of its Softplus, a smooth gate like that of SiLU.

        y = x * gate        gate = tanh(log(1 + e^x)) = n / (n + 2)        n = e^x (e^x + 2)        any shape

    Misra 2019, arXiv:1908.08681, as torch.nn.Mish. From x = 20 on the gate is 1 to the last bit of float64.
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return -0.3089, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp = namespace(x)
        e = xp.exp(xp.minimum(x, 20.0))
        n = e * (e + 2.0)
        return x * (n / (n + 2.0)), (x, e)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        x, e = cache  # recomputing n is faster than reading it from memory
        n = e * (e + 2.0)
        dgate = 4.0 * e * (e + 1.0) / ((n + 2.0) * (n + 2.0))
        return dy * (n / (n + 2.0) + x * dgate), {}


_A, _B = math.sqrt(2.0 / math.pi), 0.044715


@dataclass(frozen=True, repr=False)
class GELU(Layer):
    """Every value times the probability that a standard normal draw lies below it, in the tanh approximation.

        y = x * gate        gate = (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2        any shape

    The approximation is within 0.0005 of the exact form. Hendrycks and Gimpel 2016, arXiv:1606.08415.
    """

    @property
    def output_range(self) -> tuple[float, float]:
        return -0.1701, math.inf

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        gate = 0.5 + 0.5 * namespace(x).tanh(x * (_A + _A * _B * (x * x)))
        return x * gate, (x, gate)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        x, gate = cache
        dgate = gate * (1.0 - gate) * (2.0 * _A + 6.0 * _A * _B * (x * x))
        return dy * (gate + x * dgate), {}
