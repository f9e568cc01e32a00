"""NumPy calls replaced by C calls with the same bits, so that a sequence of them is one call from Python.

A ufunc is replaced by its inner loop, a product by the function of the BLAS that NumPy is linked with. This saves the
Python overhead, and the GIL, which each NumPy call releases and acquires again: with two threads that takes longer than
short calls compute. Each C call is first compared with the NumPy call on its actual arrays; if the bits differ, the
NumPy call is kept.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from portanet.backends.c_calls import copies, products, second, ufuncs
from portanet.backends.c_calls.call import Address, CCall, HostArray, address_of, as_words, compiled, pointer
from portanet.backends.compiler import name_of
from portanet.tracing import Line, Statement, Var, real

RUN = """for (long long i = 1; i < 1 + 2 * w[0].n; i += 2) ((int (*)(const word *))w[i].p)((const word *)w[i + 1].p);
return 0;"""
"""Runs calls in sequence. Words: the number of calls; for each the function and the address of its words."""


def bodies() -> dict[str, str]:
    """The bodies of the C functions that all calls share, by name."""
    texts = [RUN, second.PAIR, second.SERVE, ufuncs.EACH, ufuncs.REDUCE, copies.COPY, copies.TAKE, *products.bodies()]
    return {name_of(body): body for body in texts}


def joined(lines: Iterable[Line], c_call: Callable[[Statement], CCall | None]) -> list[Line]:
    """The lines of a function, with each sequence of statements that have C calls merged into one statement.

    c_call  returns the C call for a statement, or None
    """
    made: list[Line] = []
    pending: list[tuple[Line, CCall]] = []

    def end() -> None:
        calls = [call for _, call in pending]
        several = len(calls) > 1 or any(map(second.is_pair, calls))
        made.extend([(_in_turn(calls), None)] if several else [line for line, _ in pending])
        pending.clear()

    for line in lines:
        statement, names = line
        call = None if names else c_call(statement)
        if call is not None:
            pending.append((line, call))
            continue
        end()
        made.append(line)
    end()
    return made


def _in_turn(calls: list[CCall]) -> Statement:
    """One statement that runs several calls."""
    function = compiled(RUN)
    assert function is not None
    function.__name__ = "run"
    if not any(map(second.is_pair, calls)):
        return Statement(function, (_address(calls),), {})
    alone = [second.alone(call) if second.is_pair(call) else call for call in calls]
    ways = [functools.partial(function, _address(way)) for way in (calls, alone)]
    return Statement(second.Faster(*ways), (), {})


def _address(calls: list[CCall]) -> Address:
    words = [len(calls), *[word for call in calls for word in (call.function, call.words.ctypes.data)]]
    return address_of(as_words(words), calls)


def c_call_of(statement: Statement) -> CCall | None:
    """The C call with the same bits as a statement; None if there is none."""
    function, args, kwargs = statement
    if len(args) == 1 and isinstance(args[0], Address):
        return CCall(pointer(function), args[0].words, args)
    if any(isinstance(arg, Var) for arg in (*args, *kwargs.values())):
        return None
    args, kwargs = tuple(map(real, args)), {name: real(arg) for name, arg in kwargs.items()}
    arrays = [arg for arg in (*args, *kwargs.values()) if hasattr(arg, "dtype")]
    if not all(map(_is_plain, arrays)):
        return None
    owner, out = getattr(function, "__self__", None), kwargs.get("out")
    call = None
    if function in (np.matmul, np.ndarray.dot):
        a, b, out = args if out is None else (*args, out)
        if function is np.matmul or (a.flags.forc and b.flags.forc):  # `dot` copies others
            call = (products.matrices if a.ndim == 2 else products.vector)(a, b, out)
    elif isinstance(function, np.ufunc) and len(arrays) == function.nargs and out is not None:
        call = ufuncs.each(function, args, out)
    elif isinstance(owner, np.ufunc) and function == owner.reduce:
        out = args[3]
        call = ufuncs.reduce(owner, *args)
    elif function is np.copyto and len(arrays) == 2:
        out = args[0]
        call = copies.copy(*args[:2])
    elif function is np.ndarray.take:
        out = args[3]
        call = copies.take(*args[:4])
    return call if call is not None and _agree(Statement(function, args, kwargs), call, out) else None


def _is_plain(x: Any) -> bool:
    """Whether C can read an array: aligned native numbers, since Python objects would need the GIL."""
    return type(x) is np.ndarray and x.size > 0 and x.flags.aligned and x.dtype.isnative and x.dtype.kind in "biufc"


def _agree(statement: Statement, call: CCall, out: HostArray) -> bool:
    """Whether both write the same bits; the output array is restored."""
    before = out.copy()
    with np.errstate(all="ignore"):
        statement.function(*statement.args, **statement.kwargs)
        expected = out.copy()
        out[...] = before
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(call.function)(call.words.ctypes.data)
    found = out.copy()
    out[...] = before
    numbers = found == found  # not NaN, which may have any bits
    return bool((numbers == (expected == expected)).all()) and found[numbers].tobytes() == expected[numbers].tobytes()
