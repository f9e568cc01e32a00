"""PyTorch's calls with `out=`."""

from __future__ import annotations

from typing import Any

from portanet.tracing import Constant, Library, Statement, real

_SAME = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "maximum", "minimum",
    "greater", "greater_equal", "less", "less_equal", "not_equal", "logical_and", "logical_or", "logical_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift",
    "negative", "abs", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "floor", "ceil",
]  # fmt: skip

_ALIGNED = 64  # bytes: the alignment of PyTorch's own tensors on the host


class TorchCalls(Library):
    """PyTorch, passed as a module, as a library for tracing."""

    elementwise = frozenset({*_SAME, "equal", "bitwise_invert"})

    def __init__(self, module: Any) -> None:
        self._module = module

    def is_native(self, array: Any) -> bool:
        return isinstance(array, self._module.Tensor) and not array.requires_grad

    def memory(self, array: Any) -> Any:
        return array.untyped_storage().data_ptr() or id(array)

    def like(self, array: Any) -> Any:
        return array.new_empty_strided(tuple(array.shape), array.stride())

    def layout(self, array: Any) -> Any:
        return tuple(array.shape), array.stride(), array.dtype, array.device, array.requires_grad

    def copy(self, array: Any) -> Any:
        return array.clone()

    def write_elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Statement] | None:
        module = self._module
        if not hasattr(real(args[0]), "shape"):  # the first argument is a number
            return None
        like, numbers = real(args[0]), [arg for arg in args[1:] if not hasattr(real(arg), "shape")]
        if numbers and name.startswith("logical"):
            return None
        if numbers and name in ("maximum", "minimum"):
            if type(args[1]) not in (int, float) or not like.is_floating_point():
                return None
            args = (args[0], module.tensor(args[1], dtype=like.dtype, device=like.device))  # clamp has other zeros
        elif any(real(arg).dtype != like.dtype for arg in args if hasattr(real(arg), "shape")):
            return None  # left to the standard's function, which promotes them
        name = {"equal": "eq", "bitwise_invert": "bitwise_not"}.get(name, name)
        return [Statement(getattr(module, name), args, {"out": out})]

    def write_matmul(self, out: Any, a: Any, b: Any) -> list[Statement] | None:
        if real(a).dtype != real(b).dtype or (out.device.type == "cpu" and out.data_ptr() % _ALIGNED):
            return None  # on the CPU the bits of a product depend on the alignment of its output
        return [Statement(self._module.matmul, (a, b), {"out": out})]

    write_product = write_matmul  # the operator @

    def write_sum(self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
        if not isinstance(axis, int) or dtype is not None or not real(x).dtype.is_floating_point:
            return None
        return [Statement(self._module.sum, (x, axis, keepdims), {"out": out})]

    def write_max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Statement] | None:
        return [Statement(self._module.amax, (x, axis, keepdims), {"out": out})] if isinstance(axis, int) else None

    def write_take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Statement] | None:
        """Rows by index; negative indices, which PyTorch does not support, are made positive first."""
        module, like = self._module, real(indices)
        if axis is None or like.dtype not in (module.int32, module.int64):
            return None
        if isinstance(indices, Constant) and bool((like >= 0).all()):
            return [Statement(module.index_select, (x, axis, indices), {"out": out})]
        if out.device.type == "cpu":  # raises an error for negative indices
            return [Statement(self._rows, (x, axis, indices, out), {})]
        negative, rows = module.empty_like(like, dtype=module.bool), module.empty_like(like)
        return [
            Statement(module.less, (indices, 0), {"out": negative}),
            Statement(module.add, (indices, real(x).shape[axis]), {"out": rows}),
            Statement(module.where, (negative, rows, indices), {"out": rows}),
            Statement(module.index_select, (x, axis, rows), {"out": out}),
        ]

    def _rows(self, x: Any, axis: int, indices: Any, out: Any) -> None:
        module = self._module
        try:
            module.index_select(x, axis, indices, out=out)
        except (IndexError, RuntimeError):  # for the first axis, and for others
            rows = module.where(indices < 0, indices + x.shape[axis], indices)
            module.index_select(x, axis, rows, out=out)

    def write_astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Statement]:
        return [Statement(self._module.Tensor.copy_, (out, x), {})]

    def write_reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Statement]:
        """A reshape that copies."""
        like = real(x)
        return [Statement(self._module.Tensor.copy_, (out.view(like.shape), x), {})]
