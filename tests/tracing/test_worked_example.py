"""The worked example in the package's docstring."""

from __future__ import annotations

import doctest

from portanet import tracing


def test_the_worked_example() -> None:
    failed, tried = doctest.testmod(tracing)
    assert (failed, tried > 10) == (0, True)
