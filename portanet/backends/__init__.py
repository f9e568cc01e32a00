"""Backends: `choose("cupy")` returns a Backend, one array library on one device.

A Backend moves arrays between the host and the device and runs training steps there. The layers, losses and optimizers
are written against the array API and never ask which backend runs them. Only this package names CuPy, PyTorch or JAX,
in one file each.

## The five backends

| backend | arrays | tests that ran |
|---|---|---|
| `numpy` | NumPy on the CPU, traced, with kernels in C | the whole suite |
| `strict` | array-api-strict on a device that is not the CPU; refuses what is not in the standard | the whole suite |
| `torch` | PyTorch without its automatic differentiation, traced | the whole suite, on the CPU |
| `jax` | JAX, a whole run of steps compiled into one program | the whole suite, on the CPU |
| `cupy` | CuPy on an NVIDIA GPU, traced, with ElementwiseKernels | all but the slow tests, on an **emulated** device |

On the CPU, NumPy and PyTorch cut large batches into shards for two or more threads.

`auto`, the default of the command line and of `choose`, takes CuPy if it can run a kernel and NumPy otherwise, and says
which and why. A backend that you name is never replaced by another: if it cannot run, that is an error. `fit` computes
in the library of its arrays, `load` on NumPy, unless `backend=` names another. One seed gives the same initial weights,
the same order of the rows and the same noise on every backend. On NumPy the same command gives the same bytes on the
same machine, NumPy and BLAS, whatever the number of threads.

**portanet has not run on a GPU yet.** The tests ran the real CuPy 14.2: its Python, its Cython and the source of its
CUDA kernels. Only the device was emulated: replacements of the CUDA libraries compile the kernels for the CPU. This
shows that CuPy accepts every call and computes the right numbers, and it counts launches, synchronisations and copies
exactly. It cannot show a GPU's speed, races between threads or streams, how a GPU rounds, or its memory limits.
If you have an NVIDIA card, these commands take a few minutes; please open an issue with their output:

```console
python -m pip install '.[cuda13]' nox
portanet doctor --backend cupy    # five training steps beside NumPy in float64
nox -s gpu                        # the tests marked gpu, and a benchmark of the CPU beside the GPU
```

What one training step costs on a GPU when the data are already there (checked by `pytest tests/test_budgets.py` on the
emulated device):

| step | kernel launches | synchronisations | copies from the host | allocations |
|---|---|---|---|---|
| `classic`, SGD | 18 | 0 | 0 | 0 |
| `classic`, SGD with momentum | 18 | 0 | 0 | 0 |
| `classic`, Adam | 18 | 0 | 0 | 0 |
| `mlp`, AdamW | 22 | 0 | 0 | 0 |
| a small convolutional net, Adam | 48 | 0 | 0 | 0 |
| each Dropout layer, in addition to its network | 2 | 0 | 0 | 0 |
| a RandomAffine layer, in addition to its network | 15 | 0 | 0 | 0 |
| each BatchNorm layer, in addition to its network | 6 to 9 | 0 | 0 | 0 |
| each LayerNorm layer, in addition to its network | 8 | 0 | 0 | 0 |

Each epoch of mini-batches adds one copy: the shuffled row numbers. If the rows do not fit into the device's memory,
there is one copy for each step's rows, and one of row numbers for each run of steps instead of each epoch: at most two
copies a step, and no synchronisation.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from portanet._calls import explained
from portanet._text import shown
from portanet.errors import BackendError

if TYPE_CHECKING:
    from portanet._typing import Array
    from portanet.backends.base import Backend

__all__ = ["NAMES", "PREFERRED", "Backend", "choose", "name_of", "of", "wheels"]

# Each backend is a module of its name, imported on first use: importing one imports NumPy, which takes time.
_CLASSES = {"numpy": "NumPy", "cupy": "CuPy", "torch": "Torch", "jax": "Jax", "strict": "Strict"}

NAMES = tuple(_CLASSES)

PREFERRED = "cupy"
"""The backend that "auto" takes if it works."""


_ELSEWHERE = {  # other names that users may try
    "gpu": "'cupy' computes on a GPU as NumPy does: ",
    "cuda": "'cupy' computes on a GPU as NumPy does, choose('torch', 'cuda') with PyTorch: ",
    "cpu": "'numpy' computes on the CPU: ",
    "pytorch": "did you mean 'torch'? ",
}


def __getattr__(name: str) -> Any:
    if name == "Backend":
        return importlib.import_module("portanet.backends.base").Backend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _class(name: str) -> Any:
    """The subclass of Backend with this name; raises BackendError for an unknown one."""
    if not isinstance(name, str) or name not in _CLASSES:
        word = name.lower() if isinstance(name, str) else ""
        hint = _ELSEWHERE.get(word) or (f"did you mean {word!r}? " if word in _CLASSES else "")
        raise BackendError(f"unknown backend {shown(name)}; {hint}choose from auto, {', '.join(NAMES)}.")
    return getattr(importlib.import_module(f"{__name__}.{name}"), _CLASSES[name])


def wheels() -> dict[str, tuple[str, ...]]:
    """The PyPI distributions that provide each optional library, by the name of the usual one."""
    kinds = map(_class, NAMES[1:])
    names = [kind.wheels or (kind.package,) for kind in kinds]
    return {several[-1]: several for several in names}


@explained
def choose(name: str = "auto", device: str | None = None, *, trace: bool = True, fuse: bool = True) -> Backend:
    """The backend of this name, after a check that it works.

    name    "numpy", "cupy", "torch", "jax" or "strict"; "auto" is CuPy if it can run a kernel, and NumPy otherwise
    device  the library's name of a device, such as "cpu", "cuda" or "cuda:1"; by default the library's default
    trace   whether functions are traced and replayed. False calls them directly, with the same bits, which helps to
            debug a layer; JAX compiles its steps in any case, and array-api-strict never traces
    fuse    whether NumPy and CuPy join neighbouring calls of traced steps into kernels; the bits are the same

    Raises BackendError, with the remedy, if the backend cannot run; it never falls back to another.
    """
    if device is not None and not isinstance(device, str):
        if getattr(type(device), "__name__", "") != "device":  # not a torch.device either
            raise BackendError(f"device must be a name such as 'cuda' or 'cuda:0', got {shown(device)}.")
        device = str(device)
    chosen: Backend = _choose_automatically(device) if name == "auto" else _class(name)(device)
    chosen.trace, chosen.fuse = trace, fuse
    return chosen


def _choose_automatically(device: str | None) -> Backend:
    if device is not None and device != "cpu":
        return _class(PREFERRED)(device)
    if device == "cpu":
        chosen, reason = _class("numpy")(), "the device is cpu"
    else:
        try:
            chosen, reason = _class(PREFERRED)(), "CuPy runs a kernel here"
        except BackendError as error:
            chosen, reason = _class("numpy")(), str(error)
    chosen.reason = reason
    return chosen


def of(x: Array) -> Backend:
    """The backend that an array belongs to, on the array's own device."""
    name = name_of(x)
    return choose(name, _class(name).device_of(x))


def name_of(x: Array) -> str:
    """The name of the backend that an array belongs to, without probing the device as `of` does."""
    for kind in type(x).__mro__:  # a user's subclass of arrays is defined in another module
        module = kind.__module__.partition(".")[0]
        for name in NAMES:
            if module in _class(name).modules:
                return name
    library = type(x).__module__.partition(".")[0]
    raise BackendError(f"arrays of {library} are not supported; give arrays of {', '.join(NAMES)}.")
