"""A spec goes to plain data and back, is completed for data, and takes NumPy's numbers as Python's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import nn, optim
from portanet.errors import ConfigError, ModelError
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.tasks import Classify, Regress
from portanet.training.presets import PRESETS, preset
from portanet.training.spec import TrainingSpec

X, LABELS = blobs(60)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_round_trip(name: str) -> None:
    assert TrainingSpec.from_dict(json.loads(json.dumps(PRESETS[name].to_dict()))) == PRESETS[name]


def test_completed_for_data() -> None:
    images, table = ModelCard((1, 8, 8), classes=tuple("abc")), ModelCard((5,))
    assert PRESETS["classic"].for_data(images).layers[0] == nn.Rescale(1 / 255)
    assert PRESETS["classic"].for_data(images).layers[-1] == nn.Dense(3, initializer=nn.uniform(-0.5, 0.5))
    assert PRESETS["classic"].for_data(table).layers[0] == nn.Standardize("feature")
    assert PRESETS["classic"].for_data(table).layers[-1] == nn.Dense(1, initializer=nn.uniform(-0.5, 0.5))
    complete = TrainingSpec(layers=(nn.Rescale(0.5), nn.Dense(3)))
    assert complete.for_data(table) is complete
    with pytest.raises(ConfigError, match="takes images"):
        PRESETS["cnn"].for_data(table)
    assert PRESETS["table"].for_data(table).layers[0] == nn.Columns()
    assert PRESETS["table"].for_data(table).layers[-1] == nn.NTKDense(1, initializer=nn.zeros)
    with pytest.raises(ConfigError, match="takes the rows of a table"):
        PRESETS["table"].for_data(images)
    with pytest.raises(ModelError, match="Dense needs units, got None"):
        nn.Dense(None).output_shape((3,))


@pytest.mark.parametrize("rows", [1, 2, 150, 256, 257, 511, 512, 767, 768, 10_000, 53_940])
def test_equal_batches_for_any_number_of_rows(rows: int) -> None:
    size = TrainingSpec(batch_size="auto").for_rows(rows).batch_size
    assert isinstance(size, int)
    assert 256 <= size <= 384 or (size == rows and rows < 512)
    steps = -(-rows // size)
    assert steps == max(1, rows // 256)
    assert steps * size - rows < steps  # the last batch lacks fewer rows than there are batches
    assert TrainingSpec(batch_size="full").for_rows(rows).batch_size == "full"
    assert TrainingSpec(batch_size=7).for_rows(rows).batch_size == 7


def test_what_is_recorded_is_the_size_that_was_used(tmp_path: Path) -> None:
    run = portanet.fit(nn.Sequential(nn.Dense(3)), X, LABELS, epochs=2, batch_size="auto")
    assert (run.spec.batch_size, run.steps) == (60, 2)
    assert portanet.load(run.save(tmp_path / "m")).spec.batch_size == 60


@pytest.mark.parametrize("name", PRESETS)
def test_presets_for_a_task(name: str) -> None:
    for task in (Classify(), Regress()):
        assert task.suits(preset(name, task).loss)
    assert preset(name, Classify()) == preset(name) == PRESETS[name]
    numbers = preset(name, Regress())
    assert TrainingSpec.from_dict(json.loads(json.dumps(numbers.to_dict()))) == numbers


def test_numpy_numbers_are_pythons(tmp_path: Path) -> None:
    half: Any = np.float64(0.5)
    run = portanet.fit(
        nn.Sequential(nn.Rescale(half), nn.Residual(nn.Dropout(half)), nn.Dense(3)), X, LABELS, epochs=np.int64(2),
        optimizer=optim.EMA(optim.Adam(half / 50), half), schedule=optim.cosine_decay(warmup=half),
        loss=nn.CrossEntropy(label_smoothing=half),
    )  # fmt: skip
    numbers = [run.model.layers[0].factor, run.spec.optimizer.optimizer.learning_rate, run.spec.loss.label_smoothing]  # type: ignore[attr-defined]
    assert [type(number) for number in numbers] == [float] * 3
    assert run.params["2"]["weight"].dtype == np.float32
    again = portanet.load(run.save(tmp_path / "m"))
    assert (again.spec, again.model, again.card) == (run.spec, run.model, run.card)


def test_class_weight_is_a_setting_of_the_loss() -> None:
    counts = np.bincount(LABELS)
    weights = tuple(len(LABELS) / (3 * int(count)) for count in counts)
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 20}
    balanced = portanet.fit(nn.Dense(3), X, LABELS, class_weight="balanced", **settings)
    given = portanet.fit(nn.Dense(3), X, LABELS, loss=nn.CrossEntropy(class_weight=weights), **settings)
    assert np.array_equal(balanced.params["weight"], given.params["weight"])
    assert balanced.spec == given.spec
    with pytest.raises(ConfigError, match=r"class_weight must be .* got 'even'"):
        portanet.fit(nn.Dense(3), X, LABELS, class_weight="even")  # type: ignore[arg-type]


def test_what_only_its_program_can_build_is_kept_as_written(tmp_path: Path) -> None:
    run = portanet.fit(nn.Dense(3), X, LABELS, epochs=1, schedule=_half)
    again = portanet.load(run.save(tmp_path / "m"))
    assert again.spec.to_dict() == run.spec.to_dict()
    assert again.spec.to_dict()["schedule"] == {"type": "_half"}
    assert np.array_equal(again.predict(X), run.predict(X))


def _half(step: int, steps: int) -> float:
    return 0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"valid": 1.0}, "valid must be a fraction from 0 and below 1, got 1.0"),
        ({"dtype": "float16"}, "dtype must be float32 or float64, got 'float16'"),
        ({"epoch": 3}, "'epoch'; known are layers, "),
        ({"optimizer": {"type": "Adm"}}, "optimizer: 'Adm' is not known"),
        ({"layers": {}}, "layers must be a list of tables"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingSpec.from_dict(settings)
    assert words in str(caught.value)
