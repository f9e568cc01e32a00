"""The array libraries under test. Each is a leg, and some legs are lies that catch bugs: see `Leg`."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import Host

import portanet
from portanet._tree import flatten, map_leaves
from portanet.backends import compiler
from portanet.backends.compiler import Compiler
from portanet.training.steps.shards import workers

FAMILIES = {
    "numpy": ("numpy", "numpy-readonly", "numpy-traced", "numpy-fused"),
    "strict": ("strict",),
    "torch": ("torch", "torch-meta", "torch-traced"),
    "jax": ("jax", "jax-jit"),
    "cupy": ("cupy", "cupy-traced", "cupy-fused"),
}


@dataclass(frozen=True)
class Leg:
    """One array library, and how to run a function with its arrays.

    numpy-readonly  its inputs cannot be written to, so a function that modifies them raises
    *-traced      the function is traced and replayed (portanet/tracing), and must give the same bits as it is
    *-fused       the same, with its elementwise calls in kernels
    strict          the standard and nothing else, on a device that is not the CPU, and reading a value raises
    torch-meta      tensors with a shape and no values: reading one raises, nothing can be compared
    jax-jit         the function is traced, so it cannot read values either
    """

    name: str
    backend: portanet.Backend
    values: bool = True

    def put(self, host: Any, dtype: str | None = None) -> Any:
        """An input that the function under test must leave as it is."""
        array: Any = self.own(host, dtype)
        if self.name == "numpy-readonly":
            array.setflags(write=False)
        return array

    def own(self, host: Any, dtype: str | None = None) -> Any:
        """An input that the function under test may write to; floats are float32 unless `dtype` says otherwise."""
        host = np.asarray(host)
        dtype = dtype or ("float32" if host.dtype.kind == "f" else None)
        array: Any = self.backend.put(host, dtype)
        return array.to("meta") if self.name == "torch-meta" else array

    def host(self, x: Any) -> Host:
        return self.backend.to_numpy(x)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """function(*arguments) as this leg runs it; arguments and result are nested dicts and tuples of arrays."""
        if self.name == "jax-jit":
            return importlib.import_module("jax").jit(function)(*arguments)
        if self.name.endswith(("-traced", "-fused")):
            return self._traced(function, arguments)
        with _unreadable() if self.name == "strict" else contextlib.nullcontext():
            return function(*arguments)

    def _traced(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Replay with the arrays that it was traced with, and with others, compared with the function."""
        expected = self._bits(function, self._copy(arguments))
        self.backend.fuse = self.name.endswith("-fused")
        one, other = (self.backend.tracer(workers(1).run_pair)(function, warmup=0) for _ in range(2))
        given = [self._copy(arguments) for _ in range(3)]
        with kernels_at_once():
            for own in given[:2]:
                assert self._bits(one, own) == expected
            other(*given[2])
            for array, start in zip(flatten(given[2], []), flatten(arguments, []), strict=True):
                if hasattr(array, "dtype"):
                    array[...] = start
            assert self._bits(other, given[2]) == expected
        assert all(traced.programs() for traced in (one, other)), "it was called as it is"
        return one(*arguments)

    def _copy(self, tree: Any) -> Any:
        return map_leaves(
            tree, lambda leaf: self.own(self.host(leaf), self.dtype(leaf)) if hasattr(leaf, "dtype") else leaf
        )

    def _bits(self, function: Callable[..., Any], arguments: Any) -> list[Any]:
        """What it returns, and what it has made of its arguments."""
        found = flatten([function(*arguments), arguments], [])
        return [
            (leaf.shape, self.dtype(leaf), self.host(leaf).tobytes()) if hasattr(leaf, "dtype") else leaf
            for leaf in found
        ]

    def device(self, x: Any) -> Any:
        return x.devices() if self.backend.name == "jax" else x.device

    def dtype(self, x: Any) -> str:
        """An array's dtype by name, as NumPy writes it."""
        return str(x.dtype).rpartition(".")[2]


@contextlib.contextmanager
def _unreadable() -> Iterator[None]:
    """While it lasts, no array of array-api-strict gives its value to Python."""

    def refuse(self: Any, *arguments: Any) -> Any:
        raise AssertionError("the value of an array was read: on a GPU this waits for the device")

    strict = importlib.import_module("array_api_strict._array_object").Array
    with pytest.MonkeyPatch.context() as patch:
        for name in ("__bool__", "__float__", "__int__", "__index__", "__complex__"):
            patch.setattr(strict, name, refuse)
        yield


@contextlib.contextmanager
def bare_strict() -> Iterator[None]:
    """The strict namespace without what a library may leave out."""
    strict = importlib.import_module("array_api_strict")
    with strict.ArrayAPIStrictFlags(
        api_version="2024.12", boolean_indexing=False, data_dependent_shapes=False, enabled_extensions=()
    ):
        yield


_compiler = Compiler()


@contextlib.contextmanager
def kernels_at_once() -> Iterator[Compiler]:
    """While it lasts, kernels in C are compiled when they are asked for; without a compiler, none are there."""
    ask = functools.partial(_compiler.ask, wait=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PORTANET_CC", raising=False)
        patch.setattr(compiler, "compiler", lambda: _compiler)
        patch.setattr(_compiler, "ask", ask)
        yield _compiler
