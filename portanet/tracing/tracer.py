"""Tracers, which a traced function gets in place of its arrays and numbers."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portanet.tracing.trace import Trace


class Tracer:
    """Stands for an array, or for a number that may change between calls.

    trace   the trace that records the calls
    real    the actual value
    number  its number in the trace, as in %3
    memory  equal for Tracers whose arrays share memory
    """

    __slots__ = ("memory", "number", "real", "trace")
    __array_ufunc__ = None  # NumPy arrays defer to our operators
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trace: Trace, real: Any, number: int, memory: Any) -> None:
        self.trace, self.real, self.number, self.memory = trace, real, number, memory

    shape = property(lambda self: self.real.shape)
    size = property(lambda self: self.real.size)
    ndim = property(lambda self: self.real.ndim)
    dtype = property(lambda self: self.real.dtype)
    device = property(lambda self: getattr(self.real, "device", None))
    T = property(lambda self: self.trace.call("T", operator.attrgetter("T"), self))

    def __getitem__(self, key: Any) -> Any:
        return self.trace.call("getitem", operator.getitem, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.trace.change("setitem", operator.setitem, self, key, value)

    def __str__(self) -> str:
        return f"%{self.number}"

    def __bool__(self) -> bool:
        raise TypeError("a traced function cannot branch on an array value")

    __float__ = __int__ = __index__ = __len__ = __iter__ = __array__ = __bool__


def _add_operator(short: str, standard: str) -> None:
    """Give Tracer an operator of the standard: forward, reflected and in place."""
    plain, inplace = getattr(operator, f"__{short}__"), getattr(operator, f"__i{short}__", lambda *_: None)

    def forward(self: Tracer, *other: Any) -> Any:
        return self.trace.call(standard, plain, self, *other)

    def reflected(self: Tracer, other: Any) -> Any:
        return self.trace.call(standard, plain, other, self)

    def changed(self: Tracer, other: Any) -> Any:
        return self.trace.change(standard, inplace, self, other)

    setattr(Tracer, f"__{short}__", forward)
    if hasattr(operator, f"__i{short}__"):
        setattr(Tracer, f"__r{short}__", reflected)
        setattr(Tracer, f"__i{short}__", changed)


for _short, _standard in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "matmul": "product", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert",
}.items():  # fmt: skip
    _add_operator(_short, _standard)
