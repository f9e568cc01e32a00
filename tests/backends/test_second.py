"""Two halves of a call on two threads: the same bits, whether or not the second thread comes."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
from legs import kernels_at_once

import portanet
from portanet.backends import c_calls, c_kernels, trial
from portanet.backends.c_calls import c_call_of, second
from portanet.backends.c_calls.call import CCall, HostArray, compiled
from portanet.backends.numpy_calls import NumPyCalls
from portanet.nn import Dense, ReLU, Sequential
from portanet.optim import Adam
from portanet.tracing import Statement, Traced
from portanet.training.steps import shards
from portanet.xp import namespace


@pytest.fixture(autouse=True)
def there() -> Iterator[None]:
    with kernels_at_once() as compiler:
        compiler.ask(c_calls.bodies())
        if compiler.problem is not None:
            pytest.skip(f"no compiler here: {compiler.problem}")
        second.second()._rested = 0  # although tests on all cores may have let it sleep
        yield


def sums(size: int = 1000) -> tuple[CCall, HostArray, HostArray]:
    """Two halves of out = x + 1, with both arrays."""
    x, out = np.arange(float(size)), np.zeros(size)
    cuts = slice(size // 2), slice(size // 2, size)
    halves = [c_call_of(Statement(np.add, (x[cut], np.ones(())), {"out": out[cut]})) for cut in cuts]
    assert None not in halves
    made = second.pair(*halves)  # type: ignore[arg-type]
    assert made is not None
    return made, x, out


def run(call: CCall) -> None:
    function = compiled(second.PAIR)
    assert function is not None
    function(call.words.ctypes.data)


def test_both_halves_are_computed_however_the_threads_run() -> None:
    call, x, out = sums()
    for wait in [0.0, 0.0, 2e-3, 1e-4] * 50:
        second.second().wake()
        time.sleep(wait)
        out[...] = 0
        run(call)
        assert (out == x + 1).all()


def test_nobody_waits_for_a_thread_that_sleeps() -> None:
    call, x, out = sums()
    time.sleep(0.05)
    assert second.second().box[second._PRESENT] == 0
    run(call)
    assert (out == x + 1).all()
    assert second.second().box[second._STATE] == second._FREE


def test_a_half_that_is_not_begun_is_taken_back() -> None:
    """As if the thread had been there and the system did not run it."""
    call, x, out = sums()
    time.sleep(0.05)
    box = second.second().box
    box[second._PRESENT] = 1
    try:
        run(call)
    finally:
        box[second._PRESENT] = 0
    assert (out == x + 1).all()
    assert box[second._STATE] == second._FREE


def test_without_a_free_core_it_sleeps_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were awake, and the system did not run it."""
    call, _, _ = sums()
    time.sleep(0.05)
    one, woken = second.second(), SimpleQueue[None]()
    monkeypatch.setattr(one, "_calls", woken)
    one.box[[second._GIVEN, second._LEFT]] = one._wakes = 0
    one.box[second._PRESENT], one._awake = 1, True
    try:
        for _ in range(second._SOME):
            one.wake()
            run(call)
        one.wake()
    finally:
        one.box[second._PRESENT], one._awake = 0, False
    for _ in range(second._AGAIN - 2):
        one.wake()
    assert woken.empty()
    for _ in range(2):
        one.wake()
    assert not woken.empty()
    one._awake = False


def test_the_thread_takes_part() -> None:
    """Its half is there although the other one has not ended: the first half waits for it."""
    call, _, out = sums(200_000)
    taken = 0
    for _ in range(200):
        second.second()._rested = 0
        second.second().wake()
        before = second.second().box[second._FUNCTION]
        second.second().box[second._FUNCTION] = 0
        run(call)
        taken += int(second.second().box[second._FUNCTION] != 0)
        second.second().box[second._FUNCTION] = before
        time.sleep(1e-4)
    assert taken, "it was never there"
    assert out[-1] == 200_000


def test_callers_on_many_threads_do_not_mix() -> None:
    wrong: list[int] = []

    def work(size: int) -> None:
        call, x, out = sums(size)
        for _ in range(300):
            second.second().wake()
            out[...] = 0
            run(call)
            if not (out == x + 1).all():
                wrong.append(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in (10, 1000, 50_000, 3000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_faster_way_is_taken_and_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may take a core at any time, or give it back."""
    monkeypatch.setattr(second, "_AGAIN", 2 * trial.TRIES + 1)
    calls: list[str] = []
    slow = ""

    def way(name: str) -> None:
        calls.append(name)
        time.sleep(5e-3 * (name == slow))

    faster = second.Faster(lambda: way("shared"), lambda: way("own"))
    faster._calls = 0
    for slow, fast in (("shared", "own"), ("own", "shared"), ("shared", "own")):  # noqa: B007 # `way` reads it
        calls.clear()
        for _ in range(2 * trial.TRIES):
            faster()
        assert sorted(calls) == ["own"] * trial.TRIES + ["shared"] * trial.TRIES
        faster()
        assert calls[-1] == fast


def test_one_pair_is_compared_at_a_time() -> None:
    """What the second thread leaves in its cache decides how fast the calls after it are."""
    calls: list[str] = []
    pairs = [second.Faster(lambda: calls.append("shared"), lambda: calls.append("own")) for _ in range(3)]
    for pair in pairs:
        pair.is_shared = False  # until it is compared
    compared = []
    for _ in range(40 * 2 * trial.TRIES):
        before = [pair._trial for pair in pairs]
        for pair in pairs:
            pair()
        compared += [i for i, pair in enumerate(pairs) if pair._trial is not before[i]]
        trying = [0 < pair._calls % second._AGAIN <= 2 * trial.TRIES for pair in pairs]
        assert sum(trying) <= 1
    assert sorted(compared) == [0, 1, 2]


def test_halves_refuse_rows_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both halves look at all rows, so none of them has written anything when the calls are made instead."""

    def function(x: Any, rows: Any) -> Any:
        xp = namespace(x)
        return xp.astype(xp.take(x, rows, axis=0), xp.float32) * 0.5

    x, rows = np.arange(200 * 400, dtype=np.uint8).reshape(200, 400), np.arange(200) % 50
    one = Traced(function, NumPyCalls(shards.workers(2).run_pair), warmup=0)
    halved, run = [], c_kernels._Halved.run
    monkeypatch.setattr(c_kernels._Halved, "run", lambda self: halved.append(1) or run(self))
    for _ in range(6):
        np.testing.assert_array_equal(one(x, rows.copy()), function(x, rows))
    assert halved, "its kernel is not shared"
    for at in (0, 199):
        wrong = rows.copy()
        wrong[at] = 200
        with pytest.raises(IndexError):
            one(x, wrong)
        np.testing.assert_array_equal(one(x, rows - 50), function(x, rows - 50))


def trained(workers: int, **settings: Any) -> bytes:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(512, 700)).astype(np.float32), rng.integers(0, 10, 512)
    model = Sequential(Dense(128), ReLU(), Dense(10))
    backend = portanet.choose("numpy", **settings)
    run = portanet.fit(
        model, x, labels, batch_size=128, epochs=40, optimizer=Adam(), backend=backend, workers=workers, log_every=40
    )
    return b"".join(np.asarray(own).tobytes() for layer in run.params.values() for own in layer.values())


def test_training_gives_the_same_bits_with_two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the halves of products and of the optimizer's kernel shared in each step, in some, and in none."""
    made: list[second.Faster] = []
    init = second.Faster.__init__

    def noted(self: second.Faster, *ways: Any) -> None:
        init(self, *ways)
        made.append(self)

    monkeypatch.setattr(second.Faster, "__init__", noted)
    alone = trained(1)
    assert not made
    assert trained(2) == alone
    assert len(made) >= 3, "no product and no kernel was shared"
    monkeypatch.setattr(second.Faster, "is_shared", property(lambda _: True, lambda *_: None), raising=False)
    assert trained(2) == alone
    assert trained(2, trace=False) == alone
    shards.workers.cache_clear()


def test_a_process_without_the_thread_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a forked one, where it never sleeps again."""
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda _: None)
        own = second.Second()
    atexit.unregister(own.stop)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    own.stop()


READY = """
import os
import numpy as np
from portanet.backends import c_calls, compiler
from portanet.backends.c_calls import c_call_of, second
from portanet.tracing import Statement, Traced
compiler.compiler().ask(c_calls.bodies(), wait=True)
x, out = np.arange(1000.0), np.zeros(1000)
halves = [c_call_of(Statement(np.add, (x[cut], x[cut]), {"out": out[cut]})) for cut in (slice(500), slice(500, 1000))]
call = second.pair(*halves)
run = c_calls.compiled(second.PAIR)
second.second().wake()
"""
FORKED = """
child = os.fork()
for _ in range(100):
    out[...] = 0
    run(call.words.ctypes.data)
    assert (out == 2 * x).all()
    second.second().wake()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("text", ["", FORKED], ids=["ends", "forks"])
def test_a_process_ends_or_forks_while_the_thread_is_awake(text: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PORTANET_CC"}
    for _ in range(5):
        command = [sys.executable, "-W", "ignore", "-c", READY + text]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
