"""compare: the same steps on every backend, and the faults that it must notice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from portanet import Backend, Dataset, nn, optim
from portanet.checks.compare import TOLERANCE, compare
from portanet.cli import main

RNG = np.random.default_rng(0)
DATA = Dataset("made up", RNG.integers(0, 256, (60, 1, 4, 4)).astype(np.uint8), np.arange(60, dtype=np.int32) % 3)
MODEL = nn.Sequential(nn.Standardize("all"), nn.Flatten(), nn.Dense(6), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))


def differences(backend: Backend, model: nn.Layer = MODEL, **settings: Any) -> Any:
    [found] = compare(
        [backend], model, DATA, optimizer=optim.Adam(0.01), schedule=optim.constant(), batch_size=16, **settings
    )
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_backend_agrees(backend: Backend, dtype: str) -> None:
    found = differences(backend, steps=5, dtype=dtype)
    assert found.passed, found
    assert found.tolerance == TOLERANCE[dtype]
    if backend.name == "numpy" and dtype == "float64":
        assert found.gradient == (0.0, 0.0)
    elif dtype == "float32":
        assert found.gradient[1] > 1e-9  # something was compared


def test_a_planted_fault_is_above_the_tolerance(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    backward = nn.Dense.backward

    def faulty(self: Any, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        dx, grads = backward(self, params, cache, dy, need_dx=need_dx)
        if str(dy.dtype).endswith("float32"):  # on the backend under test only: the reference is float64
            grads["bias"] = grads["bias"] * 1.001
        return dx, grads

    monkeypatch.setattr(nn.Dense, "backward", faulty)
    assert not differences(backend, steps=2).passed


def test_a_value_that_is_not_a_number_is_not_within_any_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    from portanet import choose

    def empty(flat: Any, grads: Any) -> Any:
        return grads * float("nan")

    update = optim.Adam.update

    def faulty(self: Any, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        return update(
            self, flat, empty(flat, grads) if flat.dtype == "float32" else grads, state, learning_rate=learning_rate
        )

    monkeypatch.setattr(optim.Adam, "update", faulty)
    assert not differences(choose("numpy"), steps=1, tolerance=1e9).passed


@pytest.mark.parametrize(("tolerance", "code"), [([], 0), (["--tolerance", "1e-12"], 1)])
def test_the_command(tolerance: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "--backends", "numpy", "--steps", "2", "--rows", "8", "--json", *tolerance]
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == code
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is (code == 0)
    [numpy] = found["backends"]
    assert numpy["backend"] == "numpy"
    assert 0 < numpy["gradient"][1] < 1e-4


def test_the_gradcheck_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["gradcheck", "--backend", "numpy", "--json"])
    assert exit_info.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"]
    assert {"Dense(units=4)", "CrossEntropy()", "Huber()"} <= {check["name"] for check in found["checks"]}
