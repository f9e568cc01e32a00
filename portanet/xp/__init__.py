"""The array API namespace of an array: all that portable mathematics needs to know about its library."""

from __future__ import annotations

from typing import Any

from portanet._typing import Array

_namespaces: dict[type, Any] = {}


def namespace(x: Array) -> Any:
    """The array API namespace of an array: `xp = namespace(x)`, then `xp.exp(x)`.

    x  an array of any supported library

    The answer is cached for each type of array, so a call costs one dict look-up. NumPy 2 follows the standard by
    itself: see xp/numpy.py; array-api-compat supplies the namespaces of the other libraries.

    Raises TypeError where `x` is not an array of the standard.
    """
    try:
        return _namespaces[type(x)]
    except KeyError:
        return _namespaces.setdefault(type(x), _find(x))


def register(kind: type, xp: Any) -> None:
    """Make `xp` the namespace of a class that stands for arrays."""
    _namespaces[kind] = xp


def _find(x: Array) -> Any:
    from portanet.xp import numpy  # not at the top: it costs start-up time

    if numpy.is_numpy(x):
        return numpy.namespace
    import array_api_compat  # NumPy does without

    return array_api_compat.array_namespace(x)


def device(x: Array) -> Any:
    """The device of `x`, for `device=` in a creation function; None for a JAX tracer, which has none yet."""
    return getattr(x, "device", None)


def copied(x: Array) -> Array:
    """A copy, which does not change when `x` is written to."""
    copy: Array = namespace(x).asarray(x, copy=True)
    return copy


def cast(x: Array, dtype: Any) -> Array:
    """`x` itself if it has this dtype, else a copy that does."""
    return x if x.dtype == dtype else namespace(x).astype(x, dtype)
