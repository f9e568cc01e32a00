"""The array libraries: `choose("cupy")` gives a Backend, one library on one device.

A Backend moves arrays between the host and the device and runs training steps there. What is computed in between is
written against the array API and never asks which backend it is. This folder is the only one that names CuPy, PyTorch
or JAX, and one file of it names each.
"""

from __future__ import annotations

from portanet._typing import Array
from portanet.backends.base import Backend
from portanet.backends.cupy import CuPy
from portanet.backends.jax import Jax
from portanet.backends.numpy import NumPy
from portanet.backends.strict import Strict
from portanet.backends.torch import Torch
from portanet.errors import BackendError

__all__ = ["NAMES", "PREFERRED", "WHEELS", "Backend", "choose", "name_of", "of"]

_CLASSES: dict[str, type[Backend]] = {kind.name: kind for kind in (NumPy, CuPy, Torch, Jax, Strict)}

NAMES = tuple(_CLASSES)

PREFERRED = CuPy.name
"""The backend that "auto" takes where it works."""

WHEELS = {
    wheels[-1]: wheels for wheels in (kind.wheels or (kind.package,) for kind in _CLASSES.values() if kind is not NumPy)
}
"""The distributions that each optional library may be installed as, by its usual name."""


def choose(name: str = "auto", device: str | None = None, *, trace: bool = True) -> Backend:
    """The backend of this name, checked to work; "auto" takes CuPy where a kernel runs, and NumPy elsewhere.

    With `trace=False` functions are called as they are, with the same bits, which helps to debug a layer; JAX compiles
    its steps all the same, and array-api-strict never traces.

    Raises BackendError, with the remedy, where the named one cannot run: it never falls back to another.
    """
    chosen = _choose_automatically(device) if name == "auto" else _named(name, device)
    chosen.trace = trace
    return chosen


def _named(name: str, device: str | None) -> Backend:
    if name not in _CLASSES:
        raise BackendError(f"there is no backend {name!r}; choose from auto, {', '.join(NAMES)}.")
    return _CLASSES[name](device)  # type: ignore[call-arg]


def _choose_automatically(device: str | None) -> Backend:
    if device is not None and device != "cpu":
        return CuPy(device)
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
    return choose(name, _CLASSES[name].device_of(x))


def name_of(x: Array) -> str:
    """The name of the backend that an array belongs to; asking costs nothing, where `of` probes the device."""
    for kind in type(x).__mro__:  # an own class of arrays comes from a module of its own
        module = kind.__module__.partition(".")[0]
        for name, backend in _CLASSES.items():
            if module in backend.modules:
                return name
    library = type(x).__module__.partition(".")[0]
    raise BackendError(f"arrays of {library} are not supported; give arrays of {', '.join(NAMES)}.")
