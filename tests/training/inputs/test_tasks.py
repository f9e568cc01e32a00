"""Other kinds of labels than class numbers: numbers, several classes at once, probabilities, weighted classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal

import portanet
from portanet import nn
from portanet.backends import Backend
from portanet.errors import ConfigError, DataError, ModelError
from portanet.nn import (
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Loss,
    MeanSquaredError,
    ReLU,
    Sequential,
    Standardize,
    TaskKind,
    binary_cross_entropy,
    mean_squared_error,
    poisson,
)
from portanet.optim import Adam
from portanet.training.inputs.tasks import Task, task_named, task_of

X, LABELS = blobs()
RATE: dict[str, Any] = {"optimizer": Adam(0.1), "epochs": 30, "batch_size": 30}


def line(outputs: int = 1) -> Any:
    """Targets that are sums of the columns, and some noise."""
    rng = np.random.default_rng(4)
    return X @ rng.normal(0.0, 1.0, (4, outputs)) + 3.0 + rng.normal(0.0, 0.1, (len(X), outputs))


@pytest.mark.parametrize("outputs", [1, 2])
def test_numbers(backend: Backend, outputs: int) -> None:
    targets = line(outputs)
    given = targets[:, 0] if outputs == 1 else targets
    model = Sequential(Standardize(), Dense(outputs))
    run = portanet.fit(model, X, given, loss=mean_squared_error, valid=(X, given), backend=backend, **RATE)
    found, result = run.predict(X), run.evaluate(X, given)
    assert found.shape == given.shape
    assert found.dtype == np.float64
    explained = 1 - ((given - found) ** 2).sum(axis=0) / ((given - given.mean(axis=0)) ** 2).sum(axis=0)
    assert result["r2"] == pytest.approx(np.mean(explained), rel=1e-4)
    assert result["loss"] == pytest.approx(np.mean((found - given) ** 2 / given.var(axis=0)), rel=1e-4)
    assert run.history[-1]["valid_r2"] == pytest.approx(result["r2"], abs=1e-6)
    assert result["r2"] > 0.9 > run.history[0]["r2"]
    with pytest.raises(ModelError, match="trained to predict numbers, which have no probabilities"):
        run.probabilities(X)


def test_a_constant_target_scores_as_in_scikit_learn() -> None:
    run = portanet.fit(Sequential(Dense(1)), X, np.full(len(X), 2.0), loss=mean_squared_error, epochs=1)
    assert run.evaluate(X, np.full(len(X), 2.0))["r2"] == 0.0


def test_several_classes_at_once(backend: Backend) -> None:
    labels = np.stack([X[:, 0] > 0, X[:, 1] > X[:, 2]], axis=1)
    model = Sequential(Dense(16), ReLU(), Dense(2))
    run = portanet.fit(model, X, labels, loss=binary_cross_entropy, backend=backend, **RATE)
    found, probabilities = run.predict(X), run.probabilities(X)
    assert found.shape == labels.shape
    assert np.array_equal(found == 1, probabilities > 0.5)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-run.outputs(X).astype(float))), rtol=1e-5)
    accuracy = run.evaluate(X, labels)["accuracy"]
    assert accuracy == pytest.approx(np.mean(found == labels))
    assert accuracy > 0.9


def test_counts(backend: Backend) -> None:
    """The outputs are logarithms of multiples of the mean; answers and score are in counts."""
    labels = np.random.default_rng(2).poisson(np.exp(0.4 * X[:, 0] + 1.0))
    run = portanet.fit(Sequential(Dense(1)), X, labels, valid=(X, labels), loss=poisson, backend=backend, **RATE)
    found = run.predict(X)
    np.testing.assert_allclose(found, labels.mean() * np.exp(run.outputs(X)[:, 0].astype(float)), rtol=1e-5)
    expected = 1.0 - np.sum((labels - found) ** 2) / np.sum((labels - labels.mean()) ** 2)
    assert run.evaluate(X, labels)["r2"] == pytest.approx(expected, rel=1e-4)
    assert run.history[-1]["valid_r2"] == pytest.approx(expected, rel=1e-4)
    assert run.history[-1]["r2"] == pytest.approx(expected, rel=0.1)
    assert expected > 0.3


def test_certain_probabilities_are_class_numbers(backend: Backend) -> None:
    settings = {"backend": backend, "epochs": 3, "batch_size": 30}
    hard = portanet.fit(Sequential(Dense(3)), X, LABELS, **settings)
    soft = portanet.fit(Sequential(Dense(3)), X, np.eye(3)[LABELS], **settings)
    np.testing.assert_allclose(soft.outputs(X), hard.outputs(X), rtol=1e-4, atol=1e-5)
    assert soft.evaluate(X, np.eye(3)[LABELS])["accuracy"] == hard.evaluate(X, LABELS)["accuracy"]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_are_those_of_torch(smoothing: float, torch: Any) -> None:
    """The loss of the first step, from the first weights, with sample weights of one."""
    of_class = (0.5, 2.0, 4.0)
    loss = CrossEntropy(label_smoothing=smoothing, class_weight=of_class)
    model = Sequential(Dense(3))
    run = portanet.fit(model, X, LABELS, loss=loss, dtype="float64", epochs=1, batch_size="full")
    start = model.init(portanet.rng.generator(0, portanet.rng.WEIGHTS), (4,))
    logits = torch.tensor(model.forward(start, X)[0])
    weight = torch.tensor(of_class, dtype=torch.float64)
    labels = torch.tensor(LABELS, dtype=torch.int64)
    expected = torch.nn.functional.cross_entropy(logits, labels, weight=weight, label_smoothing=smoothing)
    assert run.history[0]["loss"] == pytest.approx(expected.item(), rel=1e-12)


def test_a_loss_of_yours_names_its_task() -> None:
    class Squared(Loss):
        task = TaskKind.REGRESS
        __call__ = MeanSquaredError.__call__

    run = portanet.fit(Sequential(Dense(1)), X, line(), loss=Squared(), epochs=1)
    assert "r2" in run.evaluate(X, line())
    Squared.task = "rank"
    with pytest.raises(ConfigError, match=r"Squared: task must be one of TaskKind.CLASSIFY, .* got 'rank'"):
        portanet.fit(Sequential(Dense(1)), X, line(), loss=Squared(), epochs=1)


@pytest.mark.parametrize("task", [task_named("classify"), task_named("multilabel"), task_named("regress")])
def test_the_usual_loss_of_a_task_suits_it(task: Task) -> None:
    assert task.suits(task.loss)
    assert [other.__name__ for other in (CrossEntropy, BinaryCrossEntropy, MeanSquaredError) if task.suits(other)] == [
        type(task.loss).__name__
    ]


def test_counts_are_numbers_to_predict() -> None:
    assert task_named("regress").suits(poisson)
    assert not task_of(poisson).suits(mean_squared_error)


def test_predictions_as_people_read_them() -> None:
    names = ("cat", "dog")
    assert task_of(CrossEntropy()).texts(np.asarray([1, 0]), names) == ["dog", "cat"]
    assert task_of(binary_cross_entropy).texts(np.asarray([[1, 0], [1, 1], [0, 0]]), names) == ["cat", "cat dog", ""]
    assert task_of(poisson).texts(np.asarray([0.5, 2.0], np.float32), ()) == ["0.5", "2.0"]
    assert task_of(poisson).texts(np.asarray([[0.5, 2.0]], np.float32), ()) == ["0.5 2.0"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": line()[1:]}, DataError, r"labels must be 1 number for each of the 90 rows, got shape \(89, 1\)"),
        ({"labels": np.where(line() > 4, np.nan, 1.0)}, DataError, r"row \d+: the label is NaN or infinite"),
        ({"labels": np.full(90, "a")}, DataError, r"labels must be 1 number .* of <U1"),
        ({"loss": poisson}, DataError, r"row \d+: the label is below 0, and counts are not"),
        ({"loss": binary_cross_entropy}, DataError, "labels of several classes at once must be from 0 to 1"),
        (
            {"loss": CrossEntropy(), "labels": np.full((90, 3), 0.5), "model": Sequential(Dense(3))},
            DataError,
            "labels with a probability for each class must be at least 0 and sum to 1",
        ),
        (
            {"loss": CrossEntropy(class_weight=(1.0, 2.0)), "labels": LABELS, "model": Sequential(Dense(3))},
            ConfigError,
            r"class_weight must have one number for each of the 3 classes, got \(1.0, 2.0\)",
        ),
    ],
)
def test_labels_that_cannot_be(changes: Any, error: type[Exception], message: str) -> None:
    settings = {"model": Sequential(Dense(1)), "labels": line(), "loss": mean_squared_error} | changes
    with pytest.raises(error, match=message):
        portanet.fit(settings.pop("model"), X, settings.pop("labels"), epochs=1, **settings)


def test_training_goes_on_from_given_arrays(backend: Backend) -> None:
    """Preprocessing keeps what the first training fitted, and no new weights are drawn."""
    model = Sequential(Standardize(), Dense(3))
    first = portanet.fit(model, X, LABELS, backend=backend, **RATE)
    other = X * 5.0 + 1.0
    again = portanet.fit(model, other, LABELS, params=first.params, epochs=1, optimizer=Adam(1e-9), backend=backend)
    np.testing.assert_allclose(again.outputs(other), first.outputs(other), rtol=1e-4, atol=1e-4)
    wrong = Sequential(Standardize(), Dense(5), Dense(3))
    with pytest.raises(ModelError, match=r"params must hold 1.weight of shape \(4, 5\) for this model, got shape"):
        portanet.fit(wrong, X, LABELS, params=first.params)


@pytest.mark.parametrize("parts", [1, 2, 3, 30])
def test_a_batch_in_parts_is_the_same_batch(backend: Backend, parts: int) -> None:
    model = Sequential(Dense(8), ReLU(), Dense(3))
    whole, cut = (
        portanet.fit(model, X, LABELS, backend=backend, epochs=2, batch_size=29, accumulate=count)
        for count in (1, parts)
    )
    np.testing.assert_allclose(cut.outputs(X), whole.outputs(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("parts", "largest"), [(1, 29), (2, 15), (3, 10), (30, 1)])
def test_a_batch_in_parts_needs_the_memory_of_a_part(parts: int, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    own = Dense.forward

    def spy(self: Dense, params: Any, x: Any, **settings: Any) -> Any:
        seen.add(len(x))
        return own(self, params, x, **settings)

    monkeypatch.setattr(Dense, "forward", spy)
    portanet.fit(Sequential(Dense(3)), X, LABELS, epochs=1, batch_size=29, accumulate=parts, workers=1)
    assert max(seen) == largest


def test_fit_takes_a_task_by_name() -> None:
    """It chooses the usual loss, and must agree with one that is given."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    model = nn.Sequential(nn.Dense(1))
    by_name = portanet.fit(model, x, x[:, 0], task="regress", epochs=2)
    assert portanet.fit(model, x, np.exp(x[:, 0]), task="count", epochs=1).loss == nn.poisson
    by_loss = portanet.fit(model, x, x[:, 0], loss=nn.mean_squared_error, epochs=2)
    assert by_name.loss == nn.mean_squared_error
    assert equal(by_name.params, by_loss.params)
    assert portanet.fit(model, x, x[:, 0], task="regress", loss=nn.huber, epochs=1).loss == nn.huber
    with pytest.raises(ConfigError, match=r"MeanSquaredError.* 'regress'.* task='classify'.* CrossEntropy"):
        portanet.fit(model, x, x[:, 0], task="classify", loss=nn.mean_squared_error)
    with pytest.raises(ConfigError, match=r"task must be one of .*regress.* got 'regression'"):
        portanet.fit(model, x, x[:, 0], task="regression")


def test_one_output_of_yes_or_no_answers_as_many_numbers_as_there_are_rows() -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    truth = x[:, 0] > 0
    run = portanet.fit(nn.Sequential(nn.Dense(1)), x, truth, loss="bce", epochs=30)
    predicted = run.predict(x)
    assert predicted.shape == truth.shape  # (60, 1) == (60,) would be 3,600 comparisons
    assert (predicted == truth).mean() == run.evaluate(x, truth)["accuracy"]
    assert run.task.texts(predicted, ["yes"])[0] == ("yes" if predicted[0] else "")


def test_numbers_for_a_model_of_one_class_are_told_of_the_task() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(DataError, match=r"task=.regress."):
        portanet.fit(nn.Sequential(nn.Dense(1)), x, np.arange(100, 120))
