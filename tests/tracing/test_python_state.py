"""Functions that read what is no argument: what can be seen of it is seen after a while, and then they are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from portanet import Backend
from portanet.xp import namespace


@pytest.mark.parametrize("state", ["value", "branch"])
def test_a_function_that_reads_a_list_is_called_plainly_once_that_is_seen(state: str, backend: Backend) -> None:
    factor = [1.0]

    def function(x: Any, total: Any) -> Any:
        total += x
        if state == "branch" and factor[0] > 1.0:
            return namespace(x).sqrt(total)
        return total * (factor[0] if state == "value" else 1.0)

    if backend.library() is None:
        pytest.skip("it traces nothing")
    traced = backend.tracer()(function)
    x, total, expected = backend.put(np.ones(5), "float32"), backend.put(np.zeros(5), "float32"), 0.0
    wrong: list[int] = []
    for call in range(200):
        if call == 50:
            factor[0] = 2.0
        expected += 1.0
        found = backend.to_numpy(traced(x, total))
        right = np.sqrt(expected) if state == "branch" and call >= 50 else expected
        right *= factor[0] if state == "value" else 1.0
        wrong += [] if np.allclose(found, right, rtol=1e-5) else [call]
        assert np.all(backend.to_numpy(total) == expected)  # however often it was looked at
    assert 0 < len(wrong) <= 34  # from 50 on until it was looked at
    assert not traced.programs()


def test_a_function_of_its_arguments_alone_stays_traced(backend: Backend) -> None:
    if backend.library() is None:
        pytest.skip("it traces nothing")
    calls = []

    def function(x: Any) -> Any:
        calls.append(x)
        return x * 2.0 + 1.0

    traced, x = backend.tracer()(function), backend.put(np.ones(5), "float32")
    for _ in range(12000):
        traced(x)
    assert len(traced.programs()) == 1
    assert len(calls) == 20 + 2 + 8  # plainly, to trace, and a few times to look again
