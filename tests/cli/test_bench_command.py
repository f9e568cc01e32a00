"""portanet bench: one JSON object or a table, what is left out and why, and an honest verdict."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from console import Call

from portanet import backends
from portanet.checks.bench import SIZES, Timing
from portanet.cli import bench
from portanet.errors import BackendError

pytestmark = pytest.mark.libraries

CHOOSE = backends.choose


def without(missing: str) -> Any:
    def choose(name: str, device: str | None = None, *, trace: bool = True) -> backends.Backend:
        if name == missing:
            raise BackendError(f"{name} has no device.")
        return CHOOSE("numpy")

    return choose


def test_json_is_one_object(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "choose", without("cupy"))
    answer = cli("bench", "--quick", "--presets", "classic", "--json")
    found = answer.json
    assert list(found) == ["hardware", "left_out", "verdicts", "quick", "timings", "sizes"]
    assert list(found["hardware"]) == ["cpu", "blas", "gpu"]
    assert found["left_out"] == {"cupy": "cupy has no device."}
    assert found["verdicts"] == ["None of these backends runs on a GPU: cupy has no device."]
    assert found["sizes"] == []
    assert found["quick"] is True
    assert len(found["timings"]) == len(backends.NAMES) - 2  # without cupy and strict
    for timing in found["timings"]:
        assert list(timing) == ["preset", "backend", "device", "batch_size", "seconds", "median"]
        assert (timing["preset"], timing["backend"], timing["batch_size"]) == ("classic", "numpy", 1024)
        assert timing["median"] == timing["seconds"][0] > 0
    assert "cupy is left out: cupy has no device." in answer.err


def test_the_table_has_a_row_for_each_preset(cli: Call) -> None:
    answer = cli("bench", "--quick", "--backends", "numpy", "--presets", "classic,mlp")
    assert answer.code == 0
    rows = [line.split()[:4] for line in answer.out.splitlines() if line.startswith(("classic", "mlp"))]
    assert rows == [["classic", "numpy", "cpu", "1,024"], ["mlp", "numpy", "cpu", "128"]]
    assert "None of these backends runs on a GPU." in answer.out
    assert "mlp, numpy, batches of 128: warm-up" in answer.err


def test_traced_beside_plain(cli: Call) -> None:
    answer = cli("bench", "--quick", "--backends", "numpy,strict", "--presets", "classic", "--plain")
    rows = [line.split()[1:3] for line in answer.out.splitlines() if line.startswith("classic ")]
    assert rows == [["numpy", "cpu"], ["numpy", "plain"], ["strict", "device1"]]
    assert "classic: traced steps on numpy are " in answer.out


def test_a_backend_that_was_asked_for_is_not_left_out(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "choose", without("jax"))
    answer = cli("bench", "--quick", "--backends", "numpy,jax")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "portanet: jax has no device.\n"


def test_an_unknown_preset_is_named(cli: Call) -> None:
    answer = cli("bench", "--presets", "large")
    assert answer.code == 1
    assert "preset 'large'" in answer.err


@pytest.mark.parametrize(
    ("faster_from", "words"),
    [(512, "is faster than numpy from batches of 512 rows on."),
     (99_999, "is no faster than numpy for batches of 8,192 rows, the largest tried.")],
)  # fmt: skip
def test_the_verdict_on_a_gpu(faster_from: int, words: str) -> None:
    card = SimpleNamespace(name="cupy", device="cuda:0", device_name=lambda: "Some Card")
    cpu = [Timing("numpy", "cpu", size, (2.0,)) for size in SIZES]
    gpu = [Timing("cupy", "cuda:0", size, (1.0 if size >= faster_from else 3.0,)) for size in SIZES]
    [verdict] = bench._verdicts([card], {}, [*cpu, *gpu])  # type: ignore[list-item]
    assert verdict == f"cupy on cuda:0 (Some Card) {words}"
