"""What an error carries: a message, a remedy and the facts of its kind."""

from __future__ import annotations

import copy
import pickle

import pytest

from portanet.errors import BackendError, DataError, DivergenceError, PortanetError

ERRORS = [
    PortanetError("it failed."),
    DataError("rows.csv has no labels.", remedy="name the label column with label=NAME"),
    BackendError("no device.", "kernel", remedy="try cpu"),
    DivergenceError("diverged.", 3, "1_dense", remedy="lower the learning rate"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_copies_tell_the_same(error: PortanetError) -> None:
    """An error comes back from another process, which sends it pickled, with all it carries."""
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_the_remedy_ends_the_line() -> None:
    assert str(ERRORS[0]) == "it failed."
    assert str(ERRORS[1]) == "rows.csv has no labels; name the label column with label=NAME."
    assert (ERRORS[1].message, ERRORS[1].remedy) == (
        "rows.csv has no labels.",
        "name the label column with label=NAME",
    )
