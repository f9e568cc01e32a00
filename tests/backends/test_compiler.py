"""Kernels in C: whose compiler makes them, where they are kept, and that training goes on without them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portanet
from portanet.backends import c_kernels
from portanet.backends import compiler as module
from portanet.backends.compiler import Compiler, name_of
from portanet.nn import Dense, ReLU, Sequential

BODY = "const long long start = w[0].n; return (int)start + 41;"


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compiler:
    """A compiler with an empty cache."""
    monkeypatch.delenv("PORTANET_CC", raising=False)
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    return Compiler()


def built(compiler: Compiler, body: str = BODY) -> Any:
    compiler.ask({name_of(body): body}, wait=True)
    return compiler.get(name_of(body))


def answer(function: Any) -> int:
    block = np.ones(1, np.uint64)
    return int(function(block.ctypes.data))


@pytest.fixture
def works(compiler: Compiler, tmp_path: Path) -> Compiler:
    """A compiler, on a machine that has one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTANET_CACHE", str(tmp_path / "other"))
        if built(Compiler()) is None:
            pytest.skip("no compiler here")
    return compiler


def test_a_function_is_compiled_once_and_kept(works: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    function = built(works)
    assert answer(function) == 42
    monkeypatch.setattr(subprocess, "Popen", None)  # another process takes what is there
    again = Compiler()
    again.ask({name_of(BODY): BODY})
    assert again.problem is None
    assert answer(again.get(name_of(BODY))) == 42


def test_nobody_else_can_write_where_kernels_are_kept(works: Compiler, tmp_path: Path) -> None:
    built(works)
    folder = tmp_path / "cache" / "kernels"
    for place in (folder, *folder.iterdir()):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


@pytest.mark.parametrize("what", ["the file", "the folder"])
def test_what_others_can_write_to_is_not_loaded(works: Compiler, tmp_path: Path, what: str) -> None:
    built(works)
    folder = tmp_path / "cache" / "kernels"
    [file] = folder.iterdir()
    (file if what == "the file" else folder).chmod(0o777)
    again = Compiler()
    assert built(again) is None
    assert again.problem is not None
    assert "others can write to" in again.problem


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_what_is_anothers_is_not_loaded(works: Compiler, tmp_path: Path) -> None:
    built(works)
    [file] = (tmp_path / "cache" / "kernels").iterdir()
    os.chown(file, 12345, 12345)
    again = Compiler()
    assert built(again) is None
    assert "others can write to" in str(again.problem)


def test_a_file_that_is_cut_short_is_no_library(works: Compiler, tmp_path: Path) -> None:
    in_another_process()
    [file] = (tmp_path / "cache" / "kernels").iterdir()
    file.write_bytes(file.read_bytes()[:10])
    assert built(works) is None
    assert "too short" in str(works.problem)


def test_an_empty_file_is_made_again(works: Compiler, tmp_path: Path) -> None:
    """Of a file that was written just before the power failed, only the name may be left."""
    in_another_process()
    [file] = (tmp_path / "cache" / "kernels").iterdir()
    file.write_bytes(b"")
    assert answer(built(works)) == 42
    assert works.problem is None


def in_another_process(count: int = 1) -> None:
    code = (
        "from portanet.backends.compiler import Compiler, name_of\n"
        f"body = {BODY!r}\n"
        "one = Compiler(); one.ask({name_of(body): body}, wait=True)\n"
        "assert one.get(name_of(body)) is not None, one.problem\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    assert [one.wait() for one in running] == [0] * count


@pytest.mark.parametrize(
    ("command", "fact"),
    [
        ("", "PORTANET_CC is empty"),
        ("no-such-compiler", "no-such-compiler"),
        ("false", "false"),
        ("true", "true"),
        ("cc -fno-such-flag", "no-such-flag"),
        (sys.executable + " -c 'import time; time.sleep(9)'", "timed out"),
    ],
)
def test_a_compiler_that_does_not_compile(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, fact: str
) -> None:
    monkeypatch.setenv("PORTANET_CC", command)
    monkeypatch.setattr("portanet.backends.compiler._SECONDS", 0.5)
    assert built(compiler) is None
    assert fact in str(compiler.problem)
    folder = tmp_path / "cache" / "kernels"
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(("method", "exact"), [(0, True), (16, True), (1, False), (2, False), (-1, False)])
def test_floats_are_computed_in_their_own_precision(
    works: Compiler, monkeypatch: pytest.MonkeyPatch, method: int, exact: bool
) -> None:
    """By FLT_EVAL_METHOD of the C standard: 16, of processors with halves, concerns only these."""
    monkeypatch.setenv("PORTANET_CC", f"cc -U__FLT_EVAL_METHOD__ -D__FLT_EVAL_METHOD__={method}")
    assert (built(works) is not None) == exact
    assert exact or "floats" in str(works.problem)


def test_a_cache_that_cannot_be_written(compiler: Compiler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "file"))
    assert built(compiler) is None
    assert compiler.problem is not None


def test_two_processes_at_once(works: Compiler, tmp_path: Path) -> None:
    in_another_process(3)
    assert len(list((tmp_path / "cache" / "kernels").iterdir())) == 1
    assert answer(built(works)) == 42


def test_files_that_vanish_meanwhile(works: Compiler, tmp_path: Path) -> None:
    """Those that another thread or process is working on: they are listed, and gone when they are looked at."""
    folder = tmp_path / "cache" / "kernels"
    folder.mkdir(mode=0o700, parents=True)
    for name in ("new-1", "2.so"):
        (folder / name).symlink_to(tmp_path / "gone")
    assert built(works) is not None, works.problem


def fit(seed: int = 0, **settings: Any) -> bytes:
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(320, 12)).astype(np.float32), rng.integers(0, 3, 320)
    model = Sequential(Dense(16), ReLU(), Dense(3))
    trained = portanet.fit(model, x, labels, batch_size=16, seed=0, optimizer=portanet.optim.Adam(), **settings)
    return b"".join(np.asarray(own).tobytes() for layer in trained.params.values() for own in layer.values())


def test_a_training_takes_its_kernels_when_they_are_there(works: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits, and steps do not wait."""
    monkeypatch.setattr(module, "compiler", lambda: works)
    taken: list[int] = []
    make: Callable[..., Any] = c_kernels.statements
    monkeypatch.setattr(
        "portanet.backends.numpy_calls.c_kernels.statements",
        lambda *given, **how: taken.append(1) or make(*given, **how),
    )

    class Wait(portanet.Callback):
        def log(self, row: dict[str, Any]) -> None:
            if row["epoch"] == 4:
                deadline = time.monotonic() + 60
                while (
                    len(works._functions) < len(works._asked) and works.problem is None and time.monotonic() < deadline
                ):
                    time.sleep(0.01)

    found = fit(epochs=8, backend=portanet.choose("numpy"), callbacks=[Wait()], log_every=1)
    assert works.problem is None
    assert len(taken) >= 2
    assert found == fit(epochs=8, backend=portanet.choose("numpy", fuse=False), log_every=1)
    assert found == fit(epochs=8, backend=portanet.choose("numpy", trace=False), log_every=1)


def test_a_command_cannot_make_floats_inexact(works: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTANET_CC", "cc -O3 -ffast-math")
    nan = "volatile double zero = 0; const double nan = zero / zero; return nan != nan;"
    assert answer(built(works, nan)) == 1


def test_two_calls_of_the_compiler_at_once_leave_each_other_alone(works: Compiler) -> None:
    slow = "return 0;" + " /* long */" * 100
    bodies = [f"volatile int i = {number}; return i;" for number in range(6)] + [slow]
    for body in bodies:
        works.ask({name_of(body): body})
    deadline = time.monotonic() + 60
    while len(works._functions) < len(bodies) and works.problem is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert works.problem is None
    assert [works.get(name_of(body))(0) for body in bodies] == [*range(6), 0]  # type: ignore[misc]


def test_a_training_without_a_compiler(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTANET_CC", "false")
    monkeypatch.setattr(module, "compiler", lambda: compiler)
    assert fit(epochs=4) == fit(epochs=4, backend=portanet.choose("numpy", trace=False))
    assert "false" in str(compiler.problem)
