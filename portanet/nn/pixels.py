"""Which models take pixels as they are: uint8, a quarter of the memory of float32."""

from __future__ import annotations

from portanet.nn.activations import Identity
from portanet.nn.flatten import Flatten
from portanet.nn.frozen import Frozen
from portanet.nn.layer import Layer
from portanet.nn.preprocessing import Rescale, Standardize
from portanet.nn.random_affine import RandomAffine
from portanet.nn.reshape import Reshape
from portanet.nn.residual import Residual
from portanet.nn.sequential import Sequential

_HAND_ON = (Flatten, Identity, RandomAffine, Reshape)


def takes_pixels(model: Layer) -> bool:
    """Whether the first layer that computes with its input casts it to the dtype of its arrays.

    Any other would compute in bytes, which wrap around, or in whatever each library makes of them.
    """
    return bool(_casts(model))


def _casts(layer: Layer) -> bool | None:
    """The same for one layer; None where it hands bytes on as they are."""
    if isinstance(layer, Frozen):
        return _casts(layer.layer)
    if isinstance(layer, Sequential):
        answers = map(_casts, layer.layers)
        first = next((answer for answer in answers if answer is not None), None)
        return bool(first) if isinstance(layer, Residual) else first  # which adds what comes in to what comes out
    if isinstance(layer, _HAND_ON):
        return None
    return bool(layer.trainable_names) or isinstance(layer, (Rescale, Standardize))
