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

## The code of a network

```python
import numpy as np
from portanet import choose
from portanet.nn import Dense, ReLU, Sequential

model = Sequential(Dense(4), ReLU())
params = model.init(np.random.default_rng(0), (3,))
forward = choose("numpy").tracer()(lambda params, x: model.forward(params, x)[0], warmup=0)
forward(params, np.ones((5, 3), np.float32))
print(forward.programs()[0].source)
```

```
def code(c0, c1, copyto, c3, c4, dot, c6, add, c8, maximum, copy):
    def replay(a0, a1, a2):
        copyto(c0, c1, 'unsafe')
        dot(c0, c3, c4)
        add(c4, c6, out=c4)
        maximum(c4, c8, out=c4)
        return copy(c4)
    return replay
```

Every result is written into the same array each time, views are made once, constants are computed once, and gradients
are written where the optimizer's vector has them. A layer of your own is traced like any other; one that asks for the
value of an array, calls NumPy itself, or brings arrays from elsewhere is called without tracing.
`choose("numpy", trace=False)` and `portanet train --no-trace` switch tracing off, to the same bits.

## Kernels

Then neighbouring elementwise calls become one loop, a kernel (fuse.py): Adam is one pass over the weights instead of
ten. On NumPy the machine's own `cc` compiles the loops, in the background while the first steps run without them, and
the cache folder keeps them for this compiler and this processor; they are loaded only from folders that no other user
can write. The C text holds the calls, their dtypes and the layout of the arrays, never a number or a name from a file.

Every operation in a kernel is exactly rounded or on integers, and the compiler may not reorder or contract it, so the
bits are those of the steps without; powers and exponentials stay NumPy's own. Without a compiler steps run as traced,
and `portanet doctor` says why; `PORTANET_CC` names another compiler, and empty it forbids all;
`choose("numpy", fuse=False)` switches kernels off.

Then also the calls between kernels are made from C (backends/c_calls): reductions and exponentials by NumPy's own inner
loops, products by the BLAS that NumPy is linked with. Each is checked against NumPy's call before it is used. A step
becomes a few calls from Python, `run(c3)` in the code, and each gives up the interpreter's lock only once, which
another thread waits for. Where a step is not cut into shards, a second thread takes halves of its large calls, if that
is faster in the first steps; the halves are the same for any number of threads, and so are the bits.

On CuPy the same loops are ElementwiseKernels, with exponentials
too, built without contraction to fused multiply-adds; their bits have been compared on the emulated device alone. There
each call is a launch, so a trace is rewritten where that leaves fewer (rewrites.py): two kernels both compute what one
would have to keep for the other, and two equal sums are one.
"""

from portanet.tracing.kernel import Kernel
from portanet.tracing.library import Constant, Form, Library, Line, RunPair, Statement, Var, real
from portanet.tracing.op import Op, show
from portanet.tracing.replay import Traced
from portanet.tracing.trace import Trace

__all__ = [
    "Constant",
    "Form",
    "Kernel",
    "Library",
    "Line",
    "Op",
    "RunPair",
    "Statement",
    "Trace",
    "Traced",
    "Var",
    "real",
    "show",
]
