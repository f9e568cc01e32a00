"""Parts of a sum: in order, whoever computes them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import portanet
from portanet import _machine
from portanet.cli.remedies import with_flags
from portanet.errors import ConfigError
from portanet.nn import Dense, ReLU, Rescale, Sequential
from portanet.training.steps import shards


@pytest.mark.parametrize("size", [1, 2, 4])
def test_parts_come_in_order(size: int) -> None:
    def part(i: int) -> int:
        time.sleep(0.002 * (7 - i))  # later parts are done sooner
        return i

    assert list(shards.workers(size).map(part, 7)) == list(range(7))
    assert shards.workers(size).size == size
    assert shards.workers(size) is shards.workers(size)


def test_several_threads_take_part() -> None:
    meeting = threading.Barrier(3, timeout=10)  # passed only by three at once
    list(shards.workers(3).map(lambda i: meeting.wait(), 3))


def test_an_error_in_a_part_is_raised() -> None:
    def part(i: int) -> int:
        if i == 2:
            raise ValueError("part 2")
        return i

    with pytest.raises(ValueError, match="part 2"):
        list(shards.workers(2).map(part, 4))
    assert list(shards.workers(2).map(lambda i: i, 4)) == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_sum_is_added_in_order(size: int, count: int) -> None:
    """Floats whose sum depends on the order; later parts are done sooner."""
    numbers = np.random.default_rng(3).normal(size=count).astype(np.float32) * 10.0 ** np.arange(count, 0, -1)

    def part(i: int) -> tuple[Any, ...]:
        time.sleep(0.0005 * (count - i) / count)
        return numbers[i : i + 1].copy(), np.asarray([i])

    total, order = shards.workers(size).sum(part, count)
    assert total.tobytes() == shards.add((numbers[i : i + 1].copy(),) for i in range(count))[0].tobytes()
    assert order == sum(range(count))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_parts_that_are_written_again(size: int) -> None:
    """Each thread gives the same array in every call, and only what it holds by then is added."""
    here = threading.local()

    def part(i: int) -> tuple[Any, ...]:
        if not hasattr(here, "array"):
            here.array = np.empty(1000)
        time.sleep(0.0005 * ((i * 7) % 5))
        here.array[...] = 2.0**i
        return (here.array,)

    [total] = shards.workers(size).sum(part, 40)
    assert (total == 2.0**40 - 1).all()


def test_an_error_in_a_part_of_a_sum_is_raised_and_ends_it() -> None:
    begun: list[int] = []

    def part(i: int) -> tuple[Any, ...]:
        begun.append(i)
        time.sleep(0.001)
        if i == 3:
            raise ValueError("part 3")
        return (np.ones(1),)

    with pytest.raises(ValueError, match="part 3"):
        shards.workers(2).sum(part, 1000)
    assert len(begun) < 20
    assert shards.workers(2).sum(lambda i: (np.ones(1),), 4)[0] == 4


@pytest.mark.parametrize("size", [1, 2])
def test_both(size: int) -> None:
    done: list[int] = []
    shards.workers(size).run_pair(lambda: done.append(1), lambda: done.append(2))
    assert sorted(done) == [1, 2]

    def fails() -> None:
        raise ValueError("one of both")

    for pair in ((fails, done.clear), (done.clear, fails)):
        with pytest.raises(ValueError, match="one of both"):
            shards.workers(size).run_pair(*pair)


def test_both_are_at_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    shards.workers(2).run_pair(meeting.wait, meeting.wait)


@pytest.mark.parametrize(("units", "batch_size", "least"), [(128, 128, 0), (32, 32, 0), (64, 2048, 1)])
def test_a_step_wakes_the_second_thread_once_at_most(
    monkeypatch: pytest.MonkeyPatch, units: int, batch_size: int, least: int
) -> None:
    """For half of its largest product, if that is faster; for its shards where there are several."""
    woken = 0

    class Counting(shards.Worker):
        def start(self, task: Any) -> Any:
            nonlocal woken
            woken += 1
            return super().start(task)

    counted: list[int] = []

    class Count(portanet.Callback):
        def log(self, row: dict[str, Any]) -> None:
            counted.append(woken)

    monkeypatch.setattr(shards, "Worker", Counting)
    threads = shards.Threads(2)
    monkeypatch.setattr(shards, "workers", lambda size: threads if size == 2 else shards.Serial())
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (batch_size * 4, 784)).astype(np.uint8), rng.integers(0, 10, batch_size * 4)
    model = Sequential(Rescale(1 / 255), Dense(units), ReLU(), Dense(10))
    backend = portanet.choose("numpy", fuse=False)
    portanet.fit(
        model, x, labels, batch_size=batch_size, epochs=16, workers=2, backend=backend, callbacks=[Count()]
    )  # 20 steps are called directly, 2 x 15 are for measuring
    assert (counted[-5] > 0) == (least > 0 or units >= 64)
    assert 4 * least <= counted[-1] - counted[-2] <= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_workers_of_its_own() -> None:
    shards.workers(2).run_pair(int, int)
    script = """
import os
from portanet.cli.remedies import with_flags
from portanet.errors import ConfigError
from portanet.training.steps import shards
shards.workers(2).run_pair(int, int)
if (child := os.fork()) == 0:
    shards.workers(2).run_pair(int, int)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "7", done.stderr


def test_sums_are_added_in_the_order_given() -> None:
    """In float32 1e8 + 1 - 1e8 is 0 and 1e8 - 1e8 + 1 is 1."""
    big, one = np.asarray([1e8], np.float32), np.asarray([1.0], np.float32)
    assert shards.add(iter([(big.copy(),), (one,), (-big,)]))[0] == 0.0
    assert shards.add(iter([(big.copy(),), (-big,), (one,)]))[0] == 1.0


def test_each_array_has_its_own_sum() -> None:
    first, second = shards.add([(np.ones(2), np.int32(3)), (np.ones(2), np.int32(4))])
    assert first.tolist() == [2.0, 2.0]
    assert second == 7


def test_cores() -> None:
    assert _machine.cores() >= 1


def test_a_system_that_starts_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ConfigError, match=r"starts no 5 threads \(can't start new thread\); try workers=1\.") as error:
        shards.workers(6)
    assert with_flags(error.value.remedy) == "try --workers 1"
