"""A step on a state in pieces gives what one on whole vectors gives; threads inside one batch change no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import blobs

from portanet import Backend, fit, optim
from portanet._tree import flatten, tree_map
from portanet.nn import BatchNorm, Dense, Layout, ReLU, Sequential, cross_entropy
from portanet.optim.optimizer import average_buffers
from portanet.training.steps.gradient import Gradient
from portanet.training.steps.shards import workers
from portanet.training.steps.state import Data, State
from portanet.training.steps.step import Step
from portanet.training.trained.params import on_backend

MODEL = Sequential(Dense(6), BatchNorm(), ReLU(), Dense(3))
OPTIMIZERS = [
    optim.SGD(),
    optim.SGD(momentum=0.9, nesterov=True, weight_decay=0.1),
    optim.AdaGrad(),
    optim.RMSProp(momentum=0.5),
    optim.Adam(),
    optim.AdamW(weight_decay=0.2),
    optim.NAdam(),
    optim.Lion(weight_decay=0.1),
    optim.EMA(optim.AdamW()),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_pieces_are_the_whole(backend: Backend, optimizer: Any) -> None:
    assert optimizer.elementwise
    x, labels = blobs(40)
    host = MODEL.init(np.random.default_rng(1), (4,))
    layout = Layout.of(MODEL, host)
    step = Step(Gradient(MODEL, cross_entropy, layout, None, workers(1)), optimizer, measure=True)
    found = []
    per_array = step.per_array()
    assert per_array is not None
    for each in (step, per_array):
        with backend.session():
            params = on_backend(host, backend, "float32")
            flat = layout.pack(params)
            buffers, state = layout.buffers(params), optimizer.init(flat, decayed=layout.decayed)
            state = State(flat, buffers, state, average_buffers(optimizer, buffers, buffers, state))
            data = Data(backend.put(x, "float32"), backend.put(labels, "int32"))
            state = per_array.split(state) if each is per_array else state
            for number in range(3):
                state, metrics = each(state, data, None, (5, number), 0.01)
            after = per_array.join(state) if each is per_array else state
            parts = (*after, metrics)
            found.append([tree_map(part, lambda array: np.array(backend.to_numpy(array))) for part in parts])
            assert after.flat.shape == (layout.size,)
    one, other = found
    np.testing.assert_allclose(one[0], other[0], rtol=1e-6, atol=1e-7)
    assert type(one[2]) is type(other[2])
    assert len(flatten((one[2],), [])) == len(flatten((other[2],), []))
    np.testing.assert_allclose(one[-1]["loss"], other[-1]["loss"], rtol=1e-6)


def test_an_optimizer_that_looks_at_all_numbers_is_not_cut() -> None:
    clipped = optim.ClipByGlobalNorm(optim.Adam(), 1.0)
    assert not getattr(clipped, "elementwise", False)
    assert not optim.EMA(clipped).elementwise


@pytest.mark.parametrize("size", [2, 3])
def test_threads_inside_one_batch_change_no_bit(size: int) -> None:
    """Products large enough to be shared, in a model that is never cut into shards."""
    rng = np.random.default_rng(8)
    x, labels = rng.normal(size=(300, 300)).astype(np.float32), rng.integers(0, 4, 300)
    model = Sequential(Dense(200), BatchNorm(), ReLU(), Dense(4))
    alone, shared = (fit(model, x, labels, epochs=2, batch_size=150, workers=count) for count in (1, size))
    assert alone.history[-1]["loss"] == shared.history[-1]["loss"]
    for name in ("0", "3"):
        assert alone.params[name]["weight"].tobytes() == shared.params[name]["weight"].tobytes()
