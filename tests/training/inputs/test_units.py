"""What a regression learns does not depend on the unit of its targets; answers and R2 are in that unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Host, blobs, equal

import portanet
from portanet import nn, optim
from portanet.backends import Backend
from portanet.errors import CheckpointError, ConfigError, DataError
from portanet.nn import Dense, Loss, ReLU, Residual, Sequential, Softplus, Standardize, TaskKind
from portanet.optim import SGD, Adam
from portanet.storage.model_card import ModelCard
from portanet.storage.model_file import save_model
from portanet.training.fine_tune import fine_tune
from portanet.training.inputs.units import Unit

X, _ = blobs(120)
RNG = np.random.default_rng(5)
Y = X @ np.asarray([1.0, -2.0, 0.5, 3.0]) + RNG.normal(0.0, 0.3, 120) + 1.0
COUNTS = RNG.poisson(np.exp(0.5 * X[:, 0] + 0.5)).astype(np.float64)
MODEL = Sequential(Standardize(), Dense(8), ReLU(), Dense(1))
SHORT: dict[str, Any] = {"epochs": 4, "batch_size": 30}
UNITS = {
    "1e-8": Y * 1e-8,
    "1e10": Y * 1e10,
    "+1e9": Y + 1e9,
    "1e20": Y * 1e20,
    "1e-23": Y * 1e-23,
    "thousands": Y * 1000,
}


def r2(targets: Host, predictions: Host) -> float:
    """In float64, as scikit-learn's r2_score, of numbers whose squares would overflow too."""
    of = pytest.importorskip("sklearn.metrics").r2_score
    size = np.abs(targets).max()
    return float(of(targets / size, predictions / size))


OPTIMIZERS = [
    SGD(0.03),
    SGD(0.003, momentum=0.9),
    Adam(0.01),
    optim.RMSProp(0.01),
    optim.AdaGrad(0.1),
    optim.Lion(0.003),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("loss", [nn.mean_squared_error, nn.mean_absolute_error, nn.huber], ids=repr)
def test_the_unit_does_not_matter(optimizer: optim.Optimizer, loss: Loss) -> None:
    settings: dict[str, Any] = {"loss": loss, "optimizer": optimizer, **SHORT, "epochs": 12}
    usual = portanet.fit(MODEL, X, Y, valid=(X, Y), **settings)
    expected = usual.evaluate(X, Y)
    assert expected["r2"] == pytest.approx(r2(Y, usual.predict(X)), abs=1e-6)
    assert expected["r2"] > 0.5
    for name, targets in UNITS.items():
        run = portanet.fit(MODEL, X, targets, valid=(X, targets), **settings)
        found = run.evaluate(X, targets)
        assert found["r2"] == pytest.approx(expected["r2"], abs=1e-3), name
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-3), name
        assert r2(targets, run.predict(X)) == pytest.approx(found["r2"], abs=1e-3), name
        for key in ("r2", "valid_r2", "loss", "valid_loss"):
            assert run.history[-1][key] == pytest.approx(usual.history[-1][key], rel=1e-3), (name, key)


def test_on_every_backend(backend: Backend, tmp_path: Path) -> None:
    """A line is that of least squares in float64, through files and memory maps too."""
    linear = pytest.importorskip("sklearn.linear_model").LinearRegression().fit(X, Y)
    np.save(tmp_path / "x.npy", X.astype(np.float64))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)
    for targets, back in ((Y * 1e10, 1e-10), (Y * 1e-8, 1e8), (Y, 1.0)):
        run = portanet.fit(
            Sequential(Standardize(), Dense(1)), mapped, backend.put(targets, "float32"), task="regress",
            epochs=60, batch_size=30, optimizer=Adam(0.05), backend=backend,
        )  # fmt: skip
        np.testing.assert_allclose(run.predict(X) * back, linear.predict(X), atol=0.1)
        again = portanet.load(run.save(tmp_path / "m.safetensors"), backend=backend)
        assert np.array_equal(again.predict(mapped), run.predict(mapped))
        assert again.evaluate(X, targets) == run.evaluate(X, targets)
        assert again.card == run.card


def test_several_targets_of_different_units() -> None:
    targets = np.stack([Y * 1e10, Y[::-1] * 1e-8 + 5, np.full(120, 7.0)], axis=1)
    run = portanet.fit(Sequential(Standardize(), Dense(16), ReLU(), Dense(3)), X, targets, task="regress", **SHORT)
    found = run.predict(X)
    assert found.shape == (120, 3)
    assert run.evaluate(X, targets)["r2"] == pytest.approx(
        np.mean([r2(targets[:, i], found[:, i]) for i in range(3)]), abs=1e-5
    )
    assert run.card.target_center == pytest.approx(tuple(targets.mean(axis=0)))
    assert run.card.target_scale == pytest.approx((*targets.std(axis=0)[:2], 7.0), rel=1e-6)


@pytest.mark.parametrize("size", [1.0, 1e-8, 1e10, 1e20])
def test_counts_are_learned_over_their_mean(size: float, backend: Backend) -> None:
    """As scikit-learn's PoissonRegressor, which has no unit either."""
    glm = pytest.importorskip("sklearn.linear_model").PoissonRegressor(alpha=0.0, max_iter=500).fit(X, COUNTS)
    settings: dict[str, Any] = {"loss": nn.poisson, "epochs": 80, "batch_size": 30, "optimizer": Adam(0.03)}
    run = portanet.fit(Sequential(Standardize(), Dense(1)), X, COUNTS * size, backend=backend, **settings)
    assert run.card.target_center == (0.0,)
    assert run.card.target_scale == pytest.approx((COUNTS.mean() * size,))
    assert run.evaluate(X, COUNTS * size)["r2"] == pytest.approx(glm_r2 := r2(COUNTS, glm.predict(X)), abs=0.02)
    assert r2(COUNTS * size, run.predict(X)) == pytest.approx(glm_r2, abs=0.02)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e20, 1e-23, -3e5])
def test_a_constant_target_is_predicted(value: float) -> None:
    run = portanet.fit(MODEL, X, np.full(120, value), task="regress", epochs=60, batch_size=30, optimizer=Adam(0.01))
    assert run.card.target_scale == (abs(value) or 1.0,)
    np.testing.assert_allclose(run.predict(X), value, rtol=0.5, atol=0.5 if value == 0 else 0.0)
    assert run.evaluate(X, np.full(120, value))["r2"] == 0.0


def test_moments_are_those_of_float64_and_weights_count() -> None:
    weights = RNG.uniform(0.0, 1.0, 120) * (np.arange(120) % 3 > 0)
    for targets in (Y, Y + 1e9, Y * 1e200):
        placeholder = np.where(weights > 0, targets, 1e300)[:, None]
        unit = Unit.of_deviations(placeholder, weights)
        mean = np.average(targets, weights=weights)
        assert unit.center[0] == pytest.approx(mean, rel=1e-12)
        size = np.abs(targets).max()
        deviation = np.sqrt(np.average(((targets - mean) / size) ** 2, weights=weights)) * size
        assert unit.scale[0] == pytest.approx(deviation, rel=1e-6)
    run = portanet.fit(MODEL, X, Y, task="regress", sample_weight=weights, **SHORT)
    assert run.card.target_center == pytest.approx((np.average(Y, weights=weights),))
    assert Unit.of_deviations(np.full((5, 1), 0.1), None) == Unit((0.1,), (0.1,))
    assert Unit.of_means(np.zeros((5, 1)), None) == Unit((0.0,), (1.0,))


def test_delta_of_huber_is_in_deviations() -> None:
    """An outlier pulls no harder than one deviation, in any unit."""
    runs = [
        portanet.fit(MODEL, X, targets, loss=nn.Huber(0.5), optimizer=SGD(0.03), **SHORT) for targets in (Y, Y * 1e6)
    ]
    for array, other in zip(*(run.params["3"].values() for run in runs), strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)


def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    settings = {"task": "regress", "batch_size": 30, "valid": (X, Y * 1e10)}
    alone = portanet.fit(MODEL, X, Y * 1e10, epochs=6, **settings)
    portanet.fit(MODEL, X, Y * 1e10, epochs=3, checkpoints=tmp_path, **settings)
    with pytest.raises(ConfigError, match="other settings"):
        portanet.fit(MODEL, X, Y * 1e9, epochs=6, checkpoints=tmp_path, **settings)
    resumed = portanet.fit(MODEL, X, Y * 1e10, epochs=6, checkpoints=tmp_path, **settings)
    assert equal(alone.params, resumed.params)
    assert alone.card == resumed.card


def test_a_model_trained_further_keeps_its_unit_unless_its_head_is_new() -> None:
    first = portanet.fit(MODEL, X, Y * 1000, task="regress", **SHORT)
    still: dict[str, Any] = {"task": "regress", "optimizer": Adam(1e-9), "epochs": 1}
    for model, params in ((MODEL, first.params), fine_tune(first, 1)):
        run = portanet.fit(model, X[:50], Y[:50] * 900, params=params, **still)
        assert run.card.target_scale == first.card.target_scale
        np.testing.assert_allclose(run.predict(X), first.predict(X), rtol=1e-4, atol=0.1)
    model, params = fine_tune(first, 1, new_head=True)
    run = portanet.fit(model, X, Y * 1e-6, params=params, **still)
    assert run.card.target_scale == pytest.approx((Y.std() * 1e-6,))
    model, params = fine_tune(first, 2)
    assert portanet.fit(model, X, (Y > 1).astype(int), params=params, epochs=1).card.target_scale == ()
    plain = {name: dict(arrays) for name, arrays in first.params.items()}
    assert portanet.fit(MODEL, X, Y, params=plain, **still).card.target_scale == pytest.approx((Y.std(),))


@dataclass(frozen=True, repr=False)
class Relative(Loss):
    """The squared relative error, which needs targets and outputs in their own unit."""

    task = TaskKind.REGRESS
    own_unit = True

    def __call__(self, outputs: Any, targets: Any, weights: Any, /) -> Any:
        error = outputs / targets - 1.0
        slope = 2.0 * error * weights[:, None] / targets
        return (error * error * weights[:, None]).sum(), slope


def test_a_loss_that_needs_the_own_unit() -> None:
    targets = np.exp(0.3 * X[:, 0]) + 10
    run = portanet.fit(MODEL, X, targets, loss=Relative(), epochs=60, batch_size=30, optimizer=Adam(0.05))
    assert run.card.target_scale == ()
    assert run.evaluate(X, targets)["loss"] == pytest.approx(np.mean((run.predict(X) / targets - 1) ** 2), rel=1e-3)
    assert run.evaluate(X, targets)["r2"] == pytest.approx(r2(targets, run.predict(X)), abs=1e-4)
    assert run.evaluate(X, targets)["loss"] < 0.01
    for size in (1e-20, 1e20):
        with pytest.raises(DataError, match=r"own unit.*dtype='float64'"):
            portanet.fit(MODEL, X, targets * size, loss=Relative(), epochs=1)
    assert portanet.fit(MODEL, X, targets * 1e20, loss=Relative(), epochs=1, dtype="float64").card.target_scale == ()


@pytest.mark.parametrize(
    ("last", "standardised"),
    [
        ((Dense(1),), True),
        ((Dense(1), nn.Identity()), True),
        ((Residual(Dense(1)),), True),
        ((Sequential(Dense(1), Sequential(nn.Reshape((1,)), nn.Flatten())),), True),
        ((Dense(1), nn.BatchNorm()), True),
        ((Dense(1), Softplus()), False),
        ((Sequential(Dense(1), nn.Sigmoid()), nn.Identity()), False),
        ((Dense(1), nn.Rescale(2.0, offset=1.0)), False),
    ],
    ids=repr,
)
def test_a_model_that_bounds_its_outputs_gives_targets_in_their_own_unit(last: Any, standardised: bool) -> None:
    """Softplus has no negative numbers, which half of the standardised targets are."""
    targets = np.exp(0.3 * X[:, :1])
    targets /= targets.max()
    model = Sequential(Standardize(), Dense(1), *last)
    run = portanet.fit(model, X, targets, task="regress", **SHORT)
    assert bool(run.card.target_scale) == standardised
    assert model.freeze("1").learns_unit == standardised
    frozen = Sequential(Dense(1), nn.Frozen(Sequential(*last)))
    assert frozen.learns_unit == standardised
    if not standardised:
        assert np.array_equal(run.predict(X), run.outputs(X)[:, 0].astype(np.float64))


def test_classes_have_none() -> None:
    labels = (Y > 1).astype(int)
    assert portanet.fit(Sequential(Dense(2)), X, labels, epochs=1).card.target_scale == ()
    several = portanet.fit(Sequential(Dense(1)), X, labels[:, None], task="multilabel", epochs=1)
    assert several.card.target_scale == ()


def test_predictions_in_text_have_the_decimals_that_the_model_knows() -> None:
    cases = {0.2: ("0.3", 0.3), 816.0: ("1700001799.44444", 1700001799.44444), 2e-9: ("1.2345e-08", 1.2345e-8)}
    for scale, (text, value) in cases.items():
        assert repr(float(Unit((0.0,), (scale,)).rounded(np.asarray([value + scale * 1e-9]), "float32")[0])) == text
    assert Unit().rounded(np.asarray([np.float32(0.1)], np.float64), "float32").astype(str).tolist() == ["0.1"]
    assert Unit((0.0,), (1e-310,)).rounded(np.asarray([1e-310]), "float64")[0] == 1e-310


@pytest.mark.parametrize(
    ("center", "scale"),
    [
        ([0.0], []),
        ([], [1.0]),
        ([0.0], [0.0]),
        ([0.0], [-1.0]),
        ([0.0], [float("inf")]),
        ([None], [1.0]),
        ([0.0], [True]),
    ],
)
def test_units_of_a_file_that_cannot_be(center: Any, scale: Any) -> None:
    with pytest.raises(ConfigError, match="target_"):
        ModelCard.from_dict({"input_shape": [3], "dtype": "float32", "target_center": center, "target_scale": scale})


def test_a_unit_for_other_outputs_is_refused(tmp_path: Path) -> None:
    run = portanet.fit(Sequential(Dense(1)), X, Y, task="regress", epochs=1)
    card = ModelCard((4,), target_center=(0.0, 0.0), target_scale=(1.0, 1.0))
    arrays = {("0", name): array for name, array in run.params["0"].items()}
    path = save_model(tmp_path / "m", run.model, arrays, card, run.spec.to_dict(), {})
    with pytest.raises(CheckpointError, match="2 scales, its layers give 1 outputs"):
        portanet.load(path)
