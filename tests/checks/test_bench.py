"""The benchmarks compute right what they measured, and every peer takes the steps that portanet takes. No wall time."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import portanet
from portanet import Backend, Callback
from portanet.checks.bench import Timing, bench, break_even_batch_size, gains, on_gpu
from portanet.data import Dataset
from portanet.training.presets import PRESETS

pytestmark = pytest.mark.libraries

SCRIPTS = Path(__file__).parents[2] / "scripts"
RNG = np.random.default_rng(0)
DATA = Dataset(
    "made up", RNG.integers(0, 256, (40, 1, 4, 4)).astype(np.uint8), np.arange(40, dtype=np.int32) % 4, tuple("abcd")
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/bench.py as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("bench")


def peer(*seconds: float, memory: float = 100.0) -> dict[str, Any]:
    return {"seconds": list(seconds), "memory": memory, "how": "somehow"}


FOUND = {
    "portanet": peer(0.010, 0.020, 0.010, memory=50.0),
    "torch": peer(0.030, 0.040, 0.020, memory=200.0),
    "jax": {"skipped": "ModuleNotFoundError: No module named 'jax'"},
    "numpy": peer(0.010, 0.010, 0.010),
}


def test_ratios_compare_rounds_and_peaks(script: ModuleType) -> None:
    assert script.ratio(FOUND, "torch", "portanet", "seconds") == pytest.approx(2.0)  # of 3, 2 and 2
    assert script.ratio(FOUND, "numpy", "portanet", "seconds") == pytest.approx(1.0)  # of 1, 0.5 and 1
    assert script.ratio(FOUND, "torch", "portanet", "memory") == pytest.approx(4.0)
    assert script.ratio(FOUND, "jax", "portanet", "seconds") is None
    assert script.ratio(FOUND, "sklearn", "portanet", "seconds") is None


def test_verdicts(script: ModuleType) -> None:
    found = {
        (each["other"], each["figure"]): (each["ratio"], each["passed"])
        for each in script.verdicts(script.JOBS["full"], FOUND)
    }
    assert found == {
        ("torch", "seconds"): (pytest.approx(2.0), True),
        ("jax", "seconds"): (None, None),
        ("torch", "memory"): (pytest.approx(4.0), True),
        ("numpy", "seconds"): (pytest.approx(1.0), True),
        ("portanet-plain", "seconds"): (None, None),
        ("portanet-traced", "seconds"): (None, None),
    }


def test_the_table_names_every_peer(script: ModuleType) -> None:
    lines = script.table(script.JOBS["full"], FOUND)
    rows = [line for line in lines if line.startswith("| ")]
    assert rows[1:] == [
        "| portanet | 10 | 10 to 20 | 1.00 | 50 | somehow |",
        "| NumPy by hand | 10 | 10 to 10 | 1.00 | 100 | somehow |",
        "| PyTorch | 30 | 20 to 40 | 2.00 | 200 | somehow |",
    ]
    assert lines[-1] == "JAX, epochs under `lax.scan` is left out: ModuleNotFoundError: No module named 'jax'"
    slower = FOUND | {"torch": peer(0.010, 0.020, 0.010)}
    assert "**miss**" in "".join(
        script.verdict_table({"full": {"required": script.verdicts(script.JOBS["full"], slower)}})
    )


@pytest.mark.parametrize(("job", "words"), [("full", "12"), ("mini", "12,000"), ("predict", "5,833,333")])
def test_units(script: ModuleType, job: str, words: str) -> None:
    assert script.figure(script.in_unit(script.JOBS[job], 0.012)) == words


class Ways:
    """In place of the clock: keeps the ways of a peer."""

    def drive(self, ways: dict[str, Any]) -> None:
        self.found = ways


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "mini", "cnn"])
@pytest.mark.parametrize("library", ["numpy", "torch", "torch-hand", "jax"])
def test_peers_take_the_same_steps(script: ModuleType, library: str, name: str, tmp_path: Path) -> None:
    pytest.importorskip(library.removesuffix("-hand"))
    if library not in script.JOBS[name].peers:
        pytest.skip(f"{library} has no part in the job {name}")
    jobs, child, portanet_fit = (
        importlib.import_module(f"bench_peers.{part}") for part in ("jobs", "child", "portanet_fit")
    )
    jobs.write(dataclasses.replace(jobs.JOBS[name], rows=140), tmp_path)  # the last batch is a short one
    job, data = jobs.read_back(tmp_path)
    run = portanet_fit.train(job, data, portanet.choose("numpy"), epochs=2, log_every=1, callback=Callback())
    layers = [own for own in run.params.values() if "weight" in own]
    expected = [own[kind] for kind in ("weight", "bias") for own in layers]
    module, told = child.MODULES[library]
    pace = Ways()
    importlib.import_module(f"bench_peers.{module}").run(job, data, pace, told)
    for way in pace.found.values():
        way.epochs(2)
        for array, wanted, start in zip(way.weights(), expected, data.weights + data.biases, strict=True):
            assert np.abs(wanted - start).max() > 1e-3
            np.testing.assert_allclose(array, wanted, atol=1e-5)


def run_script(*arguments: str, path: Path | None = None) -> dict[str, Any]:
    before = (str(path), os.environ.get("PYTHONPATH", "")) if path else (os.environ.get("PYTHONPATH", ""),)
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "bench.py"), "--quick", "--json", *arguments],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": os.pathsep.join(before)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_script_measures_and_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "sklearn.py").write_text("raise ModuleNotFoundError('no sklearn here')")
    found = run_script("--jobs", "small", "--peers", "portanet,numpy,sklearn", path=tmp_path)
    assert {"cpu", "cores", "blas", "versions"} == set(found["host"])
    peers = found["jobs"]["small"]["peers"]
    assert peers["sklearn"] == {"skipped": "ModuleNotFoundError: no sklearn here"}
    for name in ("portanet", "numpy"):
        assert len(peers[name]["seconds"]) == 1
        assert peers[name]["seconds"][0] > 0
        assert 10 < peers[name]["memory"] < 1000
    assert peers["numpy"]["how"] in ("uint8 rows", "float32 rows")


def test_a_timing_is_described_by_its_median() -> None:
    assert Timing("numpy", "cpu", 128, (3.0, 1.0, 7.0)).median == 3.0


@pytest.mark.parametrize(
    ("gpu", "size"),
    [((3, 3, 1, 1), 128), ((1, 3, 1, 1), 128), ((1, 1, 1, 1), 32), ((1, 1, 1, 2), None), ((3, 3, 3, 1), 256)],
)
def test_where_the_gpu_begins_to_win(gpu: tuple[float, ...], size: int | None) -> None:
    sizes = (32, 64, 128, 256)
    assert break_even_batch_size(dict.fromkeys(sizes, 2.0), dict(zip(sizes, gpu, strict=True))) == size


@pytest.mark.parametrize(
    ("device", "gpu"), [("cpu", False), ("cpu:0", False), ("device1", False), ("cuda:0", True), ("gpu:1", True)]
)
def test_gpus_are_known_by_their_device(device: str, gpu: bool) -> None:
    assert on_gpu(device) is gpu


@pytest.mark.parametrize("preset", ["classic", "mlp"])
def test_backends_take_turns(backend: Backend, preset: str) -> None:
    heard: list[str] = []
    found = bench([backend, backend], PRESETS[preset], DATA, rounds=2, seconds=0.001, batch_size=None, say=heard.append)
    size = 40
    for timing in found:
        assert (timing.backend, timing.device, timing.batch_size) == (backend.name, backend.device, size)
        assert len(timing.seconds) == 2
        assert min(timing.seconds) > 0
    assert heard[-1] == f"batches of {size}: round 2 of 2"


def test_traced_beside_plain() -> None:
    found = bench(
        [portanet.choose("numpy"), portanet.choose("numpy", trace=False)], PRESETS["mlp"], DATA, rounds=2, seconds=0.001
    )
    assert [timing.backend for timing in found] == ["numpy", "numpy plain"]
    assert set(gains(found)) == {"numpy"}
    assert gains([Timing("a", "cpu", 1, (1.0, 4.0, 2.0)), Timing("a plain", "cpu", 1, (3.0, 4.0, 4.0))]) == {"a": 2.0}


def test_short_batches_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from portanet import choose
    from portanet.checks import bench as module

    rows = []

    def fit_spec(spec: Any, model: Any, data: Any, watchers: Any, **_: Any) -> None:
        rows.append(len(data))
        _log(watchers)

    monkeypatch.setattr(module, "fit_spec", fit_spec)
    bench([choose("numpy")], PRESETS["mlp"], DATA, batch_size=16, rounds=1)
    assert set(rows) == {32}


def _log(callbacks: list[Callback]) -> None:
    for _ in range(4):
        callbacks[0].log({})
