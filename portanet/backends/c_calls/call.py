"""C functions that take an array of 8-byte words, and calls of them."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from portanet.backends import compiler
from portanet.backends.compiler import Function, name_of

HostArray = Any


class CCall(NamedTuple):
    """The address of a C function, its words, and the objects whose addresses are among them."""

    function: int
    words: HostArray
    held: tuple[Any, ...]


class Address(int):
    """The address of a call's words; it keeps the words, and the objects they point to, alive."""

    words: HostArray
    held: Any


def address_of(words: HostArray, held: Any) -> Address:
    """The address of a call's words."""
    made = Address(words.ctypes.data)
    made.words, made.held = words, held
    return made


def c_call(body: str, words: list[int], *held: Any) -> CCall | None:
    """A call of the function with this body; None until it is compiled."""
    function = compiled(body)
    return None if function is None else CCall(pointer(function), as_words(words), held)


def compiled(body: str) -> Function | None:
    """The function with this body; None until it is compiled."""
    return compiler.compiler().get(name_of(body))


def pointer(function: Any) -> int:
    """The address of a ctypes function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def as_words(values: list[int]) -> HostArray:
    """Integers as 8-byte words."""
    return np.array([value % 2**64 for value in values], np.uint64)


def address(array: HostArray) -> int:
    """The address of an array's first element."""
    return int(array.ctypes.data)


def dimensions(shape: tuple[int, ...], strides: list[Any], most: int) -> tuple[list[int], list[list[int]]] | None:
    """A shape, and the strides of several arrays, collapsed or padded to `most` dimensions; None if that is too few.

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
