"""CuPy's calls with `out=`."""

from __future__ import annotations

from typing import Any

from portanet.tracing.library import Line, real


class CuPyCalls:
    """CuPy, given as a module, as a library to record."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.elementwise = frozenset(
            name for name, function in vars(module).items() if isinstance(function, module.ufunc) and name != "pow"
        )

    def knows(self, array: Any) -> bool:
        return type(array) is self._module.ndarray

    def memory(self, array: Any) -> Any:
        return array.data.mem.ptr or id(array)

    def like(self, array: Any) -> Any:
        return self._module.empty_like(array)

    def layout(self, array: Any) -> Any:
        return array.shape, array.strides, array.dtype, array.device.id

    def copy(self, array: Any) -> Any:
        return array.copy()

    def settled(self, array: Any) -> None:
        pass

    def lines(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Line] | None:
        if name in self.elementwise and not kwargs:
            return [Line(getattr(self._module, name), args, {"out": out})]
        own = getattr(self, f"_{name}", None)
        return own(out, *args, **kwargs) if own else None

    def _matmul(self, out: Any, a: Any, b: Any) -> list[Line]:
        return [Line(self._module.matmul, (a, b), {"out": out})]

    def _product(self, out: Any, a: Any, b: Any) -> list[Line]:
        return self._matmul(out, a, b)

    def _sum(self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> list[Line]:
        return [Line(self._module.sum, (x, axis, dtype, out, keepdims), {})]

    def _max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Line]:
        return [Line(self._module.amax, (x, axis, out, keepdims), {})]

    def _take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Line]:
        return [Line(self._module.take, (x, indices, axis, out), {})]

    def _astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Line]:
        return [Line(self._module.copyto, (out, x, "unsafe"), {})]

    def _reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Line]:
        """A reshape that copies."""
        return [Line(self._module.copyto, (out.reshape(real(x).shape), x), {})]
