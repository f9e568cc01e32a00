"""Change widths, activation and dropout of a network of Dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from portanet.errors import ConfigError
from portanet.nn import (
    ELU,
    GELU,
    SELU,
    Conv2D,
    Dropout,
    Identity,
    Layer,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)

ACTIVATIONS: dict[str, Layer] = {
    "relu": ReLU(), "leaky_relu": LeakyReLU(), "elu": ELU(), "selu": SELU(), "gelu": GELU(), "silu": SiLU(),
    "mish": Mish(), "sigmoid": Sigmoid(), "tanh": Tanh(), "softplus": Softplus(), "identity": Identity(),
}  # fmt: skip
"""By the name that an option takes."""

Block = tuple[Layer, ...]  # a hidden Dense and the layers up to the next Dense


def with_hidden(
    layers: Sequence[Layer], units: Sequence[int] = (), activation: str | None = None, dropout: float | None = None
) -> tuple[Layer, ...]:
    """The layers with changed hidden layers: all from the first Dense up to the last, which computes the outputs.

    units       the width of each hidden Dense, in order; empty: unchanged
    activation  a name of ACTIVATIONS, which replaces their activations
    dropout     the rate of a Dropout at the end of each hidden block; 0 removes it

    Additional Dense layers are copies of the last hidden one. Raises ConfigError for a network that is not a plain
    chain with a hidden Dense, and for an unknown activation.
    """
    dense = [place for place, layer in enumerate(layers) if hasattr(layer, "units")]
    _require_hidden(layers, dense)
    if activation is not None and activation not in ACTIVATIONS:
        raise ConfigError(f"unknown activation {activation!r}; choose from {', '.join(ACTIVATIONS)}.")
    blocks = [tuple(layers[start:end]) for start, end in pairwise(dense)]
    if units:
        blocks = [_with_units(blocks[min(i, len(blocks) - 1)], size) for i, size in enumerate(units)]
    if activation is not None:
        blocks = [_with_activation(block, ACTIVATIONS[activation]) for block in blocks]
    if dropout is not None:
        blocks = [_with_dropout(block, dropout) for block in blocks]
    return (*layers[: dense[0]], *(layer for block in blocks for layer in block), *layers[dense[-1] :])


def _require_hidden(layers: Sequence[Layer], dense: Sequence[int]) -> None:
    for layer in layers:
        if isinstance(layer, Conv2D) or layer.children:
            name = type(layer).__name__
            raise ConfigError(
                "hidden sizes, activation and dropout are for networks of Dense layers in a row, and this one has "
                f"{name} too, so it is not clear which layers are meant.",
                remedy="write the layers down, in a configuration file or in Sequential",
            )
    if len(dense) < 2:
        raise ConfigError(
            "this network has no hidden Dense whose size, activation or dropout could be changed.",
            remedy="write the layers down, in a configuration file or in Sequential",
        )


def _with_units(block: Block, units: int) -> Block:
    first: Any = block[0]
    return (replace(first, units=units), *block[1:])


def _with_activation(block: Block, activation: Layer) -> Block:
    kinds = tuple(type(each) for each in ACTIVATIONS.values())
    if not any(isinstance(layer, kinds) for layer in block):
        return (block[0], activation, *block[1:])
    return tuple(activation if isinstance(layer, kinds) else layer for layer in block)


def _with_dropout(block: Block, rate: float) -> Block:
    kept = tuple(layer for layer in block if not isinstance(layer, Dropout))
    return (*kept, Dropout(rate)) if rate else kept
