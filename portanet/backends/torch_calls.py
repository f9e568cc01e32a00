"""PyTorch's calls with `out=`."""

from __future__ import annotations

import weakref
from typing import Any

from portanet.tracing.library import Line, real

_SAME = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "maximum", "minimum",
    "greater", "greater_equal", "less", "less_equal", "not_equal", "logical_and", "logical_or", "logical_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift",
    "negative", "abs", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "floor", "ceil",
]  # fmt: skip

_ALIGNED = 64  # bytes: where PyTorch's own arrays start on the host


class TorchCalls:
    """PyTorch, given as a module, as a library to record."""

    elementwise = frozenset({*_SAME, "equal", "bitwise_invert"})

    def __init__(self, module: Any) -> None:
        self._module = module
        self._settled: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def knows(self, array: Any) -> bool:
        return isinstance(array, self._module.Tensor) and not array.requires_grad

    def memory(self, array: Any) -> Any:
        return array.untyped_storage().data_ptr() or id(array)

    def like(self, array: Any) -> Any:
        return array.new_empty_strided(tuple(array.shape), array.stride())

    def layout(self, array: Any) -> Any:
        return tuple(array.shape), array.stride(), array.dtype, array.device, array.requires_grad

    def copy(self, array: Any) -> Any:
        return array.clone()

    def settled(self, array: Any) -> None:
        self._settled[id(array)] = array

    def lines(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Line] | None:
        if name in self.elementwise and not kwargs:
            return self._elementwise(name, args, out)
        own = getattr(self, f"_{name}", None)
        return own(out, *args, **kwargs) if own else None

    def _elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Line] | None:
        module = self._module
        if not hasattr(real(args[0]), "shape"):  # a number first
            return None
        like, numbers = real(args[0]), [arg for arg in args[1:] if not hasattr(real(arg), "shape")]
        if numbers and name.startswith("logical"):
            return None
        if numbers and name in ("maximum", "minimum"):
            if type(args[1]) not in (int, float) or not like.is_floating_point():
                return None
            args = (args[0], module.tensor(args[1], dtype=like.dtype, device=like.device))  # clamp has other zeros
        elif any(real(arg).dtype != like.dtype for arg in args if hasattr(real(arg), "shape")):
            return None  # the standard's function makes them equal in its own way
        name = {"equal": "eq", "bitwise_invert": "bitwise_not"}.get(name, name)
        return [Line(getattr(module, name), args, {"out": out})]

    def _matmul(self, out: Any, a: Any, b: Any) -> list[Line] | None:
        if real(a).dtype != real(b).dtype or (out.device.type == "cpu" and out.data_ptr() % _ALIGNED):
            return None  # the bits of a product on the host depend on where it is written
        return [Line(self._module.matmul, (a, b), {"out": out})]

    def _product(self, out: Any, a: Any, b: Any) -> list[Line] | None:
        return self._matmul(out, a, b)

    def _sum(
        self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False
    ) -> list[Line] | None:
        if not isinstance(axis, int) or dtype is not None or not real(x).dtype.is_floating_point:
            return None
        return [Line(self._module.sum, (x, axis, keepdims), {"out": out})]

    def _max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Line] | None:
        return [Line(self._module.amax, (x, axis, keepdims), {"out": out})] if isinstance(axis, int) else None

    def _take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Line] | None:
        """Rows by number; PyTorch has no negative ones, so they are made into others."""
        module, like = self._module, real(indices)
        if axis is None or like.dtype not in (module.int32, module.int64):
            return None
        if id(indices) in self._settled and bool((indices >= 0).all()):
            return [Line(module.index_select, (x, axis, indices), {"out": out})]
        if out.device.type == "cpu":  # which says where there are any
            return [Line(self._rows, (x, axis, indices, out), {})]
        negative, rows = module.empty_like(like, dtype=module.bool), module.empty_like(like)
        return [
            Line(module.less, (indices, 0), {"out": negative}),
            Line(module.add, (indices, real(x).shape[axis]), {"out": rows}),
            Line(module.where, (negative, rows, indices), {"out": rows}),
            Line(module.index_select, (x, axis, rows), {"out": out}),
        ]

    def _rows(self, x: Any, axis: int, indices: Any, out: Any) -> None:
        module = self._module
        try:
            module.index_select(x, axis, indices, out=out)
        except IndexError:
            rows = module.where(indices < 0, indices + x.shape[axis], indices)
            module.index_select(x, axis, rows, out=out)

    def _astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Line]:
        return [Line(self._module.Tensor.copy_, (out, x), {})]

    def _reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Line]:
        """A reshape that copies."""
        like = real(x)
        return [Line(self._module.Tensor.copy_, (out.view(like.shape), x), {})]
