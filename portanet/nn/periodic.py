"""Periodic embeddings: each number becomes several features, some of them waves, to fit irregular functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.initializers import lecun_normal, uniform
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class PeriodicEmbedding(Layer):
    """Turns each number into `features` numbers: itself, and weighted sums of its cosines.

        a = 2 pi x f + p        y = (x, cos(a) V + c)

        x (N, D)   f, p (D, frequencies)   V (D, frequencies, features - 1)   c (D, features - 1)
        y (N, D * features), the features of each column adjacent

    features     the number of features for each column, including the number itself; at least 2
    frequencies  the number of cosines for each column
    sigma        the standard deviation of the initial frequencies f, which are normal draws
    rate         f, p, V and c are `rate` times the stored arrays, which start divided by it: see `Scale`

    Every column has its own arrays. The phases p start uniform from -pi to pi, V and c uniform within
    1 / sqrt(frequencies). Made for columns of about the same scale, such as those that `Columns` gives.

    Gorishniy et al. 2022, arXiv:2203.05556, in the form PBLD (periodic, bias, linear, dense) of RealMLP-TD, whose
    settings these are: Holzmueller et al. 2024, arXiv:2407.04491.
    Raises ModelError for inputs that are not flat, for fewer than 2 features, and unless sigma and rate are above 0.
    """

    features: int = 4
    _: KW_ONLY
    frequencies: int = 16
    sigma: float = 0.1
    rate: float = 0.1

    trainable_names: ClassVar[tuple[str, ...]] = ("frequency", "phase", "weight", "bias")
    decayed: ClassVar[tuple[str, ...]] = ("weight",)

    def __post_init__(self) -> None:
        for name, least in (("features", 2), ("frequencies", 1)):
            if not isinstance(value := getattr(self, name), int) or value < least:
                raise ModelError(f"PeriodicEmbedding needs {name} of at least {least}, got {value!r}.")
        for name in ("sigma", "rate"):
            if not 0 < (value := getattr(self, name)) < math.inf:
                raise ModelError(f"PeriodicEmbedding needs a finite {name} above 0, got {value!r}.")

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        self.output_shape(input_shape)
        columns, waves, sums = input_shape[0], self.frequencies, self.features - 1
        bound = uniform(-(waves**-0.5), waves**-0.5)
        start = {
            "frequency": self.sigma * lecun_normal(rng, (columns, waves), 1, waves),
            "phase": uniform(-math.pi, math.pi)(rng, (columns, waves), 1, waves),
            "weight": bound(rng, (columns, waves, sums), waves, sums),
            "bias": bound(rng, (columns, sums), waves, sums),
        }
        return {name: array / self.rate for name, array in start.items()}

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ModelError(f"PeriodicEmbedding needs flat inputs, got shape {input_shape}; put Flatten() before it.")
        return (input_shape[0] * self.features,)

    def macs(self, input_shape: Shape) -> int:
        return input_shape[0] * self.frequencies * (self.features - 1)

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x, xp = cast(x, params["weight"].dtype), namespace(x)
        rate, columns = float(self.rate), x.T[:, :, None]
        angles = columns * (params["frequency"] * (2 * math.pi * rate))[:, None, :]
        angles = angles + (params["phase"] * rate)[:, None, :]
        waves = xp.cos(angles)
        sums = xp.matmul(waves, params["weight"] * rate) + (params["bias"] * rate)[:, None, :]
        y = xp.permute_dims(xp.concat([columns, sums], axis=2), (1, 0, 2))
        return xp.reshape(y, (x.shape[0], x.shape[1] * self.features)), (columns, angles, waves)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, rate, (columns, angles, waves) = namespace(dy), float(self.rate), cache
        shape = (columns.shape[1], columns.shape[0], self.features)
        dy = xp.permute_dims(xp.reshape(dy, shape), (1, 0, 2))
        dsums = dy[:, :, 1:]
        dwaves = xp.matmul(dsums, xp.permute_dims(params["weight"] * rate, (0, 2, 1)))
        dangles = dwaves * -xp.sin(angles)
        grads = {
            "frequency": xp.sum(dangles * columns, axis=1) * (2 * math.pi * rate),
            "phase": xp.sum(dangles, axis=1) * rate,
            "weight": xp.matmul(xp.permute_dims(waves, (0, 2, 1)), dsums) * rate,
            "bias": xp.sum(dsums, axis=1) * rate,
        }
        if not need_dx:
            return None, grads
        along = xp.sum(dangles * (params["frequency"] * (2 * math.pi * rate))[:, None, :], axis=2)
        return (dy[:, :, 0] + along).T, grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(3, frequencies=4), (2,))]
