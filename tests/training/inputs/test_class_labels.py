"""Labels of any kind from Python: classes by name, class numbers, shares and numbers; what cannot be one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import blobs

import portanet
from portanet.backends import Backend
from portanet.data import Dataset
from portanet.errors import DataError, ModelError, PortanetError
from portanet.nn import Dense, Sequential, Standardize

X, CODES = blobs(60)
NAMES = np.array(["a", "b", "c"])
NET = Sequential(Standardize(), Dense(3))
FAST: dict[str, Any] = {"epochs": 12, "batch_size": 10, "optimizer": portanet.optim.Adam(0.05)}


def trained(x: Any, labels: Any, **changes: Any) -> portanet.TrainedModel:
    return portanet.fit(NET, x, labels, **(FAST | changes))


KINDS: dict[str, Any] = {
    "list": NAMES[CODES].tolist(),
    "array": NAMES[CODES],
    "objects": NAMES[CODES].astype(object),
    "bytes": NAMES[CODES].astype("S1"),
    "series": pd.Series(NAMES[CODES]),
    "old series": pd.Series(NAMES[CODES], dtype=object),
    "strings": pd.Series(NAMES[CODES], dtype="string"),
    "numpy strings": NAMES[CODES].astype(np.dtypes.StringDType()),
    "category": pd.Series(NAMES[CODES], dtype="category"),
    "ordered": pd.Categorical(NAMES[CODES], ["c", "a", "b"], ordered=True),
    "one column": NAMES[CODES][:, None],
    "frame": pd.DataFrame({"kind": NAMES[CODES]}),
    "frame of categories": pd.DataFrame({"kind": pd.Series(NAMES[CODES], dtype="category")}),
    "numbers in a category": pd.Series(np.array([30, 7, -2])[CODES], dtype="category"),
    "measures in a category": pd.Series(np.array([0.25, 1.0, 9.5])[CODES], dtype="category"),
    "whole measures in a category": pd.Series(np.array([1.0, 2.0, 9.0])[CODES], dtype="category"),
    "unused": pd.Series(NAMES[CODES], dtype=pd.CategoricalDtype(["a", "b", "c", "d"])),
    "words that are categories": pd.Series(np.array(["NA", "EU", "?"])[CODES], dtype="category"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_any_kind(kind: str, tmp_path: Path, backend: Backend) -> None:
    labels = KINDS[kind]
    run = trained(X, labels, valid=(X, labels), backend=backend)
    run = portanet.load(run.save(tmp_path / "model.safetensors"), backend=backend)
    expected = np.asarray(labels).ravel()
    found = run.predict(X)
    assert found.shape == (60,)
    assert set(found.tolist()) == set(expected.tolist())
    assert found.dtype.kind == ("U" if expected.dtype.kind in "OT" else expected.dtype.kind) or "whole" in kind
    accuracy = float(np.mean([a == b for a, b in zip(found.tolist(), expected.tolist(), strict=True)]))
    assert accuracy > 0.9
    assert run.evaluate(X, labels)["accuracy"] == accuracy
    assert run.evaluate(X[:3], labels[:3])["samples"] == 3
    assert len(run.card.classes) == 3
    assert run.card.named(np.arange(3)).tolist() == sorted(set(expected.tolist()))
    assert run.predict(X, codes=True).dtype == np.int32
    assert np.array_equal(run.predict(X, codes=True), run.probabilities(X).argmax(axis=1))


@pytest.mark.parametrize("kind", [bool, "boolean", object])
def test_truth_values(kind: Any) -> None:
    labels = pd.Series(CODES > 0).astype(kind)
    run = portanet.fit(Sequential(Dense(2)), X, labels, **FAST)
    assert run.predict(X).dtype == bool
    assert np.mean(run.predict(X) == (CODES > 0)) == run.evaluate(X, labels)["accuracy"] > 0.9


WHOLE = [CODES, CODES.tolist(), CODES.astype(float), CODES[:, None], CODES.astype(np.uint8), CODES.astype(object)]


@pytest.mark.parametrize(
    "labels",
    [
        *WHOLE,
        pd.Series(CODES),
        pd.Series(CODES).astype("Int64"),
        pd.DataFrame({"k": CODES}),
        CODES.astype(float)[:, None],
    ],
)
def test_whole_numbers_are_class_numbers(labels: Any) -> None:
    """As in PyTorch and Keras; outputs that no label uses are allowed."""
    run, expected = (portanet.fit(Sequential(Dense(5)), X, given, **FAST) for given in (labels, CODES))
    assert np.array_equal(run.outputs(X), expected.outputs(X))
    assert run.card.classes == ()
    assert run.predict(X).dtype == np.int32
    assert run.evaluate(X, labels) == expected.evaluate(X, CODES)


def gaps(values: Any, *rows: int) -> Any:
    values = np.array(values, object)
    values[list(rows)] = None
    return values


def mixed(value: Any) -> Any:
    values = NAMES[CODES].astype(object)
    values[4] = value
    return values


REFUSED: dict[str, tuple[Any, type[PortanetError], list[str]]] = {
    "too few outputs": (list("abcd") * 15, ModelError, ["4 classes", "a, b, c, d", "3 outputs", "Dense(4)"]),
    "too many outputs": (CODES > 0, ModelError, ["2 classes", "3 outputs", "Dense(2)"]),
    "categories": (pd.Categorical.from_codes(CODES - 1, list("ab")), DataError, ["20 rows", "row 0"]),
    "missing": (gaps(NAMES[CODES], 7, 9), DataError, ["2 rows have no label", "row 7"]),
    "one missing": (gaps(CODES, 7), DataError, ["1 row has no label", "row 7"]),
    "NaN": (np.where(CODES == 2, np.nan, CODES), DataError, ["20 rows have no label", "row 2"]),
    "infinite": (np.where(CODES == 2, np.inf, CODES), DataError, ["20 rows have no label", "row 2"]),
    "NA": (pd.Series([True, None, False] * 20, dtype="boolean"), DataError, ["20 rows have no label", "row 1"]),
    "NaT": (pd.Series([pd.NaT] * 60).astype(object), DataError, ["60 rows have no label"]),
    "text for missing": (np.where(CODES == 2, "nan", NAMES[CODES]), DataError, ["20 rows", "row 2", "'nan'"]),
    "empty": (np.where(CODES == 2, " ", NAMES[CODES]), DataError, ["20 rows have no label", "row 2"]),
    "question": (np.where(CODES == 2, "?", NAMES[CODES]), DataError, ["20 rows have no label", "'?'"]),
    "measures": (X[:, 0], DataError, ["row 0", "not a class", 'task="regress"']),
    "numbers and text": (mixed(3), DataError, ["several types", "'a' in row 0", "3 in row 4"]),
    "a list of both": ([*NAMES[CODES][:-1].tolist(), 3], DataError, ["several types", "3 in row 59"]),
    "tuples": (mixed(("a", "b")), DataError, ["row 4", "tuple"]),
    "dates": (np.zeros(60, "M8[D]"), DataError, ["datetime64"]),
    "not UTF-8": (np.where(CODES == 2, b"\xff", b"a"), DataError, ["UTF-8"]),
    "one class": (["a"] * 60, DataError, ["all 60 labels are 'a'", "nothing to learn"]),
    "too few rows": (NAMES[CODES][1:], DataError, ["60 rows", "(59,)"]),
    "two columns": (np.stack([NAMES[CODES]] * 2, axis=1), DataError, ["60 rows", "(60, 2)"]),
    "above": (np.arange(60) % 3 + 1, DataError, ["row 2", "label 3", "3 classes", "0 to 2", "Dense(4)", "astype(str)"]),
    "below": (CODES - 1, DataError, ["row 0", "label -1"]),
    "huge": ([2**70] * 60, DataError, ["64 bits"]),
    "none": (None, DataError, ["labels", "got None", "fit(model, x, labels)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    labels, error, facts = REFUSED[case]
    with pytest.raises(error) as caught:
        trained(X, labels)
    for fact in facts:
        assert fact in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_to_predict_that_are_missing() -> None:
    with pytest.raises(DataError, match="30 rows have no label, the first is row 1"):
        portanet.fit(Sequential(Dense(1)), X, [1.0, None] * 30, task="regress")


@pytest.mark.parametrize("kind", ["array", "objects", "category", "frame", "bytes", "list"])
def test_a_share_is_held_out_of_labels_by_name(kind: str) -> None:
    """Each class gives its share, the same rows as of class numbers."""
    found, expected = (trained(X, labels, valid=0.2) for labels in (KINDS[kind], CODES))
    assert found.history[-1] | {"seconds": 0} == expected.history[-1] | {"seconds": 0}


def test_all_of_one_class() -> None:
    with pytest.raises(DataError, match="all 60 labels are 'a'"):
        portanet.fit(Sequential(Dense(1)), X, ["a"] * 60)


OTHERS: dict[str, tuple[Any, list[str]]] = {
    "another": (["a", "b", "d"] * 20, ["row 2", "'d'", "a, b, c"]),
    "numbers": (CODES, ["row 0", "label 0", "a, b, c"]),
    "missing": (gaps(NAMES[CODES], 7), ["row 7", "no label"]),
}


@pytest.mark.parametrize("case", OTHERS)
def test_labels_of_another_kind_are_not_taken_for_classes(case: str) -> None:
    labels, facts = OTHERS[case]
    run = trained(X, NAMES[CODES])
    for ask in (lambda: run.evaluate(X, labels), lambda: trained(X, NAMES[CODES], valid=(X, labels))):
        with pytest.raises(DataError) as caught:
            ask()
        assert all(fact in str(caught.value) for fact in facts)


def test_text_for_a_model_of_class_numbers() -> None:
    run = trained(X, CODES)
    with pytest.raises(DataError, match=r"labels are text; .*class numbers, 0 to 2"):
        run.evaluate(X, NAMES[CODES])
    numbers = Dataset("rows", X, CODES, ("0", "1", "2"))
    assert run.evaluate(numbers) == run.evaluate(X, CODES)
    assert run.evaluate(Dataset("rows", X[CODES > 0], CODES[CODES > 0] - 1, ("1", "2"))) == run.evaluate(
        X[CODES > 0], CODES[CODES > 0]
    )


def test_shares_of_named_classes(backend: Backend) -> None:
    shares = pd.get_dummies(pd.Series(NAMES[CODES])).astype(float)
    run = trained(X, shares, backend=backend)
    assert np.array_equal(run.outputs(X), trained(X, shares.to_numpy(), backend=backend).outputs(X))
    assert set(run.predict(X)) == {"a", "b", "c"}
    assert run.evaluate(X, shares[["c", "a", "b"]]) == run.evaluate(X, shares)
    assert run.evaluate(X, NAMES[CODES])["accuracy"] == run.evaluate(X, shares)["accuracy"] > 0.9


def test_several_classes_at_once_by_name() -> None:
    flags = pd.DataFrame({"big": X[:, 0] > 0, "far": X[:, 1] > 0})
    run = portanet.fit(Sequential(Dense(2)), X, flags, task="multilabel", **FAST)
    assert run.card.classes == ("big", "far")
    assert run.evaluate(X, flags[["far", "big"]]) == run.evaluate(X, flags) == run.evaluate(X, flags.to_numpy())
    assert run.predict(X).shape == (60, 2)


def test_numbers_to_predict_of_any_kind() -> None:
    y, net = X[:, 0] * 3, Sequential(Dense(1))
    expected = portanet.fit(net, X, y, task="regress", **FAST).outputs(X)
    for given in (pd.Series(y), y[:, None], pd.DataFrame({"y": y}), y.astype(object), pd.Series(y).astype("Float64")):
        assert np.array_equal(portanet.fit(net, X, given, task="regress", **FAST).outputs(X), expected)
    run = portanet.fit(net, Dataset("rows", X, CODES, ("3", "7", "9")), task="regress", **FAST)
    assert np.array_equal(
        run.outputs(X), portanet.fit(net, X, np.array([3, 7, 9])[CODES], task="regress", **FAST).outputs(X)
    )


def test_labels_of_tensors(backend: Backend) -> None:
    run = trained(X, backend.put(CODES), backend=backend)
    assert run.predict(X).dtype == np.int32


def test_words_that_a_model_knows_as_classes_are_labels(tmp_path: Any) -> None:
    """Namibia's NA, in text as in a category."""
    names = np.array(["NA", "EU", "?"])[CODES]
    run = trained(X, pd.Series(names, dtype="category"))
    assert run.evaluate(X, names)["accuracy"] == run.evaluate(X, pd.Series(names, dtype="category"))["accuracy"]
    assert trained(X, names, params=run.params).card.classes == ("?", "EU", "NA")
