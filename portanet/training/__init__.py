"""Training: from layers and rows to a trained model. How `fit` works, in the order in which to read it.

`fit` (fit.py) puts the parts together. Each needs only those above it:

| part | what it does |
|---|---|
| callbacks.py, checkpoints.py, stopping.py | what may watch a run, save it, or end it early |
| inputs/ | settings, rows and labels as they were given, checked and turned into what training takes |
| spec.py; presets.py, hidden.py | all settings of a run in one value; ready-made ones, with other hidden layers |
| steps/ | one step: some rows, their gradient, new weights |
| trained/, model.py | what a model answers and how it is measured; `TrainedModel`, which has it all, and `load` |
| progress.py, snapshots.py, fine_tune.py | callbacks that show a run or keep its weights; a model to start from |
| explorer/ | a trained model as a page that runs it |
| loop/ | the loop around the steps: a row of the history, a checkpoint, and again |
| fit.py, cross_validation.py | the front door, and a model for each fold |

## From `fit` to the step

`fit` makes a `TrainingSpec` of its settings. `fit_spec` makes a `Source` of the rows and numbers of the labels, a
`TrainedModel` with its first parameters, and the `Plan` of the run. `train` (loop/loop.py) takes steps until the epochs
are over; a backend may compile them, trace them, or call them as they are. A step computes the gradient of a batch
(steps/gradient.py), and the optimizer's `update` makes new weights of it. Without the checks, the loop is this:

```python
import numpy as np
from portanet.nn import Dense, ReLU, Sequential, cross_entropy
from portanet.nn.layout import Layout
from portanet.optim import Adam
from portanet.training.loop.batches import Batches
from portanet.training.steps.gradient import Gradient
from portanet.training.steps.shards import workers
from portanet.training.steps.state import Data, State
from portanet.training.steps.step import Step

x = np.random.default_rng(0).normal(size=(512, 2)).astype(np.float32)
data = Data(x, (x[:, 0] * x[:, 1] > 0).astype(np.int32))  # rows and labels

model, optimizer = Sequential(Dense(16), ReLU(), Dense(2)), Adam(0.01)
params = model.init(np.random.default_rng(1), (2,))
layout = Layout.of(model, params)  # all weights as one vector, and back
flat = layout.pack(params)
state = State(flat, layout.buffers(params), optimizer.init(flat, decayed=layout.decayed))

batches = Batches(len(x), 32, seed=0)
step = Step(Gradient(model, cross_entropy, layout, None, workers(1)), optimizer, measure=True)
for number in range(20 * batches.steps):
    rows, key = batches.step(number)
    state, sums = step(state, data, rows, key, optimizer.learning_rate)

outputs, _ = model.forward(layout.unpack(state.flat, state.buffers), x)
print(f"right: {(outputs.argmax(axis=1) == data.labels).mean():.2f}")
```

```
right: 0.99
```
"""
