"""The source of a kernel's loop, in C or CUDA C++."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from portanet.backends.expressions import C_TYPES, cuda_expression, expression
from portanet.tracing import Kernel
from portanet.tracing.kernel import Ref

Word = tuple[Any, ...]
"""A runtime parameter of a loop: ("slot", 0) is the address of an array, ("size", 1) the size of a dimension,
("stride", 0, 1) a stride of an array, ("rows", 0) the number of rows of an array, ("number", 0) a number."""


def words(kernel: Kernel) -> list[Word]:
    """The runtime parameters in a fixed order, so that kernels of different sizes share one source."""
    numbers, slots = range(len(kernel.numbers)), range(len(kernel.slots))
    strides = [("stride", i, d) for i in slots for d in range(len(kernel.shape)) if _step(kernel, i, d) == "stride"]
    rows = [("rows", i) for i in slots if kernel.slots[i].rows]
    sizes = [("size", d) for d in range(len(kernel.shape))]
    return [*[("slot", i) for i in slots], *sizes, *strides, *rows, *[("number", i) for i in numbers]]


def _step(kernel: Kernel, number: int, dimension: int) -> str:
    """How an array advances along a dimension: not at all, from one element to the next, or by a stride."""
    slot = kernel.slots[number]
    stride = slot.strides[dimension]
    along = slot.rows is not None and slot.rows[1] == dimension
    if stride == 0 and not along:
        return "none"
    last = dimension == len(kernel.shape) - 1
    return "next" if last and not along and stride == slot.tracer.dtype.itemsize else "stride"


class Text:
    """The parts of a loop's source that C and CUDA share."""

    def __init__(
        self, kernel: Kernel, expression: Callable[..., str | None] = expression, *, wraps: bool = False
    ) -> None:
        self.kernel, self._expression, self._wraps = kernel, expression, wraps

    def place(self, number: int, dimension: int) -> Iterator[str]:
        """The pointer of an array in a dimension, and its element if this is the last along which it advances."""
        slot, step = self.kernel.slots[number], _step(self.kernel, number, dimension)
        before, now = self._pointer(number, dimension), f"p{number}_{dimension}"
        at = f"i{dimension}"
        if slot.rows is not None and slot.rows[1] == dimension:
            yield f"const long long r{number} = {self.row(number)};"
            at = f"r{number}"
        if step == "stride":
            yield f"char *const {now} = {before} + {at} * s{number}_{dimension};"
        if dimension == self._last(number) and self._is_read(number):
            yield self._load(number, dimension)

    def row(self, number: int) -> str:
        """The row index, wrapped if negative."""
        index = self.kernel.slots[number].rows
        assert index is not None
        if self._wraps:
            return f"((long long)x{index[0]} % m{number} + m{number}) % m{number}"
        return f"x{index[0]} < 0 ? x{index[0]} + m{number} : x{index[0]}"

    def constants(self) -> Iterator[str]:
        """The elements of arrays that are broadcast along all dimensions."""
        for number in range(len(self.kernel.slots)):
            if self._last(number) < 0 and self._is_read(number):
                yield self._load(number, -1)

    def compute(self) -> Iterator[str]:
        """The lines and the stores."""
        for number, (form, args) in enumerate(self.kernel.lines):
            c_type = C_TYPES[form.dtype]
            if form.name == "astype":
                yield f"const {c_type} t{number} = {self._cast(args[0], form.dtype)};"
                continue
            operands = [self._cast(arg, dtype) for arg, dtype in zip(args, form.dtypes, strict=True)]
            yield f"const {c_type} t{number} = ({c_type})({self._expression(form.name, operands, form.dtypes[-1])});"
        for slot, value in self.kernel.stores:
            dtype = "uint8" if self.kernel.slots[slot].dtype == "bool" else self.kernel.slots[slot].dtype
            yield f"{self._element(slot, dtype)} = {_name(value)};"

    def slots_of(self, dimension: int) -> list[int]:
        """The slots that advance along a dimension; row indices come before the rows."""
        advancing = [i for i in range(len(self.kernel.slots)) if _step(self.kernel, i, dimension) != "none"]
        return sorted(advancing, key=lambda i: self.kernel.slots[i].rows is not None)

    def _cast(self, ref: Ref, dtype: str) -> str:
        """A value in another dtype; compilers vectorise a select of two numbers, but not a cast of a boolean."""
        if self._dtype(ref) == "bool" != dtype:
            return f"({_name(ref)} ? ({C_TYPES[dtype]})1 : ({C_TYPES[dtype]})0)"
        return f"({C_TYPES[dtype]}){_name(ref)}"

    def _dtype(self, ref: Ref) -> str:
        kind, number = ref
        if kind == "array":
            return self.kernel.slots[number].dtype
        return self.kernel.numbers[number][1] if kind == "number" else self.kernel.lines[number].form.dtype

    def _is_read(self, number: int) -> bool:
        refs = [arg for line in self.kernel.lines for arg in line.args]
        return ("array", number) in refs or any(slot.rows and slot.rows[0] == number for slot in self.kernel.slots)

    def _last(self, number: int) -> int:
        """The innermost dimension along which an array advances."""
        dimensions = range(len(self.kernel.shape))
        return max((d for d in dimensions if _step(self.kernel, number, d) != "none"), default=-1)

    def _pointer(self, number: int, dimension: int) -> str:
        """The name of an array's pointer outside a dimension."""
        above = [d for d in range(dimension) if _step(self.kernel, number, d) == "stride"]
        return f"p{number}_{above[-1]}" if above else f"p{number}"

    def _element(self, number: int, dtype: str) -> str:
        """An element of an array, in the innermost dimension."""
        last = len(self.kernel.shape) - 1
        if last >= 0 and _step(self.kernel, number, last) == "next":
            return f"(({C_TYPES[dtype]} *){self._pointer(number, last)})[i{last}]"
        return f"*({C_TYPES[dtype]} *){self._pointer(number, last + 1)}"

    def _load(self, number: int, dimension: int) -> str:
        dtype = self.kernel.slots[number].dtype
        if dtype == "bool":
            return f"const bool x{number} = {self._element(number, 'uint8')} != 0;"
        return f"const {C_TYPES[dtype]} x{number} = {self._element(number, dtype)};"


def _name(ref: Ref) -> str:
    return {"array": "x", "number": "c", "line": "t"}[ref[0]] + str(ref[1])


_BYTES, _WIDEST = ("bool", "int8", "uint8"), 64


def c_body(kernel: Kernel) -> str:
    """The body of a C function of `const word *w`, which returns 1, without writing, if a row index is out of range.

    It computes indices w[0].n to w[1].n of the first dimension; the words of the kernel follow.
    """
    text, last = Text(kernel), len(kernel.shape) - 1
    lines = ["const long long start = w[0].n, stop = w[1].n;", *_c_words(kernel)]
    for number, slot in enumerate(kernel.slots):
        if slot.rows:
            lines += _c_check(kernel, number)
    lines += text.constants()
    for d in range(last + 1):
        begin, end = ("start", "stop") if d == 0 else ("0", str(kernel.shape[d]) if _is_short(kernel, d) else f"n{d}")
        lines += ["independent"] if d == last else []
        lines.append(f"for (long long i{d} = {begin}; i{d} < {end}; ++i{d}) {{")
        for number in text.slots_of(d):
            lines += text.place(number, d)
    return "\n".join([*lines, *text.compute(), "}" * (last + 1), "return 0;"])


def _is_short(kernel: Kernel, dimension: int) -> bool:
    """Whether a loop may be shorter than the vectors a compiler would choose if it did not know the length.

    The widest vectors hold 64 bytes, or 64 booleans; elements that do not fill a vector are computed one by one.
    """
    bytewise = any(slot.dtype in _BYTES for slot in kernel.slots)
    return bytewise and dimension == len(kernel.shape) - 1 and kernel.shape[dimension] < _WIDEST


def _c_words(kernel: Kernel) -> Iterator[str]:
    for number, word in enumerate(words(kernel), start=2):
        kind, i, *rest = word
        if kind == "number":
            dtype = kernel.numbers[i][1]
            yield f"const {C_TYPES[dtype]} c{i} = w[{number}].{MEMBERS[dtype]};"
        elif kind == "slot":
            yield f"char *const p{i} = w[{number}].p;"
        else:
            name = {"size": f"n{i}", "stride": f"s{i}_{''.join(map(str, rest))}", "rows": f"m{i}"}[kind]
            yield f"const long long {name} = w[{number}].n;"


def _c_check(kernel: Kernel, number: int) -> Iterator[str]:
    """A loop that checks the row indices."""
    index, d, _ = kernel.slots[number].rows or (0, 0, 0)
    step = _step(kernel, index, d)
    stride = f"s{index}_{d}" if step == "stride" else str(kernel.slots[index].tracer.dtype.itemsize)
    yield f"for (long long i = 0; i < n{d}; ++i) {{"
    yield f"const long long r = *({C_TYPES[kernel.slots[index].dtype]} *)(p{index} + i * {stride});"
    yield f"if (r < -m{number} || r >= m{number}) return 1;"
    yield "}"


class CudaBody(NamedTuple):
    """The operation of an ElementwiseKernel, and the names of the words it uses."""

    text: str
    names: set[str]


def cuda_body(kernel: Kernel) -> CudaBody:
    """The operation for element `i` of the loop; arrays are `a0`, ...

    Row indices wrap, as in CuPy's own `take`, and are not checked.
    """
    text, last = Text(kernel, expression=cuda_expression, wraps=True), len(kernel.shape) - 1
    lines = []
    for d in range(last, -1, -1):
        quotient = "i" if d == last else f"q{d + 1}"
        kind = "unsigned" if math.prod(kernel.shape) < 2**31 else "long long"
        if d == 0:
            lines.append(f"const long long i0 = {quotient};")
        else:
            lines.append(f"const {kind} u{d} = {quotient}, q{d} = u{d} / ({kind})n{d};")
            lines.append(f"const long long i{d} = u{d} - q{d} * ({kind})n{d};")
    lines += [f"char *const p{i} = (char *)&a{i}[0];" for i in range(len(kernel.slots))]
    lines += text.constants()
    for d in range(last + 1):
        for number in text.slots_of(d):
            lines += text.place(number, d)
    body = "\n".join([*lines, *text.compute()])
    return CudaBody(body, set(re.findall(r"\b[a-z]\w*\b", body)))


MEMBERS = {dtype: "truth" if dtype == "bool" else dtype for dtype in C_TYPES}

_ROUNDING = [f"{name}{end}" for name in ("sqrt", "fabs", "floor", "ceil", "trunc") for end in ("", "f")]

# FLT_EVAL_METHOD is 16 on processors with float16 arithmetic, which kernels do not use; other types behave as with 0.
C_HEADER = f"""\
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error floats are computed in another precision
#endif
#ifdef __clang__
#define independent _Pragma("clang loop vectorize(assume_safety)")
#else
#define independent _Pragma("GCC ivdep")
#endif
#define bool _Bool
{"".join(f"#define {name} __builtin_{name}" + chr(10) for name in _ROUNDING)}\
typedef union {{ char *p; long long n; {" ".join(f"{c} {MEMBERS[name]};" for name, c in C_TYPES.items())} }} word;
"""
