"""Checks that the model fits the rows that it takes and the loss that takes its outputs."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from portanet._typing import HostArray, Shape
from portanet.errors import DataError, ModelError
from portanet.nn.layer import Layer
from portanet.nn.losses.loss import LossFunction

_PASSES = (
    ("forward", ("params", "x"), ("train", "key")),
    ("backward", ("params", "cache", "dy"), ("need_dx",)),
)
"""The passes of a layer, with the arguments that they are called with."""
_CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def outputs_of(model: Layer, shape: Shape, loss: LossFunction) -> int:
    """Return the number of outputs for rows of this shape; raises ModelError if the loss cannot train the model."""
    _require_passes(model)
    require_channels_first(model, shape)
    output = model.output_shape(shape)
    if len(output) != 1:
        raise ModelError(f"the model must end in one number for each class, got shape {output}; end it in Dense.")
    if not model.is_trainable:
        raise ModelError(
            "the model has nothing to learn; give it a layer with weights, such as Dense, or unfreeze one."
        )
    reason = getattr(loss, "takes_logits", "")
    if reason and model.output_range != (-math.inf, math.inf):
        name = type(_last(model)).__name__
        raise ModelError(
            f"the model ends in {name}, and the loss {type(loss).__name__} takes outputs of any size: {reason}",
            remedy=f"leave the {name} out, so that the model ends in Dense({output[0]})",
        )
    return output[0]


def _require_passes(layer: Layer) -> None:
    """Raise ModelError for a user's layer whose forward or backward has the wrong parameters."""
    for name, positional, keywords in _PASSES:
        method = getattr(type(layer), name)
        try:
            inspect.signature(method).bind(layer, *positional, **dict.fromkeys(keywords))
        except TypeError as error:
            takes = ", ".join(["self", *positional, "*", *keywords])
            raise ModelError(
                f"{type(layer).__name__}.{name} does not take its arguments ({error})",
                remedy=f"write def {name}({takes})",
            ) from None
    for child in layer.children.values():
        _require_passes(child)


def require_channels_first(model: Layer, shape: Shape) -> None:
    """Raise DataError if the model takes channels first, and rows can only be images with channels last."""
    if model.takes_images and len(shape) == 3 and shape[2] in _CHANNELS and shape[0] not in _CHANNELS:
        raise DataError(
            f"the model takes images (channels, height, width), got rows of shape {shape}, with channels last",
            remedy="put channels first, with numpy.moveaxis(x, 3, 1)",
        )


def require_reach(model: Layer, targets: HostArray) -> None:
    """Raise ModelError for targets that are outside the range of the last layer's outputs."""
    low, high = model.output_range
    beyond = np.argwhere((targets < low) | (targets > high))
    if beyond.size:
        row, name = int(beyond[0, 0]), type(_last(model)).__name__
        span = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise ModelError(
            f"the model ends in {name}, whose outputs are {span}, and row {row} has the target "
            f"{targets[tuple(beyond[0])]:g}",
            remedy=f"leave the {name} out, so that the model ends in Dense({targets.shape[1]})",
        )


def shape_remedy(wanted: Shape, array: Shape, x: Any = None) -> str:
    """Return advice on reshaping the array `x` to rows of the wanted shape; empty if it is impossible."""
    given = array[1:]
    if array == wanted:
        row = "x.to_frame().T" if hasattr(x, "to_frame") else "[x]" if isinstance(x, (list, tuple)) else "x[None]"
        return f"one row needs an axis for itself, as in {row}"
    if array == wanted[1:] and len(wanted) == 3 and wanted[0] == 1:
        return "one image needs an axis for itself and one for its channel, as in x[None, None]"
    if len(array) == 3 and (array[2], *array[:2]) == wanted:
        return "one image needs an axis for itself, and its channels first, as in numpy.moveaxis(x, 2, 0)[None]"
    if given == wanted[1:] and len(wanted) == 3 and wanted[0] == 1:
        return "give each row its channel, as in x[:, None]"
    if len(given) == 3 and (given[2], *given[:2]) == wanted:
        return "put channels first, with numpy.moveaxis(x, 3, 1)"
    return f"reshape them, with x.reshape(len(x), *{wanted})" if math.prod(given) == math.prod(wanted) else ""


def _last(model: Layer) -> Layer:
    """The layer that computes a model's outputs."""
    children = [layer for layer in model.children.values() if not layer.keeps_values] if model.is_chain else []
    return _last(children[-1]) if children else model
