"""One call of a C function."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from portanet.backends import compiler
from portanet.backends.compiler import Function, name_of

HostArray = Any


class CCall(NamedTuple):
    """A C function, the words that it is given, and the arrays whose addresses are among them."""

    function: int
    words: HostArray
    held: tuple[Any, ...]


class Address(int):
    """The address of a call's words, which stay alive as long as this does, as does what they refer to."""

    words: HostArray
    held: Any


def address_of(words: HostArray, held: Any) -> Address:
    """The address of a call's words."""
    made = Address(words.ctypes.data)
    made.words, made.held = words, held
    return made


def c_call(body: str, words: list[int], *held: Any) -> CCall | None:
    """The call of a function with this body; None until it is compiled."""
    function = compiled(body)
    return None if function is None else CCall(pointer(function), as_words(words), held)


def compiled(body: str) -> Function | None:
    """The function with this body; None until it is compiled."""
    return compiler.compiler().get(name_of(body))


def pointer(function: Any) -> int:
    """The address of a function of ctypes."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def as_words(values: list[int]) -> HostArray:
    """Integers as words of 8 bytes."""
    return np.array([value % 2**64 for value in values], np.uint64)


def address(array: HostArray) -> int:
    """The address of an array's first element."""
    return int(array.ctypes.data)


def dimensions(shape: tuple[int, ...], strides: list[Any], most: int) -> tuple[list[int], list[list[int]]] | None:
    """A shape, and the strides of several arrays, in exactly `most` dimensions; None where that is too few.

    The dimensions are in the memory order of the last array.
    """
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for d in sorted((d for d, n in enumerate(shape) if n > 1), key=lambda d: -abs(strides[-1][d])):
        if sizes and all(own[-1] == given[d] * shape[d] for own, given in zip(steps, strides, strict=True)):
            sizes[-1] *= shape[d]
            for own, given in zip(steps, strides, strict=True):
                own[-1] = given[d]
        else:
            sizes.append(shape[d])
            for own, given in zip(steps, strides, strict=True):
                own.append(given[d])
    more = most - len(sizes)
    return None if more < 0 else ([1] * more + sizes, [[0] * more + own for own in steps])
