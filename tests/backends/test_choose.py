"""Moving arrays between host and device, choosing, and what is said where a backend cannot run."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import portanet
from portanet import _machine, backends, nn
from portanet.backends import NAMES, Backend, package
from portanet.backends.base import untraced
from portanet.errors import BackendError

pytestmark = pytest.mark.libraries


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool"])
def test_there_and_back(backend: Backend, dtype: str) -> None:
    host = (np.arange(12).reshape(3, 4) % 5).astype(dtype)
    there = backend.put(host)
    back = backend.to_numpy(there)
    assert isinstance(back, np.ndarray)
    assert back.dtype == dtype
    assert np.array_equal(back, host)


def test_put_copies(backend: Backend) -> None:
    host = np.zeros((2, 2), np.float32)
    there = backend.put(host)
    host += 1.0
    assert not backend.to_numpy(there).any()


@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[::-1], lambda x: x[:, ::2], lambda x: x[:0]])
def test_put_takes_any_view(backend: Backend, view: Any) -> None:
    host = view(np.arange(12.0).reshape(3, 4))
    assert np.array_equal(backend.to_numpy(backend.put(host, "float32")), host)


def test_put_gives_the_dtype(backend: Backend) -> None:
    assert backend.to_numpy(backend.put(np.arange(3), "float32")).dtype == np.float32
    assert backend.to_numpy(backend.put(np.asarray(0.5), "float32")).shape == ()
    with backend.session("float64"):
        assert backend.to_numpy(backend.put(np.asarray([1e300]), "float64"))[0] == 1e300


def test_an_array_tells_its_backend(backend: Backend) -> None:
    found = backends.of(backend.put(np.zeros(2), "float32"))
    assert (found.name, found.device) == (backend.name, backend.device)


def test_an_own_class_of_arrays_belongs_to_its_library(torch: Any) -> None:
    class Mine(np.ndarray[Any, Any]):
        pass

    assert backends.name_of(np.zeros(2).view(Mine)) == "numpy"

    class Named(torch.Tensor):  # type: ignore[misc]
        pass

    assert backends.name_of(torch.zeros(2).as_subclass(Named)) == "torch"


def test_functions_are_traced_unless_told_otherwise() -> None:
    assert portanet.choose("numpy").tracer() is not untraced
    assert portanet.choose("numpy", trace=False).tracer() is untraced
    assert portanet.choose("auto", "cpu", trace=False).tracer() is untraced


def test_probe_and_repr(backend: Backend) -> None:
    backend.probe()
    backend.synchronize()
    assert repr(backend) == f"<{backend.name} on {backend.device}>"


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1", "device2"])
def test_devices_of_strict(device: str) -> None:
    pytest.importorskip("array_api_strict")
    assert backends.of(portanet.choose("strict", device).put(np.zeros(2))).device == device


def test_a_probe_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = portanet.choose("numpy")

    def broken(x: Any) -> Any:
        raise RuntimeError("device lost")

    monkeypatch.setattr(chosen, "to_numpy", broken)
    with pytest.raises(BackendError, match=r"numpy .*cpu.* \(device lost\); reinstall it"):
        chosen.probe()
    monkeypatch.setattr(chosen, "to_numpy", lambda x: np.asarray(7.0))
    with pytest.raises(BackendError, match="numpy computes wrong results on cpu"):
        chosen.probe()


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("tensorflow", None, "'tensorflow'; choose from auto, numpy, cupy, torch, jax, strict"),
        ("numpy", "cuda", "numpy runs on cpu only, got device 'cuda'; leave out device='cuda'"),
        ("strict", "device9", "strict has no device 'device9'; it has CPU_DEVICE, device1 and device2"),
        ("torch", "nowhere", "torch cannot use device 'nowhere': .*; try cpu"),
        ("jax", "nowhere", "jax has no device 'nowhere': .*; try cpu"),
        ("jax", "cpu:99", "jax has no device 'cpu:99': .*; try cpu"),
        ("jax", "cpu:x", "jax has no device 'cpu:x': .*; try cpu"),
    ],
)
def test_backends_that_cannot_be(name: str, device: str | None, message: str) -> None:
    if name in NAMES and importlib.util.find_spec({"strict": "array_api_strict"}.get(name, name)) is None:
        pytest.skip(f"{name} is not installed")
    with pytest.raises(BackendError, match=message) as caught:
        portanet.choose(name, device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("strict", "array_api_strict is not installed; pip install array-api-strict"),
        ("cupy", r"cupy is not installed; pip install 'portanet\[cuda13\]' \(or portanet\[cuda12\]\) .* NVIDIA GPU"),
        ("torch", r"torch is not installed; pip install 'portanet\[torch\]'"),
        ("jax", r"jax is not installed; pip install 'portanet\[jax\]'"),
    ],
)
def test_a_library_that_is_missing(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(BackendError, match=message):
        portanet.choose(name)


def test_a_library_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    own = importlib.import_module

    def broken(name: str) -> Any:
        if name != "torch":
            return own(name)
        raise OSError("libcudart.so.13: cannot open shared object file\nand more")

    monkeypatch.setattr(importlib.util, "find_spec", lambda package: SimpleNamespace(origin="there"))
    monkeypatch.setattr(package.importlib, "import_module", broken)
    message = r"torch is installed, but does not import \(libcudart.so.13: cannot open shared object file\); pip"
    with pytest.raises(BackendError, match=message):
        backends.choose("torch")


def test_arrays_of_nobody() -> None:
    with pytest.raises(BackendError, match=r"builtins .*numpy, cupy"):
        backends.of([1.0])  # type: ignore[arg-type]


def test_auto_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(device: str | None = None) -> Any:
        raise BackendError("no GPU is visible")

    monkeypatch.setattr("portanet.backends.cupy.CuPy", missing)
    chosen = portanet.choose()
    assert (chosen.name, chosen.reason) == ("numpy", "no GPU is visible")
    assert portanet.choose("auto", "cpu").reason == "the device is cpu"


def test_auto_with_a_device_does_not_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(BackendError, match="cupy is not installed"):
        portanet.choose("auto", "cuda:0")


class FakeRuntimeError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError {status}")
        self.status = status


class FakeCuPy(contextlib.nullcontext[None]):
    """What the CuPy backend touches up to its first kernel: the count of devices, or the error in its place."""

    def __init__(self, answer: int | FakeRuntimeError) -> None:
        super().__init__()
        self.cuda = self.runtime = self
        self.CUDARuntimeError = FakeRuntimeError
        self._answer = answer

    def getDeviceCount(self) -> int:  # noqa: N802 - CuPy's name
        if isinstance(self._answer, FakeRuntimeError):
            raise self._answer
        return self._answer

    def Device(self, number: int) -> FakeCuPy:  # noqa: N802 - CuPy's name
        return self

    def use(self) -> None: ...

    def array(self, *arguments: Any, **keywords: Any) -> Any:
        raise RuntimeError("libnvrtc.so.13: cannot open\nand more")


@pytest.mark.parametrize(
    ("answer", "device", "message"),
    [
        (FakeRuntimeError(35), None, r"no usable NVIDIA driver \(cudaError 35\); install or update the driver"),
        (FakeRuntimeError(100), None, "no GPU is visible; see what nvidia-smi prints"),
        (0, None, "no GPU is visible; see what nvidia-smi prints"),
        (1, None, r"cupy sees cuda:0, but cannot compute on it \(libnvrtc.so.13: cannot open\); install it with"),
        (2, "cuda:2", "cupy has no device 'cuda:2'; it sees 2, from cuda:0 to cuda:1"),
        (2, "gpu", "cupy has no device 'gpu'; it sees 2"),
    ],
)
def test_what_cupy_says_without_a_gpu(
    answer: int | FakeRuntimeError, device: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portanet.backends.cupy.import_package", lambda package, remedy: FakeCuPy(answer))
    with pytest.raises(BackendError, match=message):
        portanet.choose("cupy", device)


def test_blas_has_one_thread_while_numpy_computes() -> None:
    def threads() -> list[int]:
        """Of the libraries that were there when NumPy's was looked for: SciPy may have brought one since."""
        return [pool["num_threads"] for pool in _machine.blas().info() if pool["user_api"] == "blas"]

    before = threads()
    with portanet.choose("numpy").session():
        assert set(threads()) == {1}
    assert threads() == before


def test_jax_is_not_switched_globally(jax: Any) -> None:
    with portanet.choose("jax").session("float64"):
        assert jax.numpy.zeros(1).dtype == "float64"
    assert jax.numpy.zeros(1).dtype == "float32"


def test_synchronize_waits_for_what_jax_still_computes(jax: Any) -> None:
    def long(x: Any) -> Any:
        return jax.lax.fori_loop(0, 3000, lambda _, y: jax.numpy.tanh(y @ x), x)

    chosen, x = portanet.choose("jax"), jax.numpy.full((100, 100), 0.01)
    long = jax.jit(long)
    long(x).block_until_ready()
    y = long(x)
    assert not y.is_ready(), "too short to show anything"
    chosen.synchronize()
    assert y.is_ready()


def test_torch_records_no_graph(torch: Any) -> None:
    chosen = portanet.choose("torch")
    weight = torch.ones(2, requires_grad=True)
    with chosen.session():
        assert not (weight * 2).requires_grad
    assert (weight * 2).requires_grad
    assert chosen.to_numpy(weight).tolist() == [1.0, 1.0]


def test_auto_in_a_process_without_cupy() -> None:
    """The whole way, in a fresh interpreter that cannot find CuPy."""
    code = (
        "import sys, importlib.util as u; own = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'cupy' else own(name, *a)\n"
        "import portanet; b = portanet.choose(); print(b.name, '|', b.reason)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.startswith("numpy | cupy is not installed; pip install")


def test_a_leftover_folder_is_no_library(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip leaves behind of a package is a folder without __init__.py, which Python finds all the same."""
    name = "cupy"
    (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(BackendError, match="cupy is not installed"):
        backends.choose(name)


def test_a_full_device_says_what_to_try(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **settings: Any) -> Any:
        raise MemoryError("out of memory")

    monkeypatch.setattr(nn.Dense, "forward", full)
    x, labels = np.ones((40, 3), np.float32), np.zeros(40, np.int32)
    with pytest.raises(BackendError, match=r"memory .* 16 rows; .*batch_size=8"):
        portanet.fit(nn.Sequential(nn.Dense(2)), x, labels, batch_size=16, backend=backend)


def test_each_library_knows_its_own_words_for_a_full_device(backend: Backend) -> None:
    errors = {
        "cupy": lambda: importlib.import_module("cupy").cuda.memory.OutOfMemoryError(8, 0, 0),
        "torch": lambda: importlib.import_module("torch").OutOfMemoryError("CUDA out of memory"),
        "jax": lambda: RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"),
    }
    assert backend.out_of_memory(errors.get(backend.name, MemoryError)())
    assert not backend.out_of_memory(RuntimeError("something else"))


def test_a_device_that_is_really_full() -> None:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed: its memory pool can be limited")
    backend = _cupy_or_skip()
    x, labels = np.zeros((4096, 64), np.uint8), np.zeros(4096, np.int32)
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(size=pool.used_bytes() + 2**19)
    try:
        with pytest.raises(BackendError, match=r"cupy on cuda:0 .*memory .* 4096 rows"):
            portanet.fit(nn.Sequential(nn.Dense(2)), x, labels, batch_size="full", backend=backend)
    finally:
        pool.set_limit(size=0)
    assert portanet.fit(nn.Sequential(nn.Dense(2)), x[:64], labels[:64], epochs=1, backend=backend).steps == 1


def _cupy_or_skip() -> Backend:
    try:
        return portanet.choose("cupy")
    except BackendError as error:
        pytest.skip(str(error))
