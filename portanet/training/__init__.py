"""Training: how `fit` turns layers and rows into a trained model.

The parts, in the order in which to read them; each imports only those above it:

| part | what it does |
|---|---|
| callbacks.py, checkpoints.py, stopping.py | watch a run, save it, end it early |
| inputs/ | the arguments of `fit`, checked and converted: settings, rows and labels |
| spec.py; presets.py, hidden.py | all settings of a run in one object; ready-made ones, with other hidden layers |
| steps/ | one step: the gradient of a batch, and the optimizer's update |
| trained/, model.py | predictions and metrics; `TrainedModel`, which has them as methods, and `load` |
| progress.py, snapshots.py, fine_tune.py | callbacks that show a run or keep its weights; fine-tuning |
| explorer/ | a trained model as an HTML page that runs it |
| loop/ | the loop over the steps, with a row of the history and a checkpoint in between |
| fit.py, cross_validation.py | `fit` itself, and one model for each fold |

## From `fit` to the step

`fit` collects its settings in a `TrainingSpec`. `fit_spec` makes a `Source` of the rows, converts the labels to
numbers, and makes a `TrainedModel` with initial parameters and the `Plan` of the run. `train` (loop/loop.py) takes
steps until the epochs are over; a backend may compile the steps, trace them, or call them unchanged. A step computes
the gradient of a batch (steps/gradient.py), and the optimizer's `update` computes the new weights. Without the checks,
this is the loop:

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
print(f"accuracy: {(outputs.argmax(axis=1) == data.labels).mean():.2f}")
```

```
accuracy: 0.99
```
"""
