"""Right answers, counted on the device."""

from __future__ import annotations

import numpy as np
from legs import Leg

from portanet.metrics import correct


def test_correct(xp: Leg) -> None:
    logits = [[1.0, 3.0, 2.0], [5.0, -1.0, 0.0], [0.0, 0.0, 9.0], [-3.0, -2.0, -4.0]]
    count = xp.run(correct, xp.put(logits), xp.put(np.asarray([1, 0, 1, 1], np.int32)))
    assert tuple(count.shape) == ()
    assert xp.dtype(count) == "int32"
    if xp.values:
        assert int(xp.host(count)) == 3


def test_among_equal_logits_the_first_counts(xp: Leg) -> None:
    logits, labels = xp.put([[2.0, 2.0], [2.0, 2.0]]), xp.put(np.asarray([0, 1], np.int32))
    count = xp.run(correct, logits, labels)
    if xp.values:
        assert int(xp.host(count)) == 1
