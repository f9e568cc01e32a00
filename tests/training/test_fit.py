"""Whole trainings: beside PyTorch, on every backend, with any number of workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from helpers import Host, assert_close, blobs, equal, tree

import portanet
from portanet._settings import to_dict
from portanet._tree import tree_items
from portanet.backends import Backend
from portanet.nn import Dense, Dropout, Flatten, ReLU, Rescale, Sequential, Standardize
from portanet.optim import SGD, Adam, AdamW, cosine_decay
from portanet.rng import WEIGHTS, generator
from portanet.training.loop.batches import Batches
from portanet.training.model import TrainedModel
from portanet.training.spec import TrainingSpec
from portanet.training.steps import gradient

MODEL = Sequential(Standardize(), Dense(6), ReLU(), Dense(3))


def trained(backend: Any = "numpy", **settings: Any) -> TrainedModel:
    x, labels = blobs()
    return portanet.fit(MODEL, x, labels, backend=backend, **{"epochs": 3, "batch_size": 32} | settings)


def host(run: TrainedModel) -> dict[str, Any]:
    return tree(run.params, run.backend.to_numpy)


@pytest.mark.parametrize("batch_size", [32, 30, 200, "full"])
def test_torch_trains_the_same_way(batch_size: Any, torch: Any) -> None:
    """The same weights and rows in PyTorch's own modules, loss and optimizer: the same losses and weights."""
    x, labels = blobs()
    run = trained(batch_size=batch_size, epochs=4, dtype="float64", seed=3, optimizer=Adam(0.01))
    start = MODEL.init(generator(3, WEIGHTS), (4,))
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)).double()
    with torch.no_grad():
        for ours, theirs in (("1", model[0]), ("3", model[2])):
            theirs.weight.copy_(torch.tensor(start[ours]["weight"].T))
            theirs.bias.copy_(torch.tensor(start[ours]["bias"]))
    rows = torch.tensor((x - x.mean(axis=0)) / x.std(axis=0))
    targets = torch.tensor(labels, dtype=torch.int64)
    optimizer, losses, hits = torch.optim.Adam(model.parameters(), lr=0.01), [], []
    size = len(x) if batch_size == "full" else batch_size
    for epoch in range(4):
        order = np.arange(len(x)) if batch_size == "full" else Batches(len(x), size, 3).order(epoch)
        total, right = 0.0, 0
        for begin in range(0, len(x), size):
            batch = torch.tensor(order[begin : begin + size])
            logits = model(rows[batch])
            loss = torch.nn.functional.cross_entropy(logits, targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            right += int((logits.argmax(dim=1) == targets[batch]).sum())
        losses.append(total / len(x))
        hits.append(right / len(x))
    np.testing.assert_allclose([row["loss"] for row in run.history], losses, rtol=1e-10)
    assert [row["accuracy"] for row in run.history] == hits
    np.testing.assert_allclose(run.params["1"]["weight"], model[0].weight.detach().numpy().T, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(run.params["3"]["bias"], model[2].bias.detach().numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("optimizer", "batch_size"),
    [(SGD(0.01, momentum=0.9, weight_decay=0.01), "full"), (AdamW(0.01), 32)],
    ids=["full", "32"],
)
def test_every_backend_learns_the_same(backend: Backend, optimizer: Any, batch_size: Any) -> None:
    settings = {"optimizer": optimizer, "batch_size": batch_size}
    run, expected = trained(backend, **settings), trained("numpy", dtype="float64", **settings)
    assert run.backend is backend
    for row, other in zip(run.history, expected.history, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert row["accuracy"] == pytest.approx(other["accuracy"], abs=0.012)  # one row may lie on the border
    assert {array.dtype.name for _, array in tree_items(host(run))} == {"float32"}
    assert_close(host(run), expected.params, rtol=1e-3, atol=1e-4)


def test_float64_on_every_backend(backend: Backend) -> None:
    run, expected = trained(backend, dtype="float64"), trained("numpy", dtype="float64")
    assert run.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-10)
    assert {array.dtype.name for _, array in tree_items(host(run))} == {"float64"}
    assert_close(host(run), expected.params, rtol=1e-9, atol=1e-12)


def test_training_learns() -> None:
    x, labels = blobs()
    run = trained(epochs=40, optimizer=Adam(0.02), schedule=cosine_decay(warmup=5))
    assert run.history[0]["loss"] > 0.5
    assert run.history[-1]["accuracy"] > 0.95
    assert run.evaluate(x, labels)["accuracy"] > 0.95


def test_weights_start_the_same_on_every_backend(backend: Backend) -> None:
    """A rate too small to change a weight leaves the seed's own draws, rounded to float32."""
    run = trained(backend, epochs=1, seed=7, optimizer=SGD(1e-30))
    drawn = MODEL.init(generator(7, WEIGHTS), (4,))
    for name in ("1", "3"):
        assert np.array_equal(host(run)[name]["weight"], drawn[name]["weight"].astype(np.float32))


def test_equal_runs_give_equal_bits(backend: Backend) -> None:
    first, second, other = (trained(backend, batch_size=45, seed=seed) for seed in (0, 0, 1))
    assert equal(host(first), host(second))
    assert not equal(host(first), host(other))
    assert [row["loss"] for row in first.history] == [row["loss"] for row in second.history]


@pytest.mark.parametrize("batch_size", [31, "full"])
def test_the_number_of_workers_changes_no_bit(batch_size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient, "_SHARD_MACS", 4 * (4 * 6 + 6 * 3))
    monkeypatch.setattr(gradient, "_SHARD_ROWS", 1)
    assert gradient.shard_rows(MODEL, (4,), 31) == 8
    alone, *shared = (trained(workers=workers, batch_size=batch_size) for workers in (1, 2, 4))
    for run in shared:
        assert run.workers > 1
        assert equal(run.params, alone.params)
        assert [row["loss"] for row in run.history] == [row["loss"] for row in alone.history]
    monkeypatch.undo()
    whole = trained(batch_size=batch_size)
    assert_close(alone.params, whole.params, rtol=1e-3, atol=1e-5)


def test_blas_threads_are_as_before() -> None:
    def threads() -> list[int]:
        """Of NumPy's BLAS: another library may have brought its own since."""
        return [
            pool["num_threads"]
            for pool in threadpoolctl.threadpool_info()
            if pool["user_api"] == "blas" and "numpy.libs" in pool["filepath"]
        ]

    during: list[int] = []

    class Look(portanet.Callback):
        def advance(self, step: int) -> None:
            during.extend(threads())

        def log(self, row: dict[str, Any]) -> None:
            raise RuntimeError("stop")

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        run = trained()
        x, labels = blobs()
        run.predict(x)
        run.evaluate(x, labels)
        assert threads() == before
        with pytest.raises(RuntimeError, match="stop"):
            trained(callbacks=[Look()])
        assert threads() == before
    assert set(during) == {1}


def test_caller_arrays_are_left_alone(backend: Backend) -> None:
    x, labels = blobs()
    weights = np.linspace(0.5, 1.5, len(x))
    copies = x.copy(), labels.copy(), weights.copy()
    for array in (x, labels, weights):
        array.setflags(write=False)
    portanet.fit(MODEL, x, labels, sample_weight=weights, valid=(x, labels), epochs=1, backend=backend)
    for array, copy in zip((x, labels, weights), copies, strict=True):
        assert np.array_equal(array, copy)


def test_device_arrays_stay_in_their_library(backend: Backend) -> None:
    x, labels = blobs()
    on_device = backend.put(x, "float32"), backend.put(labels)
    run = portanet.fit(MODEL, *on_device, epochs=1, batch_size=45)
    assert (run.backend.name, run.backend.device) == (backend.name, backend.device)
    assert type(run.params["1"]["weight"]) is type(on_device[0])
    expected = portanet.fit(MODEL, x, labels, epochs=1, batch_size=45)
    assert run.history[0]["loss"] == pytest.approx(expected.history[0]["loss"], rel=1e-4)
    assert run.evaluate(*on_device)["samples"] == 90
    assert np.array_equal(run.predict(on_device[0]), run.predict(x))


def test_arrays_of_another_library_are_moved(backend: Backend, torch: Any) -> None:
    x, labels = blobs()
    run = portanet.fit(MODEL, torch.tensor(x), torch.tensor(labels), epochs=1, backend=backend)
    assert run.backend is backend
    assert type(run.params["1"]["weight"]) is type(backend.put(x, "float32"))
    assert np.array_equal(run.predict(torch.tensor(x)), run.predict(x))


def test_lists_and_tables_are_read() -> None:
    x, labels = blobs()
    expected = portanet.fit(MODEL, x, labels, epochs=1)
    for rows, classes in (
        (x.tolist(), labels.tolist()),
        (pd.DataFrame(x), pd.Series(labels)),
        (np.asfortranarray(x), labels[::-1][::-1]),
    ):
        assert equal(portanet.fit(MODEL, rows, classes, epochs=1).params, expected.params)


def test_pixels_are_scaled_by_the_model(backend: Backend) -> None:
    """uint8 images give what their float copies give."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4)).astype(np.uint8)
    labels = pixels[:, 0, 0, 0] // 128
    model = Sequential(Rescale(1 / 255), Flatten(), Dense(2))
    first, second = (
        portanet.fit(model, x, labels, epochs=2, batch_size=20, backend=backend)
        for x in (pixels, pixels.astype(np.float32))
    )
    assert equal(host(first), host(second))


def test_buffers_are_not_trained() -> None:
    x, _ = blobs()
    run = trained(optimizer=AdamW(0.1, weight_decay=0.5))
    np.testing.assert_allclose(run.params["0"]["mean"], x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(run.params["0"]["deviation"], x.std(axis=0), rtol=1e-5)


def test_weights_count_rows() -> None:
    """Weight 0 for the rows of one class: trained as if they were not there."""
    x, labels = blobs()
    settings: dict[str, Any] = {"epochs": 5, "batch_size": "full", "dtype": "float64"}
    model = Sequential(Dense(3))
    kept = labels != 1
    weighted = portanet.fit(model, x, labels, sample_weight=np.where(kept, 2.0, 0.0), **settings)
    without = portanet.fit(model, x[kept], labels[kept], **settings)
    assert_close(weighted.params, without.params, rtol=1e-9, atol=1e-12)


def test_weights_that_miss_a_whole_batch() -> None:
    x, labels = blobs()
    weights = np.zeros(len(x))
    weights[:3] = 1.0
    run = portanet.fit(MODEL, x, labels, sample_weight=weights, epochs=1, batch_size=4)
    assert np.isfinite(run.history[0]["loss"])
    assert all(np.isfinite(array).all() for _, array in tree_items(run.params))


def test_adam_is_the_default() -> None:
    assert equal(trained().params, trained(optimizer=Adam(0.001)).params)


def test_config_says_what_was_done() -> None:
    run = trained(optimizer=Adam(0.1), schedule=cosine_decay(warmup=2), seed=5)
    assert run.spec.to_dict() == {
        "layers": [to_dict(layer) for layer in MODEL.layers],
        "epochs": 3,
        "batch_size": 32,
        "seed": 5,
        "log_every": 1,
        "dtype": "float32",
        "loss": {"type": "CrossEntropy", "label_smoothing": 0.0, "class_weight": []},
        "optimizer": {"type": "Adam", "learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-08},
        "schedule": {"type": "cosine_decay", "warmup": 2, "final": 0.0},
        "accumulate": 1,
        "valid": 0.0,
        "callbacks": [],
        "class_weight": None,
        "calibrate": False,
    }
    assert TrainingSpec.from_dict(run.spec.to_dict()) == run.spec
    assert run.card.input_shape == (4,)
    assert run.steps == 9
    assert run.seconds > 0


def test_loss_of_one_row_by_hand() -> None:
    """Equal logits for two classes: the first loss is log 2, whatever the row."""
    model = Sequential(Dense(2, initializer=portanet.nn.zeros))
    run = portanet.fit(model, np.asarray([[3.0]]), [0], epochs=1)
    assert run.history[0]["loss"] == pytest.approx(float(np.log(2.0)), rel=1e-6)


def column(history: list[dict[str, Any]], name: str) -> Host:
    return np.asarray([row[name] for row in history])


def test_history_of_mini_batches() -> None:
    x, labels = blobs()
    run = trained(epochs=5, log_every=2, valid=(x, labels), optimizer=Adam(0.01), schedule=cosine_decay())
    assert list(run.history[0]) == [
        "step",
        "epoch",
        "learning_rate",
        "loss",
        "accuracy",
        "valid_loss",
        "valid_accuracy",
        "seconds",
    ]
    assert column(run.history, "epoch").tolist() == [1, 3, 5]
    assert column(run.history, "step").tolist() == [3, 9, 15]
    expected = [0.01 * cosine_decay()(step, 15) for step in (2, 8, 14)]
    assert column(run.history, "learning_rate").tolist() == expected
    assert np.all(np.diff(column(run.history, "seconds")) > 0)
    final = run.evaluate(x, labels)
    assert (run.history[-1]["valid_loss"], run.history[-1]["valid_accuracy"]) == (final["loss"], final["accuracy"])


def test_history_of_full_batches() -> None:
    """The steps done, as for mini-batches; the loss is that of the last step's own forward pass, before its update."""
    x, labels = blobs()
    run = trained(epochs=7, log_every=3, batch_size="full")
    assert column(run.history, "step").tolist() == [1, 4, 7]
    assert column(run.history, "epoch").tolist() == [1, 4, 7]
    untrained = trained(epochs=1, batch_size="full", optimizer=SGD(1e-30))
    assert run.history[0]["loss"] == pytest.approx(untrained.evaluate(x, labels)["loss"], rel=1e-5)
    three = trained(epochs=3, batch_size="full")
    assert run.history[1]["loss"] == pytest.approx(three.evaluate(x, labels)["loss"], rel=1e-5)
    assert run.history[1]["accuracy"] == pytest.approx(three.evaluate(x, labels)["accuracy"], abs=1e-12)


def test_noise_is_the_same_on_every_backend(backend: Backend) -> None:
    """Dropout at a rate of one half changes the loss by far more than the tolerance, unless the bits are equal."""
    x, labels = blobs()
    model = Sequential(Dense(8), ReLU(), Dropout(0.5), Dense(3))
    runs = [
        portanet.fit(model, x, labels, epochs=2, batch_size=30, backend=chosen, seed=3) for chosen in (backend, "numpy")
    ]
    assert runs[0].history[-1]["loss"] == pytest.approx(runs[1].history[-1]["loss"], rel=1e-4)


def test_noise_does_not_depend_on_workers_or_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = blobs()
    model = Sequential(Dense(8), ReLU(), Dropout(0.5), Dense(3))
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 31, "dtype": "float64"}
    whole = portanet.fit(model, x, labels, **settings)
    monkeypatch.setattr(gradient, "_SHARD_MACS", 4 * (4 * 8 + 8 * 3))
    monkeypatch.setattr(gradient, "_SHARD_ROWS", 1)
    alone, shared = (portanet.fit(model, x, labels, workers=workers, **settings) for workers in (1, 2))
    assert equal(alone.params, shared.params)
    assert_close(alone.params, whole.params, rtol=1e-9, atol=1e-12)


def test_each_epoch_has_its_own_noise() -> None:
    """With a rate of nothing the losses of two epochs differ only by what is dropped."""
    x, labels = blobs()
    model = Sequential(Dropout(0.5), Dense(3))
    run = portanet.fit(model, x, labels, epochs=2, batch_size="full", optimizer=SGD(1e-30))
    assert run.history[0]["loss"] != pytest.approx(run.history[1]["loss"], rel=1e-3)
