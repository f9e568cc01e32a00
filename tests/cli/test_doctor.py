"""portanet doctor: what is here, how far each backend comes, and what to do where it stops."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import types
from typing import Any

import numpy as np
import pytest
from console import Call

import portanet
from portanet import _machine, optim

pytestmark = pytest.mark.libraries

STAGES = ("installed", "imports", "device", "kernel")


def reached(state: dict[str, Any]) -> list[bool | None]:
    return [state[stage] for stage in STAGES]


def test_json_and_text_say_the_same(cli: Call) -> None:
    found = cli("doctor", "--json").json
    assert list(found) == ["versions", "cores", "threads", "blas", "cache", "kernels", "backends"]
    assert found["cache"]["folder"] == os.environ["PORTANET_CACHE"]
    assert found["versions"]["portanet"] == portanet.__version__
    assert found["versions"]["numpy"] == importlib.metadata.version("numpy")
    assert found["cores"] >= found["threads"]["number"] >= 1
    assert list(found["backends"]) == ["numpy", "cupy", "torch", "jax", "strict"]
    assert found["backends"]["numpy"] == dict.fromkeys(STAGES, True) | {"name": "cpu", "problem": None}
    assert all(state["name"] or state["problem"] for state in found["backends"].values())
    lines = cli("doctor").out.splitlines()
    assert found["kernels"] == {"compiled": False, "problem": "PORTANET_CC is empty"}
    assert f"{'kernels':18}none, so steps are slower: PORTANET_CC is empty" in lines
    assert f"{'threads':18}{found['threads']['number']}: {found['threads']['reason']}" in lines
    megabytes = f"{found['cache']['bytes'] / 1e6:,.0f}"
    assert ["cache", f"{found['cache']['folder']},", megabytes, "MB"] in [line.split() for line in lines]
    for name, version in found["versions"].items():
        assert [name, version or "missing"] in [line.split() for line in lines]
    for name, state in found["backends"].items():
        (at,) = [i for i, line in enumerate(lines) if line.startswith(f"{name:8}installed")]
        answers = [{"yes": True, "no": False, "-": None}[word] for word in lines[at].split()[2:9:2]]
        assert answers == reached(state)
        assert (lines[at + 1].strip() if state["problem"] else lines[at].split()[-1]) == (
            state["problem"] or state["name"]
        )


def test_numpys_threads_are_counted(cli: Call) -> None:
    for library in cli("doctor", "--json").json["blas"]:
        assert library["limitable"] is (library["threads"] is not None)


def test_a_blas_whose_threads_nobody_can_limit(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "its threads cannot be limited, so runs may differ in the last bits"
    assert words not in cli("doctor").out
    unknown = {"user_api": "blas", "internal_api": "blis", "version": "1.0", "num_threads": None}
    for found, name in (([], "none that threadpoolctl knows"), ([unknown], "blis 1.0, None threads")):
        monkeypatch.setattr(_machine, "blas", lambda found=found: types.SimpleNamespace(info=lambda: found))
        assert f"{'BLAS':18}{name}; {words}\n" in cli("doctor").out


def test_a_missing_package(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jax" else find(name))
    state = cli("doctor", "--json").json["backends"]["jax"]
    assert reached(state) == [False, None, None, None]
    assert state["problem"] == "jax is not installed; pip install 'portanet[jax]'."


def test_a_leftover_folder_of_its_name_is_no_package(cli: Call, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("cupy") is not None:
        pytest.skip("the package itself is installed, and is found first")
    (place / "cupy").mkdir()
    monkeypatch.syspath_prepend(place)
    assert "cupy is not installed" in cli("doctor", "--json").json["backends"]["cupy"]["problem"]


def test_a_package_that_does_not_import(cli: Call, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "torch.py").write_text("raise OSError('libtorch.so: cannot open shared object file\\nmore')\n")
    monkeypatch.syspath_prepend(place)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    state = cli("doctor", "--json").json["backends"]["torch"]
    assert reached(state) == [True, False, None, None]
    assert "does not import (libtorch.so: cannot open shared object file)" in state["problem"]
    assert "pip install 'portanet[torch]'" in state["problem"]


class _RuntimeError(RuntimeError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def fake_cupy(*, count: Any, product: Any = None) -> types.ModuleType:
    """A module like CuPy on a machine with so many devices (or this error), where x @ x does `product`."""

    class Device:
        def __init__(self, number: int) -> None: ...
        def use(self) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None: ...

    class Vector:
        def __matmul__(self, other: object) -> Any:
            if isinstance(product, Exception):
                raise product
            return product

    def devices() -> int:
        if isinstance(count, Exception):
            raise count
        return int(count)

    cupy: Any = types.ModuleType("cupy")
    cupy.__spec__ = importlib.machinery.ModuleSpec("cupy", None, origin="made up")
    runtime = types.SimpleNamespace(getDeviceCount=devices, CUDARuntimeError=_RuntimeError)
    cupy.cuda = types.SimpleNamespace(runtime=runtime, Device=Device)
    cupy.array = lambda *arguments, **options: Vector()
    cupy.asnumpy = lambda x: x
    return cupy


CUPY = {
    "no driver": (
        {"count": _RuntimeError(35, "cudaErrorInsufficientDriver")}, [True, True, False, None],
        ["no usable NVIDIA driver", "cudaErrorInsufficientDriver", "nvidia-smi"],
    ),
    "no device, by an error": (
        {"count": _RuntimeError(100, "cudaErrorNoDevice")}, [True, True, False, None],
        ["no GPU is visible", "CUDA_VISIBLE_DEVICES"],
    ),
    "no device, by the count": ({"count": 0}, [True, True, False, None], ["no GPU is visible"]),
    "no compiler": (
        {"count": 1, "product": RuntimeError("CuPy failed to load libnvrtc.so.12: cannot open\nand so on")},
        [True, True, True, False],
        ["cupy sees cuda:0", "CuPy failed to load libnvrtc.so.12: cannot open)", "pip install 'portanet[cuda13]'"],
    ),
    "wrong results": ({"count": 1, "product": np.float32(7)}, [True, True, True, False], ["wrong results on cuda:0"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CUPY)
def test_each_way_in_which_a_gpu_fails(cli: Call, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    machine, stages, expected = CUPY[case]
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(**machine))
    state = cli("doctor", "--json").json["backends"]["cupy"]
    assert reached(state) == stages
    assert [words for words in expected if words not in state["problem"]] == []
    assert "\n" not in state["problem"]
    named = cli("train", "flowers.csv", "--epochs", 1, "--backend", "cupy")
    assert (named.code, named.out, named.err) == (1, "", f"portanet: {state['problem']}\n")
    auto = cli("train", "flowers.csv", "--epochs", 1)
    assert auto.code == 0
    assert auto.err.startswith(f"numpy on cpu (auto: {state['problem'].partition(';')[0]})\n")


def test_a_gpu_that_works_is_taken_and_named(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(count=2, product=np.float32(5)))
    state = cli("doctor", "--json").json["backends"]["cupy"]
    assert (reached(state), state["name"], state["problem"]) == ([True] * 4, "cuda:0", None)
    wrong = cli("train", "flowers.csv", "--backend", "cupy", "--device", "cuda:2")
    assert wrong.code == 1
    assert "no device 'cuda:2'; it sees 2, from cuda:0 to cuda:1" in wrong.err


def test_the_parity_check_of_one_backend(cli: Call, backend: Any) -> None:
    found = cli("doctor", "--backend", backend.name, "--json").json
    assert found["passed"]
    assert 0 < found["gradient"][1] < 1e-5
    assert cli("doctor", "--backend", backend.name).out.startswith(f"{backend.name} on {backend.device}: right;")


def test_a_backend_that_computes_wrong_is_found(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    update = optim.Adam.update

    def faulty(self: Any, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        wrong = grads * 1.01 if flat.dtype == "float32" else grads
        return update(self, flat, wrong, state, learning_rate=learning_rate * (1.0 + (wrong is not grads)))

    monkeypatch.setattr(optim.Adam, "update", faulty)
    found = cli("doctor", "--backend", "numpy")
    assert found.code == 1
    assert "numpy on cpu: WRONG, above 0.0001" in found.out
