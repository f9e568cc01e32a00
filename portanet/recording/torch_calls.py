"""PyTorch's calls with `out=`."""

from __future__ import annotations

from typing import Any

from portanet.recording.library import Line, Name

_SAME = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "maximum", "minimum",
    "greater", "greater_equal", "less", "less_equal", "not_equal", "logical_and", "logical_or", "logical_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift",
    "negative", "abs", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "floor", "ceil",
]  # fmt: skip


class TorchCalls:
    """PyTorch, given as a module, as a library to record."""

    elementwise = frozenset({*_SAME, "equal", "bitwise_invert"})

    def __init__(self, module: Any) -> None:
        self._module = module

    def memory(self, array: Any) -> Any:
        return array.untyped_storage().data_ptr() or id(array)

    def like(self, array: Any) -> Any:
        return array.new_empty_strided(tuple(array.shape), array.stride())

    def layout(self, array: Any) -> Any:
        return tuple(array.shape), array.stride(), array.dtype, array.device

    def copy(self, array: Any) -> Any:
        return array.clone()

    def settled(self, array: Any) -> None:
        pass

    def lines(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Line] | None:
        if name in self.elementwise and not kwargs:
            return self._elementwise(name, args, out)
        own = getattr(self, f"_{name}", None)
        return own(out, *args, **kwargs) if own else None

    def _elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Line] | None:
        module = self._module
        if not hasattr(_real(args[0]), "shape"):  # a number first
            return None
        if name in ("maximum", "minimum") and not hasattr(_real(args[1]), "shape"):
            return [Line(module.clamp, (args[0],), {"min" if name == "maximum" else "max": args[1], "out": out})]
        name = {"equal": "eq", "bitwise_invert": "bitwise_not"}.get(name, name)
        return [Line(getattr(module, name), args, {"out": out})]

    def _matmul(self, out: Any, a: Any, b: Any) -> list[Line]:
        return [Line(self._module.matmul, (a, b), {"out": out})]

    def _product(self, out: Any, a: Any, b: Any) -> list[Line]:
        return self._matmul(out, a, b)

    def _sum(
        self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False
    ) -> list[Line] | None:
        if not isinstance(axis, int) or dtype is not None or not _real(x).dtype.is_floating_point:
            return None
        return [Line(self._module.sum, (x, axis, keepdims), {"out": out})]

    def _max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Line] | None:
        return [Line(self._module.amax, (x, axis, keepdims), {"out": out})] if isinstance(axis, int) else None

    def _take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Line] | None:
        return None if axis is None else [Line(self._module.index_select, (x, axis, indices), {"out": out})]

    def _astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Line]:
        return [Line(self._module.Tensor.copy_, (out, x), {})]

    def _reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Line]:
        """A reshape that copies."""
        like = _real(x)
        return [Line(self._module.Tensor.copy_, (out.view(like.shape), x), {})]


def _real(array: Any) -> Any:
    return array.real if isinstance(array, Name) else array
