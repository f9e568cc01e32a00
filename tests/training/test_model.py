"""A trained model answers: predictions, probabilities and measures that agree with each other."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet.backends import Backend
from portanet.nn import Dense, ReLU, Sequential, Standardize
from portanet.training.trained import outputs

MODEL = Sequential(Standardize(), Dense(6), ReLU(), Dense(3))
X, LABELS = blobs(50, seed=1)


def trained(backend: Any = "numpy") -> portanet.TrainedModel:
    return portanet.fit(MODEL, *blobs(), epochs=2, backend=backend)


def test_answers_agree(backend: Backend, torch: Any) -> None:
    run = trained(backend)
    predicted, shares, measured = run.predict(X), run.probabilities(X), run.evaluate(X, LABELS)
    assert (predicted.dtype, predicted.shape) == (np.dtype("int32"), (50,))
    assert (shares.dtype, shares.shape) == (np.dtype("float32"), (50, 3))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    assert np.array_equal(shares.argmax(axis=1), predicted)
    assert measured["accuracy"] == np.mean(predicted == LABELS)
    expected = torch.nn.functional.nll_loss(torch.log(torch.tensor(shares)), torch.tensor(LABELS, dtype=torch.int64))
    assert measured["loss"] == pytest.approx(expected.item(), rel=1e-4)
    assert measured["samples"] == 50


@pytest.mark.parametrize("block", [1, 7, 49, 50])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained()
    shares, predicted, measured = run.probabilities(X), run.predict(X), run.evaluate(X, LABELS)
    monkeypatch.setattr(outputs, "block_rows", lambda *_: block)
    run = dataclasses.replace(run)
    np.testing.assert_allclose(run.probabilities(X), shares, rtol=1e-5)
    assert np.array_equal(run.predict(X), predicted)
    assert run.evaluate(X, LABELS)["accuracy"] == measured["accuracy"]
    assert run.evaluate(X, LABELS)["loss"] == pytest.approx(measured["loss"], rel=1e-5)


def test_workers_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "block_rows", lambda *_: 8)
    run = trained()
    run.workers = 1
    shares, measured = run.probabilities(X), run.evaluate(X, LABELS)
    run.workers = 3
    assert np.array_equal(run.probabilities(X), shares)
    assert run.evaluate(X, LABELS) == measured


def test_answers_do_not_change_the_model(backend: Backend) -> None:
    run = trained(backend)
    first = run.probabilities(X)
    run.predict(X)
    run.evaluate(X, LABELS)
    assert np.array_equal(run.probabilities(X), first)


def test_each_row_alone_gets_the_same_answer() -> None:
    run = trained()
    alone = np.concatenate([run.probabilities(X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, run.probabilities(X[:5]), rtol=1e-5)


def test_lists_are_read() -> None:
    run = trained()
    assert np.array_equal(run.predict(X.tolist()), run.predict(X))
    assert run.evaluate(X.tolist(), LABELS.tolist()) == run.evaluate(X, LABELS)
