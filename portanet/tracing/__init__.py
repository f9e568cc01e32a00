"""Functions of arrays, traced once as a plain list of the library's calls, and replayed from then on.

The mathematics is written for readers: layers, dicts of parameters, a new array for each result. For a small batch
all that Python takes longer than the arithmetic. `Traced(function)` calls the function with tracers in place of its
arrays (trace.py), which compute as always and note each call. What is noted becomes straight code (compile.py), in
which every result has an array that is written again each time (`out=`), views are made once, and what is always the
same is computed once: what one would write by hand for this network alone. JAX's `jit` is the same idea, with a
compiler behind it.
"""

from portanet.tracing.library import Constant, Library, RunPair, Statement, Var, real
from portanet.tracing.replay import Traced

__all__ = ["Constant", "Library", "RunPair", "Statement", "Traced", "Var", "real"]
