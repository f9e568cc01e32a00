"""Metrics against scikit-learn, PyTorch and values by hand, on every array library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Host
from hypothesis import given, settings
from hypothesis import strategies as st
from legs import Leg

from portanet import metrics
from portanet.errors import ConfigError

ints = np.int32
LOGITS = np.asarray([[1.0, 3.0, 2.0], [5.0, -1.0, 0.0], [0.0, 0.0, 9.0], [-3.0, -2.0, -4.0]])
LABELS = np.asarray([1, 0, 1, 1], ints)


def sklearn() -> Any:
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: these tests compare with it")


def drawn(seed: int = 0, rows: int = 60, classes: int = 5) -> tuple[Host, Host]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows).astype(ints)
    return rng.normal(0.0, 1.0, (rows, classes)) + 1.5 * np.eye(classes)[labels], labels


many = settings(derandomize=True, max_examples=20)
shapes = given(seed=st.integers(0, 99), rows=st.integers(2, 40), classes=st.integers(2, 6))


def test_correct(xp: Leg) -> None:
    count = xp.run(metrics.correct, xp.put(LOGITS), xp.put(LABELS))
    assert tuple(count.shape) == ()
    assert xp.dtype(count) == "int32"
    if xp.values:
        assert int(xp.host(count)) == 3


def test_correct_of_shares_takes_the_largest_for_the_label(xp: Leg) -> None:
    shares = np.asarray([[0.1, 0.6, 0.3], [0.4, 0.3, 0.3], [0.0, 1.0, 0.0], [0.2, 0.5, 0.3]])
    count = xp.run(metrics.correct, xp.put(LOGITS), xp.put(shares))
    if xp.values:
        assert int(xp.host(count)) == 3


def test_among_equal_logits_the_first_counts(xp: Leg) -> None:
    logits, labels = xp.put([[2.0, 2.0], [2.0, 2.0]]), xp.put(np.asarray([0, 1], ints))
    count = xp.run(metrics.correct, logits, labels)
    if xp.values:
        assert int(xp.host(count)) == 1


def test_correct_entries(xp: Leg) -> None:
    logits, labels = xp.put([[1.0, -1.0, 0.0], [2.0, 3.0, -1e30]]), xp.put([[1.0, 1.0, 0.0], [0.9, 0.5, 0.0]])
    count = xp.run(metrics.correct_entries, logits, labels)
    assert (tuple(count.shape), xp.dtype(count)) == ((), "int32")
    if xp.values:
        assert int(xp.host(count)) == 4


def test_accuracy(xp: Leg) -> None:
    found = xp.run(metrics.accuracy, xp.put(LOGITS), xp.put(LABELS))
    assert (tuple(found.shape), xp.dtype(found)) == ((), "float32")
    if xp.values:
        assert float(xp.host(found)) == 0.75


@pytest.mark.parametrize(("k", "expected"), [(1, 3), (2, 4), (3, 4)])
def test_top_k_by_hand(k: int, expected: int, xp: Leg) -> None:
    """The third row's label is as good as class 0, which comes first, and the fourth row's is the best."""
    logits, labels = LOGITS.copy(), np.asarray([1, 0, 0, 1], ints)
    count = xp.run(lambda z, labels: metrics.top_k(z, labels, k), xp.put(logits), xp.put(labels))
    assert (tuple(count.shape), xp.dtype(count)) == ((), "int32")
    if xp.values:
        assert int(xp.host(count)) == expected


@pytest.mark.parametrize("label", [0, 1, 2])
def test_top_k_among_equals_takes_the_lower_class(label: int) -> None:
    logits, labels = np.zeros((1, 3)), np.asarray([label], ints)
    assert [int(metrics.top_k(logits, labels, k)) for k in (1, 2, 3)] == [label < 1, label < 2, 1]


def test_top_k_never_counts_nan() -> None:
    logits = np.asarray([[np.nan, 1.0], [0.0, np.nan]])
    for labels, expected in (([0, 1], [0, 0]), ([1, 0], [0, 2])):
        label = np.asarray(labels, ints)
        assert [int(metrics.top_k(logits, label, k)) for k in (1, 2)] == expected


@many
@shapes
def test_top_k_equals_that_of_sklearn(seed: int, rows: int, classes: int) -> None:
    logits, labels = drawn(seed, rows, classes)
    assert metrics.top_k(logits, labels, 1) == metrics.correct(logits, labels)
    for k in range(1, classes + 1):
        found = metrics.top_k(logits, labels, k)
        if classes == 2 or k == classes:
            assert found == (rows if k == classes else metrics.correct(logits, labels))
        else:
            expected = sklearn().top_k_accuracy_score(labels, logits, k=k, labels=range(classes), normalize=False)
            assert found == expected


@pytest.mark.parametrize("k", [0, 4, -1])
def test_top_k_out_of_range(k: int) -> None:
    with pytest.raises(ConfigError, match=f"top_k needs 1 <= k <= 3, the number of classes, got {k}"):
        metrics.top_k(LOGITS, LABELS, k)


def test_confusion_matrix(xp: Leg) -> None:
    """Class 3 never occurs, and class 1 is once taken for 2."""
    predicted, labels = (xp.put(np.asarray(each, ints)) for each in ([0, 1, 2, 1, 2, 2], [0, 1, 1, 1, 2, 0]))
    found = xp.run(lambda predicted, labels: metrics.confusion_matrix(predicted, labels, 4), predicted, labels)
    assert (tuple(found.shape), xp.dtype(found)) == ((4, 4), "int32")
    if xp.values:
        assert xp.host(found).tolist() == [[1, 0, 1, 0], [0, 2, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


@many
@shapes
def test_counts_of_classes_equal_those_of_sklearn(seed: int, rows: int, classes: int) -> None:
    logits, labels = drawn(seed, rows, classes)
    predicted = logits.argmax(axis=1).astype(ints)
    confusion = metrics.confusion_matrix(predicted, labels, classes)
    assert np.array_equal(confusion, sklearn().confusion_matrix(labels, predicted, labels=range(classes)))
    expected = sklearn().precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=0.0)
    for found, each in zip(metrics.precision_recall_f1(confusion), expected, strict=False):
        np.testing.assert_allclose(found, each, rtol=1e-6)


def test_precision_recall_f1(xp: Leg) -> None:
    confusion = xp.put(np.asarray([[3, 1, 0], [1, 1, 0], [0, 0, 0]], ints))
    found = xp.run(metrics.precision_recall_f1, confusion)
    for each in found:
        assert (tuple(each.shape), xp.dtype(each)) == ((3,), "float32")
    if xp.values:
        expected = [[0.75, 0.5, 0.0], [0.75, 0.5, 0.0], [0.75, 0.5, 0.0]]
        np.testing.assert_allclose([xp.host(each) for each in found], expected, rtol=1e-6)


def test_calibration_error_by_hand(xp: Leg) -> None:
    """Two bins: in the lower one 0.45 and 0.5, one of two right; in the upper one 0.9 and 1.0, both right."""
    p = [[0.45, 0.30, 0.25], [0.50, 0.25, 0.25], [0.05, 0.90, 0.05], [0.00, 0.00, 1.00]]
    labels = xp.put(np.asarray([0, 1, 1, 2], ints))
    found = xp.run(lambda p, labels: metrics.calibration_error(p, labels, bins=2), xp.put(p), labels)
    assert (tuple(found.shape), xp.dtype(found)) == ((), "float32")
    if xp.values:
        assert float(xp.host(found)) == pytest.approx((abs(1 - 0.95) + abs(2 - 1.9)) / 4, rel=1e-5)


@many
@given(seed=st.integers(0, 99), rows=st.integers(1, 40), classes=st.integers(2, 6), bins=st.integers(1, 20))
def test_calibration_error_bin_by_bin(seed: int, rows: int, classes: int, bins: int) -> None:
    logits, labels = drawn(seed, rows, classes)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    confidence, hits = p.max(axis=1), p.argmax(axis=1) == labels
    expected = 0.0
    for low, high in zip(np.linspace(0, 1, bins + 1)[:-1], np.linspace(0, 1, bins + 1)[1:], strict=True):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())
    assert metrics.calibration_error(p, labels, bins) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_confidence_that_rounds_above_one_is_in_the_last_bin() -> None:
    p, labels = np.asarray([[1.0 + 1e-15, 0.0]]), np.asarray([1], ints)
    assert metrics.calibration_error(p, labels) == pytest.approx(1.0)


def test_calibration_error_without_bins() -> None:
    with pytest.raises(ConfigError, match="needs bins >= 1, got 0"):
        metrics.calibration_error(LOGITS, LABELS, bins=0)


def test_r2(xp: Leg) -> None:
    """By hand: 1 - 2 / 8 in the first column; constant targets that are met, and that are not."""
    targets = np.asarray([[1.0, 0.1, 3.0], [3.0, 0.1, 3.0], [5.0, 0.1, 3.0]])
    predictions = np.asarray([[2.0, 0.1, 3.0], [3.0, 0.1, 3.0], [4.0, 0.1, 4.0]])
    found = xp.run(metrics.r2, xp.put(predictions), xp.put(targets))
    assert (tuple(found.shape), xp.dtype(found)) == ((), "float32")
    if xp.values:
        assert float(xp.host(found)) == pytest.approx((0.75 + 1.0 + 0.0) / 3, rel=1e-5)
        assert float(xp.host(found)) == pytest.approx(sklearn().r2_score(targets, predictions), rel=1e-5)


def test_r2_of_equal_targets_whose_mean_rounds(xp: Leg) -> None:
    targets = np.full((1000, 1), 0.1, np.float32)
    assert targets.mean(axis=0)[0] != targets[0, 0]
    found = xp.run(metrics.r2, xp.put(targets + 1), xp.put(targets))
    if xp.values:
        assert float(xp.host(found)) == 0.0


@many
@given(seed=st.integers(0, 99), rows=st.integers(2, 40), columns=st.integers(1, 4))
def test_r2_equals_that_of_sklearn(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=(rows, columns)) + 100.0
    predictions = targets + rng.normal(size=(rows, columns)) * rng.uniform(0.0, 2.0)
    expected = sklearn().r2_score(targets, predictions)
    assert metrics.r2(predictions, targets) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_r2_from_parts_is_that_of_all_rows(xp: Leg) -> None:
    rng = np.random.default_rng(3)
    targets, predictions = rng.normal(size=(2, 30, 2))
    blocks = [metrics.squared_residuals(xp.put(predictions[i : i + 7]), xp.put(targets[i : i + 7])) for i in (0, 7, 14)]
    residual = xp.run(metrics.squared_residuals, xp.put(predictions[:21]), xp.put(targets[:21]))
    if xp.values:
        np.testing.assert_allclose(sum(map(xp.host, blocks)), xp.host(residual), rtol=1e-5)
        found = metrics.r2_from(np.asarray(xp.host(residual), np.float64), targets[:21])
        assert float(found) == pytest.approx(float(metrics.r2(predictions[:21], targets[:21])), rel=1e-5)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [(metrics.ACCURACY, 0.98765, "98.77%"), (metrics.R2, 0.98765, "0.9877"), (metrics.LOSS, 12345.6, "1.235e+04")],
)
def test_values_as_people_read_them(metric: metrics.Metric, value: float, text: str) -> None:
    assert metric.text(value) == text


@pytest.mark.parametrize(
    "function",
    [
        metrics.correct,
        metrics.accuracy,
        lambda z, labels: metrics.top_k(z, labels, 2),
        metrics.calibration_error,
        lambda z, labels: metrics.correct_entries(z, z),
        lambda z, labels: metrics.confusion_matrix(labels, labels, 3),
        lambda z, labels: metrics.r2(z, z),
    ],
)
def test_inputs_are_not_modified(function: Any) -> None:
    logits, labels = LOGITS.copy(), LABELS.copy()
    function(logits, labels)
    assert np.array_equal(logits, LOGITS)
    assert np.array_equal(labels, LABELS)


def weighed(seed: int, rows: int, classes: int, *, ties: bool) -> tuple[Host, Host, Host]:
    """Probabilities, rounded so that many are equal, labels and weights, some of them 0."""
    logits, labels = drawn(seed, rows, classes)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weights = np.random.default_rng(seed).integers(0, 4, rows) + np.eye(1, rows)[0]
    return (np.round(p, 1) if ties else p), labels, weights


def occurring(labels: Host, weights: Host, classes: int) -> list[int]:
    return [k for k in range(classes) if 0 < weights[labels == k].sum() < weights.sum()]


@many
@given(seed=st.integers(0, 99), rows=st.integers(2, 40), classes=st.integers(2, 5), ties=st.booleans())
def test_rankings_equal_those_of_sklearn(seed: int, rows: int, classes: int, ties: bool) -> None:
    p, labels, weights = weighed(seed, rows, classes, ties=ties)
    counted = occurring(labels, weights, classes) if classes > 2 else occurring(labels, weights, 2)[-1:]
    auc, precision = metrics.roc_auc(p, labels, weights), metrics.average_precision(p, labels, weights)
    if classes == 2:
        assert np.array_equal(metrics.roc_auc(p[:, 1], labels, weights), auc, equal_nan=True)
    if not counted:
        assert np.isnan(auc)
        return
    for found, of in ((auc, sklearn().roc_auc_score), (precision, sklearn().average_precision_score)):
        if found is precision and classes > 2:  # a class that all rows have has a precision, and no area
            counted = [k for k in range(classes) if weights[labels == k].sum() > 0]
        each = [of(labels == k, p[:, k], sample_weight=weights) for k in counted]
        assert found == pytest.approx(np.mean(each), rel=1e-9)


def test_rankings_of_several_classes_at_once_equal_those_of_sklearn() -> None:
    p, _, weights = weighed(4, 30, 3, ties=True)
    labels = (np.random.default_rng(1).uniform(size=p.shape) < p).astype(float)
    for found, of in (
        (metrics.roc_auc, sklearn().roc_auc_score),
        (metrics.average_precision, sklearn().average_precision_score),
    ):
        assert found(p, labels, weights) == pytest.approx(of(labels, p, sample_weight=weights), rel=1e-9)


@many
@given(seed=st.integers(0, 99), rows=st.integers(2, 40), classes=st.integers(2, 5))
def test_scores_of_classes_equal_those_of_sklearn(seed: int, rows: int, classes: int) -> None:
    p, labels, weights = weighed(seed, rows, classes, ties=False)
    predicted, of = p.argmax(axis=1).astype(ints), sklearn()
    confusion = metrics.confusion_matrix(predicted, labels, classes, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = of.confusion_matrix(labels, predicted, labels=range(classes), sample_weight=weights)
    np.testing.assert_allclose(confusion, expected)
    recalls = of.recall_score(
        labels, predicted, labels=range(classes), average=None, sample_weight=weights, zero_division=0.0
    )
    present = [k for k in range(classes) if weights[labels == k].sum() > 0]
    assert metrics.balanced_accuracy(confusion) == pytest.approx(recalls[present].mean())
    average = "binary" if classes == 2 else "macro"
    counted = [k for k in range(classes) if confusion[k].sum() + confusion[:, k].sum() > 0]
    assert metrics.f1(confusion) == pytest.approx(
        of.f1_score(
            labels, predicted, labels=None if classes == 2 else counted, average=average, sample_weight=weights,
            zero_division=0.0,
        )
    )  # fmt: skip
    sure = np.where(np.arange(classes) == predicted[:, None], 1.0, 0.0)  # its logarithms are infinite
    for given_p in (p, sure):
        expected = of.log_loss(labels, given_p, sample_weight=weights, labels=range(classes))
        assert metrics.log_loss(given_p, labels, weights) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@many
@given(seed=st.integers(0, 99), rows=st.integers(1, 30), columns=st.integers(1, 3), weights=st.booleans())
def test_errors_of_numbers_equal_those_of_sklearn(seed: int, rows: int, columns: int, weights: bool) -> None:
    rng = np.random.default_rng(seed)
    targets, predictions = np.round(rng.normal(size=(2, rows, columns)) * 3) * 1e200
    each = rng.integers(1, 4, rows).astype(float) if weights else None
    for found, of in (
        (metrics.root_mean_squared_error, lambda y, p, **how: sklearn().root_mean_squared_error(y, p, **how)),
        (metrics.mean_absolute_error, sklearn().mean_absolute_error),
        (metrics.median_absolute_error, sklearn().median_absolute_error),
    ):
        expected = of(targets / 1e200, predictions / 1e200, sample_weight=each)
        assert found(predictions, targets, each) / 1e200 == pytest.approx(expected, rel=1e-9)
        if columns == 1:
            flat = found(predictions[:, 0], targets[:, 0], each) / 1e200
            assert flat == pytest.approx(expected, rel=1e-9)


def test_calibration_bins_make_the_calibration_error() -> None:
    p, labels, _ = weighed(1, 60, 4, ties=False)
    confidence, accuracy, rows = metrics.calibration_bins(p, labels, 7)
    assert (rows.sum(), rows.dtype, confidence.shape) == (60, ints, (7,))
    assert (np.abs(confidence - accuracy) * rows).sum() / 60 == pytest.approx(metrics.calibration_error(p, labels, 7))
    middle = (p.max(axis=1) > 3 / 7) & (p.max(axis=1) <= 4 / 7)
    assert confidence[3] == pytest.approx(p.max(axis=1)[middle].mean())
    assert accuracy[3] == pytest.approx((p.argmax(axis=1) == labels)[middle].mean())


@pytest.mark.parametrize("weights", [False, True])
def test_every_score_on_every_library(weights: bool, xp: Leg) -> None:
    p, labels, each = weighed(5, 24, 3, ties=True)
    targets = np.random.default_rng(0).normal(size=p.shape)

    def scores(m: Any, p: Any, labels: Any, targets: Any, *each: Any) -> tuple[Any, ...]:
        confusion = m.confusion_matrix(labels, labels, 3, *each)
        by_row = [m.roc_auc(p, labels, *each), m.average_precision(p, labels, *each), m.log_loss(p, labels, *each)]
        errors = (m.root_mean_squared_error, m.mean_absolute_error, m.median_absolute_error)
        of_numbers = [error(p, targets, *each) for error in errors]
        return (*by_row, m.balanced_accuracy(confusion), m.f1(confusion), *of_numbers, *m.calibration_bins(p, labels))

    given = (p, labels, targets, *([each] if weights else []))
    found = xp.run(lambda *arrays: scores(metrics, *arrays), *map(xp.put, given))
    assert [xp.dtype(array) for array in found] == ["float32"] * 10 + ["int32"]
    assert [tuple(array.shape) for array in found] == [()] * 8 + [(15,)] * 3
    if xp.values:
        for array, expected in zip(found, scores(metrics, *given), strict=True):
            np.testing.assert_allclose(xp.host(array), expected, rtol=1e-5)
