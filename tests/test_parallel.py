"""Parts of a sum: in order, whoever computes them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from portanet import parallel


@pytest.mark.parametrize("size", [1, 2, 4])
def test_parts_come_in_order(size: int) -> None:
    def part(i: int) -> int:
        time.sleep(0.002 * (7 - i))  # later parts are done sooner
        return i

    assert list(parallel.workers(size).map(part, 7)) == list(range(7))
    assert parallel.workers(size).size == size
    assert parallel.workers(size) is parallel.workers(size)


def test_several_threads_take_part() -> None:
    meeting = threading.Barrier(3, timeout=10)  # passed only by three at once
    list(parallel.workers(3).map(lambda i: meeting.wait(), 3))


def test_an_error_in_a_part_is_raised() -> None:
    def part(i: int) -> int:
        if i == 2:
            raise ValueError("part 2")
        return i

    with pytest.raises(ValueError, match="part 2"):
        list(parallel.workers(2).map(part, 4))
    assert list(parallel.workers(2).map(lambda i: i, 4)) == [0, 1, 2, 3]


def test_sums_are_added_in_the_order_given() -> None:
    """In float32 1e8 + 1 - 1e8 is 0 and 1e8 - 1e8 + 1 is 1."""
    big, one = np.asarray([1e8], np.float32), np.asarray([1.0], np.float32)
    assert parallel.add(iter([(big.copy(),), (one,), (-big,)]))[0] == 0.0
    assert parallel.add(iter([(big.copy(),), (-big,), (one,)]))[0] == 1.0


def test_each_array_has_its_own_sum() -> None:
    first, second = parallel.add([(np.ones(2), np.int32(3)), (np.ones(2), np.int32(4))])
    assert first.tolist() == [2.0, 2.0]
    assert second == 7


def test_cores() -> None:
    assert parallel.cores() >= 1
