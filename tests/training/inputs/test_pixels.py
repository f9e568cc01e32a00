"""Rows of bytes: they stay bytes where the first layer widens them, and are numbers before any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portanet
from portanet import Backend, nn
from portanet.nn import GELU, Dense, Flatten, Identity, RandomAffine, ReLU, Rescale, Residual, Sequential, Standardize
from portanet.optim import SGD

RNG = np.random.default_rng(4)
X = RNG.integers(0, 256, (24, 1, 4, 4)).astype(np.uint8)
LABELS = (np.arange(24) % 3).astype(np.int32)

COMPUTE_FIRST = [
    Sequential(Flatten(), ReLU(), Dense(3)),
    Sequential(GELU(), Flatten(), Dense(3)),
    Sequential(Residual(Identity()), Standardize("all"), Flatten(), Dense(3)),
    Sequential(nn.AveragePool2D(), Flatten(), Dense(3)),
    Sequential(nn.Dropout(0.3), Flatten(), Dense(3)),
    Sequential(RandomAffine(), nn.Sigmoid(), Flatten(), Dense(3)),
    Sequential(nn.Softplus(), nn.GlobalAveragePool2D(), Dense(3)),
]


@pytest.mark.parametrize("model", COMPUTE_FIRST, ids=str)
def test_bytes_give_what_numbers_give(model: Sequential, backend: Backend) -> None:
    assert not model.accepts_uint8
    runs = [
        portanet.fit(model, x, LABELS, valid=(x, LABELS), epochs=2, batch_size=8, backend=backend, optimizer=SGD(1e-6))
        for x in (X, X.astype(np.float32))
    ]  # fmt: skip
    assert all(entry.keys() == other.keys() for entry, other in zip(*(run.history for run in runs)))
    for entry, other in zip(*(run.history for run in runs)):
        assert {**entry, "seconds": 0} == {**other, "seconds": 0}
    first, second = (run.outputs(x) for run, x in zip(runs, (X, X.astype(np.float32))))
    assert first.dtype == second.dtype == np.float32
    assert np.array_equal(first, second)
    assert np.array_equal(runs[0].outputs(X), runs[0].outputs(X.astype(np.float32)))


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        (Sequential(Rescale(1 / 255), Flatten(), Dense(3)), True),
        (Sequential(RandomAffine(), Rescale(1 / 255), Flatten(), Dense(3)), True),
        (Sequential(Sequential(Flatten()), Sequential(Standardize(), ReLU()), Dense(3)), True),
        (Sequential(Flatten(), nn.Frozen(Sequential(Identity(), Dense(4))), Dense(3)), True),
        (Sequential(nn.Conv2D(2, 3), ReLU(), Flatten(), Dense(3)), True),
        (Sequential(Flatten(), Residual(Dense(16)), Dense(3)), True),
        (Sequential(Flatten(), nn.Embedding(256, 2), Flatten(), Dense(3)), True),
        (Sequential(nn.BatchNorm(), Flatten(), Dense(3)), True),
        (Sequential(Flatten(), nn.Reshape((4, 4)), nn.LayerNorm(), Flatten(), Dense(3)), True),
        (Sequential(Flatten(), nn.Frozen(ReLU()), Dense(3)), False),
        (Sequential(Sequential(Flatten(), ReLU()), Dense(3)), False),
        (Sequential(Residual(ReLU()), Flatten(), Dense(3)), False),
        (Dense(3), True),
    ],
    ids=str,
)
def test_bytes_stay_where_a_layer_widens_them(model: Any, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    own = type(model).forward

    def spy(self: Any, params: Any, x: Any, **settings: Any) -> Any:
        seen.append(str(x.dtype))
        return own(self, params, x, **settings)

    x = X.reshape(24, -1) if isinstance(model, Dense) else X
    host = model.fit(model.init(np.random.default_rng(0), x.shape[1:]), [x.astype(np.float32)])
    given = x if kept else x.astype(np.float64)
    y, _ = model.forward(host, given)
    wide, _ = model.forward(host, x.astype(np.float64))
    np.testing.assert_allclose(y, wide, rtol=1e-4, atol=1e-4)
    assert bool(model.accepts_uint8) is kept
    run = portanet.fit(model, x, LABELS, epochs=1, batch_size=8)
    monkeypatch.setattr(type(model), "forward", spy)
    run.outputs(x)
    assert seen[0] == ("uint8" if kept else "float32")
