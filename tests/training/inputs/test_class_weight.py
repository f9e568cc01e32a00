"""Class weights as people write them: numbers, a dict by class, "balanced"; at the loss, at fit and in a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import blobs

import portanet
from portanet.errors import ConfigError
from portanet.nn import CrossEntropy, Dense, Sequential
from portanet.training.inputs.row_weights import class_weights
from portanet.training.spec import TrainingSpec

X, _ = blobs(60)
Y = np.repeat(np.arange(3, dtype=np.int32), (40, 12, 8))
MODEL = Sequential(Dense(3))


def outputs(**settings: Any) -> Any:
    return portanet.fit(MODEL, X, Y, epochs=3, dtype="float64", **settings).outputs(X)


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({0: 1.0, 1: 5.0}, (1.0, 5.0, 1.0)),
        ({1: 5.0}, (1.0, 5.0, 1.0)),
        ({np.int64(2): np.float32(0.5), 0: 2}, (2.0, 1.0, 0.5)),
        ([1, 5, 2], (1.0, 5.0, 2.0)),
        (np.asarray([1.0, 5.0, 2.0]), (1.0, 5.0, 2.0)),
        ("balanced", (60 / 120, 60 / 36, 60 / 24)),
        ({0.0: 1.0, np.float64(1): 5.0}, (1.0, 5.0, 1.0)),
        (pd.Series([2.0, 5.0, 1.0], index=[2, 1, 0]), (1.0, 5.0, 2.0)),
    ],
    ids=str,
)
def test_every_form_is_one_number_for_each_class(given: Any, numbers: tuple[float, ...]) -> None:
    """Not the keys of the dict."""
    expected = outputs(loss=CrossEntropy(class_weight=numbers))
    assert np.array_equal(outputs(class_weight=given), expected)
    assert np.array_equal(outputs(loss=CrossEntropy(class_weight=given)), expected)
    run = portanet.fit(MODEL, X, Y, epochs=1, class_weight=given)
    assert run.loss == CrossEntropy(class_weight=numbers)


def test_balanced_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    expected = sklearn.compute_class_weight("balanced", classes=np.arange(3), y=Y)
    np.testing.assert_allclose(class_weights("balanced", Y, 3), expected)


def test_classes_by_name() -> None:
    assert class_weights((("dog", 5.0),), Y, 3, ("cat", "dog", "eel")) == (1.0, 5.0, 1.0)
    assert class_weights(((2, 5.0),), Y, 3, ("cat", "dog", "eel")) == (1.0, 1.0, 5.0)
    assert class_weights(((7, 5.0),), Y, 3, ("3", "7", "9")) == (1.0, 5.0, 1.0)  # the label itself, not a number
    assert class_weights((("7", 5.0),), Y, 3, ("3", "7", "9")) == (1.0, 5.0, 1.0)


@pytest.mark.parametrize("kind", [str, bytes, bool, float], ids=str)
def test_labels_themselves_are_keys(kind: type) -> None:
    """Of every kind, as `dict(zip(numpy.unique(labels), weights))` has them."""
    labels = (Y > 0).astype(int).astype({float: "float64"}.get(kind, kind))
    run = portanet.fit(Sequential(Dense(2)), X, labels, epochs=1, class_weight=dict(zip(np.unique(labels), (1, 5))))
    assert run.loss == CrossEntropy(class_weight=(1.0, 5.0))


@pytest.mark.parametrize(
    ("given", "classes", "facts"),
    [
        ({3: 1.0}, (), ["3", "0 to 2"]),
        ({"dog": 1.0}, (), ["'dog'", "0 to 2"]),
        ({"dgo": 1.0}, ("cat", "dog", "eel"), ["'dgo'", "cat, dog, eel"]),
        ({0: 1.0}, ("3", "7", "9"), ["0", "3, 7, 9"]),
        ({-1: 1.0}, (), ["-1", "0 to 2"]),
    ],
    ids=str,
)
def test_classes_that_are_not_there(given: Any, classes: tuple[str, ...], facts: list[str]) -> None:
    spec = TrainingSpec(loss=CrossEntropy(class_weight=given))
    with pytest.raises(ConfigError) as caught:
        spec.with_weighted_loss(Y, 3, classes)
    assert [fact for fact in ["class_weight", *facts] if fact not in str(caught.value)] == []


@pytest.mark.parametrize("given", ["auto", "123", 2.0, {0: "a"}, {0: -1.0}, {0: 0.0}, [[1], [2]], {1.0, 2.0}, b"12"])
def test_what_cannot_be_meant(given: Any) -> None:
    for call in (lambda: CrossEntropy(class_weight=given), lambda: outputs(class_weight=given)):
        with pytest.raises(ConfigError, match=r"class_weight must be >= 0.*dict of them by class.*'balanced'.* got "):
            call()


def test_given_twice() -> None:
    with pytest.raises(ConfigError, match="given twice"):
        outputs(class_weight="balanced", loss=CrossEntropy(class_weight=[1, 2, 3]))


def test_a_loss_by_itself_needs_numbers() -> None:
    with pytest.raises(ConfigError, match="fit makes numbers"):
        CrossEntropy(class_weight={0: 1.0})(np.zeros((2, 3)), np.zeros(2, np.int32), np.ones(2))


def test_in_a_file() -> None:
    settings = {"loss": {"type": "CrossEntropy", "class_weight": {"dog": 5.0}}}
    spec = TrainingSpec().with_settings(settings)
    assert spec.with_weighted_loss(Y, 3, ("cat", "dog", "eel")).loss == CrossEntropy(class_weight=(1.0, 5.0, 1.0))
    again = TrainingSpec.from_dict(spec.to_dict())
    assert again == spec
    assert hash(again.loss) == hash(spec.loss)


def test_by_the_names_that_labels_have() -> None:
    names = np.asarray(["cat", "dog", "eel"])[Y]
    expected = outputs(class_weight=[1.0, 5.0, 1.0])
    found = portanet.fit(MODEL, X, names, epochs=3, dtype="float64", class_weight={"dog": 5.0})
    assert np.array_equal(found.outputs(X), expected)
    with pytest.raises(ConfigError, match=r"'dgo'.* cat, dog, eel"):
        portanet.fit(MODEL, X, names, epochs=1, class_weight={"dgo": 5.0})
