"""C expressions for elementwise functions of the standard, with the bits of NumPy and CuPy.

All are exactly rounded or on integers, so the bits depend neither on the order of evaluation nor on the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet._tree import is_array
from portanet.tracing import Form, Op

C_TYPES = {
    "bool": "bool", "int8": "signed char", "uint8": "unsigned char", "int16": "short", "uint16": "unsigned short",
    "int32": "int", "uint32": "unsigned", "int64": "long long", "uint64": "unsigned long long", "float32": "float",
    "float64": "double",
}  # fmt: skip

_COMPARED = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip
_LOGICAL = {"logical_and": "&", "logical_or": "|", "logical_xor": "^"}
_BITWISE = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}
_ARITHMETIC = {"add": "+", "subtract": "-", "multiply": "*"}
_OF_BOOLS = {"add": "|", "multiply": "&", "maximum": "|", "minimum": "&"}
_ROUNDED = {"floor": "floor", "ceil": "ceil", "trunc": "trunc"}
_EXTREMES = {"maximum": ">", "minimum": "<", "maximum of first": ">"}


def expression(name: str, args: list[str], dtype: str) -> str | None:
    """The C expression of a function of arguments of this dtype; None if there is none."""
    kind = np.dtype(dtype).kind
    a, b = args[0], args[-1]
    if name in _COMPARED:
        return f"{a} {_COMPARED[name]} {b}"
    if name in _LOGICAL:
        return f"({a} != 0) {_LOGICAL[name]} ({b} != 0)"
    if name in _EXTREMES and kind != "b":
        return _extreme(name, a, b, kind)
    if name in ("where", "astype", "positive", "logical_not", "isnan", "isfinite"):
        return {
            "where": f"{a} ? {args[1 % len(args)]} : {b}", "astype": a, "positive": a, "logical_not": f"{a} == 0",
            "isnan": f"{a} != {a}", "isfinite": f"{a} - {a} == 0" if kind == "f" else "1",
        }[name]  # fmt: skip
    return {"b": _of_bools, "i": _of_integers, "u": _of_integers, "f": _of_floats}[kind](name, a, b, dtype)


def cuda_expression(name: str, args: list[str], dtype: str) -> str | None:
    """The same in CUDA C++, in CuPy's form where CPU and GPU would differ."""
    if name in ("maximum", "minimum") and np.dtype(dtype).kind == "f":
        a, b = args
        return f"(isnan({a}) | isnan({b})) ? ({C_TYPES[dtype]})NAN : {name[:3]}({a}, {b})"
    if name in CUDA_FUNCTIONS and np.dtype(dtype).kind == "f":
        return f"{name}({', '.join(args)})"
    return expression(name, args, dtype)


CUDA_FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos")


def _extreme(name: str, a: str, b: str, kind: str) -> str:
    """The larger or smaller value, or NaN; of two zeros the second, or the first for names that end in "first"."""
    if name.endswith("first"):
        a, b = b, a
    sign = _EXTREMES[name]
    return f"({a} {sign} {b}) | ({a} != {a}) ? {a} : {b}" if kind == "f" else f"{a} {sign} {b} ? {a} : {b}"


def _of_bools(name: str, a: str, b: str, _: str) -> str | None:
    if name == "bitwise_invert":
        return f"!{a}"
    sign = _BITWISE.get(name) or _OF_BOOLS.get(name)
    return f"{a} {sign} {b}" if sign else None


def _of_integers(name: str, a: str, b: str, dtype: str) -> str | None:
    c_type, bits = C_TYPES[dtype], 8 * np.dtype(dtype).itemsize
    wide = "unsigned long long" if bits == 64 else "unsigned"  # unsigned arithmetic wraps; int overflow is undefined
    if name in _ARITHMETIC:
        return f"({c_type})(({wide}){a} {_ARITHMETIC[name]} ({wide}){b})"
    if name in _BITWISE:
        return f"{a} {_BITWISE[name]} {b}"
    if name == "bitwise_left_shift":
        return f"({wide}){b} < {bits}u ? ({c_type})(({wide}){a} << ({b} & {bits - 1})) : ({c_type})0"
    if name == "bitwise_right_shift":
        gone = f"({c_type})({a} < 0 ? -1 : 0)" if np.dtype(dtype).kind == "i" else f"({c_type})0"
        return f"({wide}){b} < {bits}u ? ({c_type})({a} >> ({b} & {bits - 1})) : {gone}"
    negative = f"({c_type})(0u - ({wide}){a})"
    return {
        "bitwise_invert": f"({c_type})~{a}", "negative": negative, "floor": a, "ceil": a, "trunc": a,
        "abs": a if np.dtype(dtype).kind == "u" else f"{a} < 0 ? {negative} : {a}",
        "square": f"({c_type})(({wide}){a} * ({wide}){a})",
    }.get(name)  # fmt: skip


def _of_floats(name: str, a: str, b: str, dtype: str) -> str | None:
    short = "f" if dtype == "float32" else ""
    if name in _ARITHMETIC:
        return f"{a} {_ARITHMETIC[name]} {b}"
    if name in _ROUNDED:
        return f"{_ROUNDED[name]}{short}({a})"
    return {
        "divide": f"{a} / {b}", "negative": f"-{a}", "sqrt": f"sqrt{short}({a})", "abs": f"fabs{short}({a})",
        "square": f"{a} * {a}", "reciprocal": f"1 / {a}",
    }.get(name)  # fmt: skip


def form_of(
    op: Op, ufunc: Any, expression: Callable[..., str | None] = expression, *, truncates: bool = False
) -> Form | None:
    """`Library.form` by NumPy's rules of promotion, which CuPy shares; `ufunc` is NumPy's function of that name.

    truncates  whether casts of floats to integers are defined for all floats, as on a GPU but not in C
    """
    result = str(op.results[0].dtype)
    given = [arg.dtype if is_array(arg) else type(getattr(arg, "real", arg)) for arg in op.args]
    if op.name in ("astype", "reshape"):
        dtypes: tuple[str, ...] = (str(given[0]),)
        out = result
    elif op.name == "where":
        dtypes, out = (str(given[0]), result, result), result
    else:
        weak = [kind if kind in (int, float) else np.dtype(str(np.dtype(kind))) for kind in given]
        *inside, last = ufunc.resolve_dtypes((*weak, None))
        out = str(last)
        dtypes = (out,) * len(inside) if op.name == "divide" else tuple(map(str, inside))
    form = Form("astype" if op.name == "reshape" else op.name, dtypes, result)
    known = {str(arg.dtype) for arg in op.args if is_array(arg)} <= set(C_TYPES) and (out == result or op.inplace)
    return (
        form
        if known and _is_known(form, expression) and (_is_safe(op, form) or (truncates and op.name == "astype"))
        else None
    )


def _is_known(form: Form, expression: Callable[..., str | None]) -> bool:
    """Whether the form has an expression."""
    if not {*form.dtypes, form.dtype} <= set(C_TYPES):
        return False
    inside = form.dtypes[1:] if form.name == "where" else form.dtypes
    choices = form.name != "where" or form.dtypes[0] == "bool"
    return choices and len(set(inside)) == 1 and expression(form.name, ["a", "b"], inside[0]) is not None


def _is_safe(op: Op, form: Form) -> bool:
    """Whether C defines all casts: not those of floats to integers, nor of numbers out of range."""
    floats = any(is_array(arg) and np.dtype(str(arg.dtype)).kind == "f" for arg in op.args)
    if np.dtype(form.dtype).kind in "iu" and (floats or np.dtype(form.dtypes[-1]).kind == "f"):
        return False
    return all(_fits(arg, dtype) for arg, dtype in zip(op.args, form.dtypes, strict=False))


def _fits(number: Any, dtype: str) -> bool:
    if type(number) is float:
        return np.dtype(dtype).kind == "f"
    if type(number) is not int or np.dtype(dtype).kind not in "iu":
        return True
    return bool(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max)


def gathers(op: Op) -> bool:
    """Whether a kernel can read the rows of a `take` directly: all axes before the taken one have length 1."""
    axis = op.kwargs.get("axis")
    if len(op.operands) != 2 or op.operands[0] is not op.args[0] or type(axis) is not int or axis < 0:
        return False
    x, rows, result = (tracer.real for tracer in (*op.operands, *op.results))
    if (
        rows.ndim != 1
        or str(rows.dtype) not in ("int32", "int64")
        or 0 in (rows.size, x.size)
        or not {*x.shape[:axis]} <= {1}
    ):
        return False
    row = x[(0,) * (axis + 1)] if x.ndim > axis + 1 else None
    return bool(result.flags.c_contiguous and (row is None or row.flags.c_contiguous))
