"""Names of classes as the labels that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from portanet.errors import ConfigError
from portanet.storage.class_kind import ClassKind
from portanet.storage.model_card import ModelCard


@pytest.mark.parametrize(
    ("names", "kind", "labels"),
    [
        (("3", "7"), "integer", np.array([3, 7], np.int32)),
        (("-5", str(2**62)), "integer", np.array([-5, 2**62])),
        ((str(2**63), "1"), "text", np.array([str(2**63), "1"])),
        (("07", "7"), "text", np.array(["07", "7"])),
        (("False", "True"), "boolean", np.array([False, True])),
        (("True",), "boolean", np.array([True])),
        (("a", "ä"), "text", np.array(["a", "ä"])),
        (("0.5", "1.0"), "text", np.array(["0.5", "1.0"])),
    ],
)
def test_names_in_a_file(names: tuple[str, ...], kind: str, labels: Any) -> None:
    assert ClassKind.of_names(names) == kind
    found = ClassKind(kind).labels(names)
    assert found.dtype == labels.dtype
    assert np.array_equal(found, labels)


def test_other_kinds_must_be_named() -> None:
    card = ModelCard((2,), classes=("0.5", "1"), class_kind=ClassKind.NUMBER)
    assert card.named(np.array([1, 0, 1])).tolist() == [1.0, 0.5, 1.0]
    card = ModelCard((2,), classes=("a", "ä"), class_kind=ClassKind.BYTES)
    assert card.named(np.array([1])).tolist() == ["ä".encode()]
    assert ModelCard((2,)).named(np.array([1])).tolist() == [1]


@pytest.mark.parametrize("kind", list(ClassKind))
def test_a_card_keeps_its_kind(kind: ClassKind) -> None:
    card = ModelCard((2,), classes=("False",) if kind is ClassKind.BOOLEAN else ("0", "1"), class_kind=kind)
    assert ModelCard.from_dict(card.to_dict()) == card
    assert ModelCard.from_dict(card.to_dict()).class_kind is kind


def test_a_card_without_a_kind_takes_that_of_its_names() -> None:
    """As model files had none."""
    kept = {"input_shape": [2], "dtype": "float32", "classes": ["3", "7"]}
    assert ModelCard.from_dict(kept).class_kind is ClassKind.INTEGER
    assert ModelCard((2,)).class_kind is None


@pytest.mark.parametrize("kind", [7, ["text"], "real", "TEXT", {}, True])
def test_kinds_that_are_none(kind: Any) -> None:
    with pytest.raises(ConfigError, match="class_kind cannot be"):
        ModelCard.from_dict({"input_shape": [2], "dtype": "float32", "classes": ["3", "7"], "class_kind": kind})


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("integer", ["a", "b"]), ("integer", ["1" * 10**6, "2"]), ("integer", ["٣"]), ("integer", [str(2**63)]),
        ("boolean", ["yes"]), ("number", ["inf"]), ("number", ["1" * 10**6]), ("number", ["nan"]), ("text", []),
    ],
)  # fmt: skip
def test_names_that_are_not_of_the_kind(kind: str, classes: list[str]) -> None:
    with pytest.raises(ConfigError, match="classes cannot be") as caught:
        ModelCard.from_dict({"input_shape": [2], "dtype": "float32", "classes": classes, "class_kind": kind})
    assert len(str(caught.value)) < 300


def test_a_name_that_ends_in_nul_is_not_cut() -> None:
    assert ClassKind.TEXT.labels(("a", "a\0")).tolist() == ["a", "a\0"]


def test_one_long_name_does_not_widen_all() -> None:
    """As text of fixed width it would take 400 GB."""
    names = ("a" * 10**6, *map(str, range(10**5)))
    assert ClassKind.TEXT.labels(names).nbytes < 10**6
