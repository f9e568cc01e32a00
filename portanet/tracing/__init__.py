"""Tracing: a function of arrays is recorded once as a list of ops, and replayed from then on.

The maths is written for readers: layers, dicts of parameters, a new array for each result. With small batches Python's
overhead takes longer than the arithmetic. `Traced(function)` calls the function with Tracers in place of its arrays,
which compute as usual and record each call. Passes optimise the list of calls, and the rest becomes straight-line
Python code. JAX's `jit` is the same idea, with a compiler behind it. An example, from the function to the code:

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

The trace, if the weight is the same array in every call and the rows (leaf 1 of the arguments) differ:

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

Results computed from constants alone are constants too. The exponentials are never read, so they are removed:

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

Each result is written into an existing array; an elementwise result overwrites its argument. The transpose of an array
that is the same in every call is made once. (`passes.vectors` writes gradients directly into the optimizer's vector.)

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

The code is what you would write by hand. c5 holds zeros, and the caller gets a copy of the buffer, since the next call
overwrites the buffer:

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

If the library has kernels, a pass (fuse.py) joins neighbouring elementwise calls into one loop before results get their
buffers, and the code uses the kernels once they are compiled. Intermediate results are never written to memory:

>>> print(show(passes.fuse(passes.dead_code(passes.constants(trace.ops)), library)))
%0 = input(0) -> same array
%4 = T(%0)
%1 = input(1)
%2 = arange(2, dtype=float32) -> constant
%3 = multiply(%2, 0.5) -> constant
%5 = product(%1, %4)
%8 = add+maximum(%5, %3)
return(%8)

A guard (guard.py) lets this code run only for arguments of the same shapes and dtypes; others get their own trace.

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

Every result is written into the same array in each call, views and constants are made once, and gradients are written
directly into the optimizer's vector. Your own layers are traced like any other; a layer that reads the value of an
array, calls NumPy itself, or uses arrays that are not arguments is called without tracing.
`choose("numpy", trace=False)` and `portanet train --no-trace` switch tracing off, to the same bits.

## Kernels

Neighbouring elementwise calls become one loop, a kernel (fuse.py): Adam is one pass over the weights instead of ten.
On NumPy the machine's own `cc` compiles the loops in the background, while the first steps run without them. The cache
folder keeps them for this compiler and this processor; they are loaded only from folders that no other user can write.
The C source contains the calls, their dtypes and the layout of the arrays, never a number or a name from a file.

Every operation in a kernel is exactly rounded or on integers, and the compiler may not reorder or contract it, so the
bits are the same as without kernels; powers and exponentials stay NumPy's own. Without a compiler, traced steps run
without kernels, and `portanet doctor` says why. `PORTANET_CC` names another compiler, and an empty one switches kernels
off, as `choose("numpy", fuse=False)` does.

The calls between kernels are made from C too (backends/c_calls): reductions and exponentials by NumPy's own inner
loops, products by the BLAS that NumPy is linked with. Each is checked against NumPy's call before it is used. A step
becomes a few calls from Python, `run(c3)` in the code, and each releases the GIL once. If a step is not cut into
shards, a second thread computes half of each large call when measurements show that this is faster; the halves are the
same for any number of threads, and so are the bits.

On CuPy the same loops are ElementwiseKernels, with exponentials too, compiled without fused multiply-adds; their bits
have been compared on the emulated device only. There each call is a launch, so a trace is rewritten if that saves
launches (rewrites.py): a cheap result is computed again in each kernel that reads it, and two equal reductions become
one.
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
