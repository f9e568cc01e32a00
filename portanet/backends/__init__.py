"""The array libraries: `choose("cupy")` gives a Backend, one library on one device.

A Backend moves arrays between the host and the device and runs training steps there. What is computed in between is
written against the array API and never asks which backend it is. This folder is the only one that names CuPy, PyTorch
or JAX.
"""

from __future__ import annotations

from typing import Any

from portanet._typing import Array
from portanet.backends.base import Backend
from portanet.backends.cupy import CuPy
from portanet.backends.jax import Jax
from portanet.backends.numpy import NumPy
from portanet.backends.strict import Strict
from portanet.backends.torch import Torch
from portanet.errors import BackendError

__all__ = ["NAMES", "Backend", "choose", "name_of", "of"]

NAMES = ("numpy", "cupy", "torch", "jax", "strict")

_CLASSES: dict[str, type[Backend]] = {
    "numpy": NumPy,
    "cupy": CuPy,
    "torch": Torch,
    "jax": Jax,
    "strict": Strict,
}


def choose(name: str = "auto", device: str | None = None) -> Backend:
    """The backend of this name, checked to work; "auto" takes CuPy where a kernel runs, and NumPy elsewhere.

    Raises BackendError, with the remedy, where the named one cannot run: it never falls back to another.
    """
    if name == "auto":
        return _choose_automatically(device)
    if name not in _CLASSES:
        raise BackendError(f"there is no backend {name!r}; choose from auto, {', '.join(NAMES)}.")
    return _CLASSES[name](device)  # type: ignore[call-arg]


def _choose_automatically(device: str | None) -> Backend:
    if device is not None and device != "cpu":
        return choose("cupy", device)
    chosen: Backend
    if device == "cpu":
        chosen, chosen_reason = NumPy(), "the device is cpu"
    else:
        try:
            chosen, chosen_reason = CuPy(), "CuPy runs a kernel here"
        except BackendError as error:
            chosen, chosen_reason = NumPy(), str(error)
    chosen.reason = chosen_reason
    return chosen


def of(x: Array) -> Backend:
    """The backend that an array belongs to, on the array's own device."""
    name = name_of(x)
    return choose(name, _device_name(name, x))


def name_of(x: Array) -> str:
    """The name of the backend that an array belongs to; asking costs nothing, where `of` probes the device."""
    library = type(x).__module__.partition(".")[0]
    name = {"array_api_strict": "strict", "jaxlib": "jax"}.get(library, library)
    if name not in _CLASSES:
        raise BackendError(f"arrays of {library} are not supported; give arrays of {', '.join(NAMES)}.")
    return name


def _device_name(name: str, x: Any) -> str | None:
    match name:
        case "cupy":
            return f"cuda:{x.device.id}"
        case "torch":
            return str(x.device)
        case "jax":
            (device,) = x.devices()
            return f"{device.platform}:{device.id}"
        case "strict":
            return repr(x.device).split("'")[1]
    return None
