"""What a report is told of a model: its answers, what each column matters, its first weights."""

from __future__ import annotations

import numpy as np
import pytest

import portanet
from portanet import nn
from portanet.training.trained.report import evidence_of

RNG = np.random.default_rng(0)


def test_the_answers_are_those_of_predict_and_evaluate() -> None:
    x, labels = RNG.normal(size=(60, 3)), np.array(["no", "yes"])[RNG.integers(0, 2, 60)]
    run = portanet.fit(nn.Sequential(nn.Dense(2)), x, labels, epochs=2)
    evidence = evidence_of(run, "given", x, labels)
    assert [evidence.classes[number] for number in evidence.predicted] == run.predict(x).tolist()
    np.testing.assert_allclose(evidence.outputs, run.probabilities(x), atol=1e-6)
    assert evidence.score == run.evaluate(x, labels)["accuracy"]
    assert [evidence.classes[number] for number in evidence.targets] == labels.tolist()


def test_numbers_are_in_the_unit_of_the_targets() -> None:
    x = RNG.normal(size=(50, 2))
    y = 1000.0 + 30.0 * x[:, 0]
    run = portanet.fit(nn.Sequential(nn.Dense(1)), x, y, task="regress", epochs=5)
    evidence = evidence_of(run, "given", x, y)
    np.testing.assert_allclose(evidence.outputs[:, 0], run.predict(x), rtol=1e-5)
    np.testing.assert_allclose(evidence.targets[:, 0], y)
    assert evidence.score == pytest.approx(run.evaluate(x, y)["r2"], abs=1e-6)


@pytest.mark.parametrize("targets", [1, 2])
def test_intervals_are_those_of_the_model(targets: int) -> None:
    x = RNG.normal(size=(60, 2))
    y = 1000.0 + 30.0 * x[:, :targets] + RNG.normal(size=(60, targets))
    model = nn.Sequential(nn.Dense(3 * targets))
    run = portanet.fit(model, x, y, loss=nn.Quantile((0.1, 0.5, 0.9)), valid=0.3, epochs=5)
    evidence = evidence_of(run, "given", x, y)
    assert evidence.bounds is not None
    np.testing.assert_allclose(evidence.bounds.reshape(run.intervals(x).shape), run.intervals(x))
    np.testing.assert_allclose(evidence.outputs.reshape(run.predict(x).shape), run.predict(x))
    assert evidence.coverage == pytest.approx(0.8)
    report = run.report()._repr_html_()
    shares = np.mean((evidence.bounds[:, 0] <= y) & (y <= evidence.bounds[:, 1]), axis=0)
    for share in shares:
        assert 0.0 < share < 1.0
        assert f"{share:.1%}" in run.report(x=x, labels=y)._repr_html_()
    assert "80% intervals" in report


def test_only_the_column_that_decides_matters() -> None:
    x = RNG.normal(size=(200, 3))
    model = nn.Sequential(nn.Dense(2))
    run = portanet.fit(model, x, (x[:, 1] > 0).astype(int), epochs=1)
    run.params["0"]["weight"] = np.array([[0, 0], [-5, 5], [0, 0]], np.float32)
    run.params["0"]["bias"] = np.zeros(2, np.float32)
    importance = evidence_of(run, "given", x, (x[:, 1] > 0).astype(int)).importance
    assert importance["1"] == importance["3"] == 0.0
    assert 0.3 < importance["2"] < 0.7  # of two classes alike, shuffling leaves one half


def test_many_rows_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.training.trained.report._ROWS", 5)
    x, labels = np.arange(41.0)[:, None], np.arange(41) % 2
    run = portanet.fit(nn.Sequential(nn.Dense(2)), x, labels, epochs=1)
    evidence = evidence_of(run, "given", x, labels)
    assert (len(evidence), evidence.total) == (5, 41)
    assert evidence.x[:, 0].tolist() == [0, 10, 20, 30, 40]


def test_first_weights_have_the_shape_of_the_input() -> None:
    x, labels = RNG.integers(0, 256, (8, 1, 4, 5)).astype(np.uint8), np.arange(8) % 2
    dense = nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(3), nn.ReLU(), nn.Dense(2))
    run = portanet.fit(dense, x, labels, epochs=1)
    filters = evidence_of(run, "given", x, labels).filters
    assert filters is not None
    weight = np.asarray(run.params["2"]["weight"])
    assert filters[1, 0, 2, 3] == weight[2 * 5 + 3, 1]
    conv = nn.Sequential(nn.Rescale(1 / 255), nn.Conv2D(6, 3), nn.Flatten(), nn.Dense(2))
    filters = evidence_of(portanet.fit(conv, x, labels, epochs=1), "given", x, labels).filters
    assert filters is not None
    assert filters.shape == (6, 1, 3, 3)
