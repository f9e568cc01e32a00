"""Neural networks whose maths is written once, against the array API standard, for any array library.

Start with `fit`, `load` and `read`. Layers and losses are in `portanet.nn`, optimizers and schedules in
`portanet.optim`; both are imported on first use, so `import portanet` is fast.

```python
from portanet import fit, load, read
from portanet.nn import Dense, Flatten, ReLU, Rescale, Sequential, uniform
from portanet.optim import SGD

digits = read("mnist:article")
start = uniform(-0.5, 0.5)
model = Sequential(Rescale(1 / 255), Flatten(), Dense(16, initializer=start), ReLU(), Dense(10, initializer=start))
run = fit(model, digits, optimizer=SGD(0.2), epochs=350, batch_size="full")
print(run.history[340]["accuracy"])  # training accuracy at iteration 340, before its update
run.save("article.safetensors")
```

A model file loads on any backend, and nothing in it is executed:

```python
test = read("mnist:test")
article = load("article.safetensors")
print(article.evaluate(test), (article.predict(test) == test.labels).mean())
```

To use another backend, pass `backend="cupy"` (or `torch`, `jax`, `strict`) to `fit` and `load`. Arrays stay in their
library: given PyTorch tensors, `fit` computes with PyTorch.

## Contents

- layers: Dense, NTKDense, Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D, BatchNorm, LayerNorm, Scale,
  Embedding, PeriodicEmbedding, Dropout, Flatten, Reshape, Residual, Sequential, Frozen
- activations: ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Sigmoid, Tanh, Softplus, Identity
- preprocessing, part of the model: Rescale, Standardize, Columns, RandomAffine
- losses: cross_entropy, binary_cross_entropy, hinge, mean_squared_error, mean_absolute_error, huber, poisson,
  Quantile
- optimizers: SGD (momentum, Nesterov), AdaGrad, RMSProp, Adam, AdamW, NAdam, Lion; ClipByGlobalNorm and EMA around any
- schedules: constant, step_decay, exponential_decay, inverse_scaling, cosine_decay, one_cycle, cos_log, linear_warmup
- callbacks: EarlyStopping, KeepBest, ReduceOnPlateau, Snapshots, Progress, or your own

`fit` also takes names: `fit(model, x, labels, optimizer="adam", loss="mse", valid=0.1)` holds out a tenth of the rows.
Names of scikit-learn, Keras and PyTorch mean the same here, or the error message shows the right form. Your own layers,
losses and optimizers load with `load(path, custom=[Mine])`; `TrainedModel.from_state_dict(model, state, input_shape)`
and `run.to_state_dict()` exchange weights with `torch.nn.Sequential`.

Images are (N, C, H, W). Losses in lower case have default settings; `CrossEntropy(label_smoothing=0.1)` takes others.
The loss decides the kind of labels: class indices, class probabilities, numbers, or ones and zeros for multi-label
rows. `fit` standardises the targets of a regression, so their unit does not matter: losses are in standard deviations,
predictions in the target's unit. Text, booleans and categories are class names, which `predict` returns. Columns and
classes are matched by name, from `read` or a data frame to `portanet predict`.

```python
from portanet import EarlyStopping, fine_tune
from portanet.nn import CrossEntropy, mean_squared_error
from portanet.optim import AdamW, ClipByGlobalNorm, cosine_decay

x, labels = test.x[:2000], test.labels[:2000]  # few digits, so that this page runs in seconds
layers = Sequential(Rescale(1 / 255), Flatten(), Dense(64), ReLU(), Dense(10))
run = fit(
    layers,
    x[500:],
    labels[500:],
    valid=(x[:500], labels[:500]),
    epochs=20,
    batch_size=50,
    loss=CrossEntropy(label_smoothing=0.1),
    optimizer=ClipByGlobalNorm(AdamW(0.003, weight_decay=0.1), max_norm=5.0),
    schedule=cosine_decay(warmup=0.05),
    callbacks=[EarlyStopping(patience=4)],
    checkpoints="digits",  # the same call again resumes where it stopped
)
print(run)  # layers, shapes, parameters, multiply-accumulates (MACs)
run.report("digits.html")  # scores, curves and mistakes in one file; in a notebook: run.report() or run.plot()

odd, params = fine_tune(run, 2, freeze=["2"])  # two classes: a new last layer, and layer 2 frozen
run = fit(odd, x, labels % 2, params=params, epochs=3)

ink = x.mean(axis=(1, 2, 3))  # a number to predict for each image
run = fit(Sequential(Rescale(1 / 255), Flatten(), Dense(1)), x, ink, loss=mean_squared_error, epochs=30)
print(run.evaluate(x, ink)["r2"])
```

## Your own layers

A layer is a frozen dataclass of settings with a forward and a backward pass. Written against `namespace(x)`, it runs on
every backend and trains with the others; `gradcheck` compares its gradients with finite differences:

```python
from dataclasses import dataclass

import numpy as np

from portanet import gradcheck, namespace
from portanet.nn import Layer


@dataclass(frozen=True)
class Square(Layer):
    def forward(self, params, x, *, train=False, key=None):
        return namespace(x).square(x), x  # the output, and what backward needs

    def backward(self, params, cache, dy, *, need_dx=True):
        return 2 * cache * dy, {}  # the gradients of the input and of the parameters


print(gradcheck(Square(), np.linspace(-1, 1, 12).reshape(3, 4)))
```

`portanet.nn.Layer` documents parameters, shapes and state. Custom losses, optimizers, schedules and callbacks are
written in the same way.

## Reading the code

In this order; each file is about a page:

1. scripts/article.py: the library in use.
2. nn/layer.py, dense.py, activations.py, sequential.py: a layer is a dataclass of settings with a forward and a
   backward pass; its arrays are passed in, and it keeps no state between calls.
3. nn/losses/: cross-entropy with its gradient; then nn/conv2d.py and nn/batch_norm.py.
4. nn/layout.py, optim/sgd.py, optim/adam.py: all weights are one flat vector; an optimizer is two functions over it.
5. training/: its docstring leads from `fit` to the step, with the loop in ten lines. Then steps/gradient.py,
   steps/step.py, loop/loop.py: a gradient, a step, and the loop around it.
6. xp/, backends/: how one source runs on five libraries. Only files in `backends/` name CuPy, PyTorch or JAX, and no
   file in `nn/` or `optim/` asks which library it runs on; a test enforces this.
7. tracing/: why it is fast. After some plain steps one is traced, and later steps replay it as straight-line code.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portanet import metrics, nn, optim
    from portanet.backends import Backend, choose
    from portanet.checks.gradcheck import gradcheck
    from portanet.data import Dataset, read
    from portanet.errors import (
        BackendError,
        CheckpointError,
        ConfigError,
        DataError,
        DivergenceError,
        ModelError,
        PortanetError,
    )
    from portanet.estimators.classifier import MLPClassifier
    from portanet.estimators.regressor import MLPRegressor
    from portanet.mpi.ranks import Ranks
    from portanet.training.callbacks import Callback, EarlyStopping, KeepBest, ReduceOnPlateau
    from portanet.training.checkpoints import Checkpoints
    from portanet.training.cross_validation import cross_validate
    from portanet.training.fine_tune import fine_tune
    from portanet.training.fit import fit
    from portanet.training.model import TrainedModel, load
    from portanet.training.progress import Progress
    from portanet.training.snapshots import Snapshots
    from portanet.xp import namespace

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "BackendError",
    "Callback",
    "CheckpointError",
    "Checkpoints",
    "ConfigError",
    "DataError",
    "Dataset",
    "DivergenceError",
    "EarlyStopping",
    "KeepBest",
    "MLPClassifier",
    "MLPRegressor",
    "ModelError",
    "PortanetError",
    "Progress",
    "Ranks",
    "ReduceOnPlateau",
    "Snapshots",
    "TrainedModel",
    "choose",
    "cross_validate",
    "fine_tune",
    "fit",
    "gradcheck",
    "load",
    "metrics",
    "namespace",
    "nn",
    "optim",
    "read",
]

_HOMES = {
    "Backend": "portanet.backends",
    "BackendError": "portanet.errors",
    "Callback": "portanet.training.callbacks",
    "CheckpointError": "portanet.errors",
    "Checkpoints": "portanet.training.checkpoints",
    "ConfigError": "portanet.errors",
    "DataError": "portanet.errors",
    "Dataset": "portanet.data",
    "DivergenceError": "portanet.errors",
    "EarlyStopping": "portanet.training.callbacks",
    "KeepBest": "portanet.training.callbacks",
    "MLPClassifier": "portanet.estimators",
    "MLPRegressor": "portanet.estimators",
    "ModelError": "portanet.errors",
    "PortanetError": "portanet.errors",
    "Progress": "portanet.training.progress",
    "Ranks": "portanet.mpi.ranks",
    "ReduceOnPlateau": "portanet.training.callbacks",
    "Snapshots": "portanet.training.snapshots",
    "TrainedModel": "portanet.training.model",
    "choose": "portanet.backends",
    "cross_validate": "portanet.training.cross_validation",
    "fine_tune": "portanet.training.fine_tune",
    "fit": "portanet.training.fit",
    "gradcheck": "portanet.checks.gradcheck",
    "load": "portanet.training.model",
    "namespace": "portanet.xp",
    "read": "portanet.data",
}


def __getattr__(name: str) -> Any:
    if name in ("metrics", "nn", "optim"):
        return importlib.import_module(f"portanet.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'portanet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
