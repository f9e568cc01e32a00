"""Functions of arrays, traced once as a plain list of ops, and replayed from then on.

The mathematics is written for readers: layers, dicts of parameters, a new array for each result. For a small batch all
that Python takes longer than the arithmetic. `Traced(function)` calls the function with Tracers in place of its arrays,
which compute as always and note each call; passes transform the list; what is left becomes straight Python code. JAX's
`jit` is the same idea, with a compiler behind it. An example, from the function to the code:

>>> import numpy as np
>>> from portanet import choose
>>> from portanet.tracing import Trace, passes, show
>>> from portanet.tracing.emit import emit
>>> from portanet.xp import namespace
>>> def layer(weight, x):
...     xp = namespace(x)
...     bias = xp.arange(2, dtype=xp.float32) * 0.5
...     y = x @ weight.T
...     xp.exp(y)
...     return xp.maximum(y + bias, 0.0)

The trace, of a weight that is the same array in every call, and of rows (leaf 1 of the arguments) that differ:

>>> library = choose("numpy").library()
>>> weight, x = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
>>> trace = Trace(library)
>>> trace.run(layer, (weight, x), dynamic={1})
>>> print(show(trace.ops))
%0 = input(0) -> same array
%1 = input(1)
%2 = arange(2, dtype=float32)
%3 = multiply(%2, 0.5)
%4 = T(%0)
%5 = product(%1, %4)
%6 = exp(%5)
%7 = add(%5, %3)
%8 = maximum(%7, 0.0)
return(%8)

Computed from constants alone is constant too, and the exponentials are not read:

>>> ops = passes.dead_code(passes.constants(trace.ops))
>>> print(show(ops))
%0 = input(0) -> same array
%1 = input(1)
%2 = arange(2, dtype=float32) -> constant
%3 = multiply(%2, 0.5) -> constant
%4 = T(%0)
%5 = product(%1, %4)
%7 = add(%5, %3)
%8 = maximum(%7, 0.0)
return(%8)

Each result is written into an array that is there already, an elementwise one into that of its argument; the
transpose of an array that stays is made once. (`passes.vectors` writes gradients where the vector of all has them.)

>>> ops = passes.views(passes.buffers(passes.vectors(ops, library), library))
>>> print(show(ops))
%0 = input(0) -> same array
%1 = input(1)
%2 = arange(2, dtype=float32) -> constant
%3 = multiply(%2, 0.5) -> constant
%4 = T(%0) -> view
%5 = product(%1, %4) -> buffer 0
%7 = add(%5, %3) -> buffer 0
%8 = maximum(%7, 0.0) -> buffer 0
return(%8)

The code is what one would write by hand; c5 holds zeros, and the caller gets a copy of the buffer, since it may keep
what it gets:

>>> replay, source = emit(ops, library, leaves=2)
>>> print(source)
def code(c0, c1, dot, c3, add, c5, maximum, copy):
    def replay(a0, a1):
        dot(a1, c0, c1)
        add(c1, c3, out=c1)
        maximum(c1, c5, out=c1)
        return copy(c1)
    return replay
<BLANKLINE>
>>> bool((replay(weight, x) == layer(weight, x)).all())
True

Where the library has kernels, a pass (fuse.py) joins neighbouring elementwise calls into one loop before results get
their buffers, and the code goes on with them once they are compiled. Nothing between the calls is written to memory:

>>> print(show(passes.fuse(passes.dead_code(passes.constants(trace.ops)), library)))
%0 = input(0) -> same array
%4 = T(%0)
%1 = input(1)
%2 = arange(2, dtype=float32) -> constant
%3 = multiply(%2, 0.5) -> constant
%5 = product(%1, %4)
%8 = add+maximum(%5, %3)
return(%8)

A guard (guard.py) lets this code run for arguments of the same kind only; others are traced for themselves.
"""

from portanet.tracing.kernel import Kernel
from portanet.tracing.library import Constant, Form, Library, RunPair, Statement, Var, real
from portanet.tracing.op import Op, show
from portanet.tracing.replay import Traced
from portanet.tracing.trace import Trace

__all__ = [
    "Constant",
    "Form",
    "Kernel",
    "Library",
    "Op",
    "RunPair",
    "Statement",
    "Trace",
    "Traced",
    "Var",
    "real",
    "show",
]
