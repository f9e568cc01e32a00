"""What cannot be trained, predicted or measured: the right error, in one line that says what to do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet.backends import Backend
from portanet.errors import BackendError, ConfigError, DataError, ModelError, PortanetError
from portanet.nn import Dense, Flatten, ReLU, Rescale, Sequential

X, LABELS = blobs(20)
MODEL = Sequential(Dense(3))


def bad(value: float) -> Any:
    x = X.copy()
    x[7, 1] = value
    return x


def case(message: str, error: type[PortanetError] = DataError, /, **changes: Any) -> Any:
    return pytest.param(changes, error, message, id=message[:50])


REFUSED = [
    case("x holds NaN or infinity; drop or fill those rows first", x=bad(math.nan)),
    case("x holds NaN or infinity;", x=bad(math.inf)),
    case("x .* float32", x=bad(1e39)),
    case(r"x must have at least one row and one column, got shape \(0, 4\)", x=X[:0], labels=LABELS[:0]),
    case(r"x must have at least one row and one column, got shape \(20, 0\)", x=X[:, :0]),
    case("x must hold numbers, got dtype <U1", x=np.full((20, 4), "a")),
    case("x must hold numbers, got dtype object", x=np.full((20, 4), None)),
    case("x must hold numbers, got dtype complex128", x=X.astype(complex)),
    case("x", x=[[1.0, 2.0], [3.0]], labels=[0, 1]),
    case(r"a row for each example, got shape \(20,\)", x=X[:, 0]),
    case(r"Dense needs flat inputs, got shape \(2, 2\); put Flatten\(\) before", ModelError, x=X.reshape(20, 2, 2)),
    case("row 2: label 3 is not one of the model's 3 classes, 0 to 2", labels=LABELS + 1),
    case("row 0: label -1 is not one of the model's 3 classes, 0 to 2", labels=LABELS - 1),
    case(r"labels must be one number for each of the 20 rows, got shape \(19,\)", labels=LABELS[1:]),
    case(r"labels must be one number for each of the 20 rows, got shape \(20, 2\)", labels=np.eye(2)[LABELS % 2]),
    case("row 0: the label 0.5 is not a class", labels=LABELS + 0.5),
    case("the labels have 2 classes .False, True., the model has 3 outputs", ModelError, labels=LABELS > 0),
    case(
        r"the model must end in one number for each class, got shape \(4, 1\); end it in Dense",
        ModelError,
        model=Sequential(Rescale(0.5)),
        x=X[:, :, None],
    ),
    case("the model has nothing to learn; give it a layer with weights", ModelError, model=Sequential(ReLU())),
    case("epochs must be an integer of at least 1, got 0", ConfigError, epochs=0),
    case("epochs must be an integer of at least 1, got 1.5", ConfigError, epochs=1.5),
    case("batch_size must be an integer of at least 1, got 0", ConfigError, batch_size=0),
    case("batch_size must be an integer of at least 1, got 'all'", ConfigError, batch_size="all"),
    case("batch_size must be an integer of at least 1, got None", ConfigError, batch_size=None),
    case("log_every must be an integer of at least 1, got -1", ConfigError, log_every=-1),
    case("workers must be an integer of at least 1, got 0", ConfigError, workers=0),
    case("workers must be an integer of at least 1, got -1", ConfigError, workers=-1),
    case("seed must be an integer from 0 to", ConfigError, seed=-1),
    case("seed must be an integer from 0 to", ConfigError, seed=2**64),
    case("seed must be an integer from 0 to", ConfigError, seed=1.5),
    case("dtype must be float32 or float64, got 'float16'", ConfigError, dtype="float16"),
    case("'tensorflow'; choose from auto, numpy", BackendError, backend="tensorflow"),
    case("sample_weight must be 20 numbers of at least 0, and not all 0", sample_weight=np.full(20, -1.0)),
    case("sample_weight must be 20 numbers of at least 0, and not all 0", sample_weight=np.zeros(20)),
    case("sample_weight must be 20 numbers of at least 0, and not all 0", sample_weight=np.ones(19)),
    case("sample_weight must be 20 numbers of at least 0, and not all 0", sample_weight=np.full(20, math.nan)),
    case("sample_weight must be 20 numbers of at least 0, and not all 0", sample_weight=["a"] * 20),
]


@pytest.mark.parametrize(("changes", "error", "message"), REFUSED)
def test_refused(changes: dict[str, Any], error: type[PortanetError], message: str) -> None:
    arguments = {"model": MODEL, "x": X, "labels": LABELS, "epochs": 1} | changes
    with pytest.raises(error, match=message) as caught:
        portanet.fit(arguments.pop("model"), arguments.pop("x"), arguments.pop("labels"), **arguments)
    assert "\n" not in str(caught.value)


def test_device_arrays_are_checked_too(backend: Backend) -> None:
    for x, labels, message in ((bad(math.nan), LABELS, "x holds NaN"), (X, LABELS + 1, "row 2: label 3 is not one")):
        with pytest.raises(DataError, match=message):
            portanet.fit(MODEL, backend.put(x, "float32"), backend.put(labels), epochs=1)


@pytest.mark.parametrize(
    ("valid", "error", "message"),
    [
        ((X, LABELS + 1), DataError, "label 3 is not one of the model's 3 classes"),
        ((X, LABELS[:3]), DataError, "labels must be one number for each of the 20 rows"),
        ((X[:, :2], LABELS), ModelError, r"the model takes rows of shape \(4,\), got \(2,\)"),
        ((X[:0], LABELS[:0]), DataError, "at least one row"),
        ((bad(math.nan), LABELS), DataError, "x holds NaN"),
    ],
)
def test_validation_data_is_checked_before_training(valid: Any, error: type[PortanetError], message: str) -> None:
    class Refuse(portanet.Callback):
        def advance(self, step: int) -> None:
            raise AssertionError("a step was made")

    with pytest.raises(error, match=message):
        portanet.fit(MODEL, X, LABELS, valid=valid, callbacks=[Refuse()])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X[:, :3], ModelError, r"the model takes rows of shape \(4,\), got \(3,\)"),
        (X[0], ModelError, r"the model takes rows of shape \(4,\), got \(\)"),
        (X.reshape(20, 2, 2), ModelError, r"the model takes rows of shape \(4,\), got \(2, 2\)"),
        (X[:0], DataError, "at least one row"),
        (bad(math.nan), DataError, "x holds NaN or infinity"),
        (X.astype(str), DataError, "x must hold numbers, got dtype <U32"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "probabilities", "evaluate"])
def test_rows_that_the_model_cannot_take(method: str, x: Any, error: type[PortanetError], message: str) -> None:
    run = portanet.fit(MODEL, X, LABELS, epochs=1)
    arguments = (x, LABELS[: len(x)]) if method == "evaluate" else (x,)
    with pytest.raises(error, match=message):
        getattr(run, method)(*arguments)


def test_nothing_is_trained_through_a_flat_layer_alone() -> None:
    with pytest.raises(ModelError, match="nothing to learn"):
        portanet.fit(Sequential(Flatten()), X, LABELS)


@pytest.mark.parametrize(
    ("labels", "weights", "facts"), [(LABELS[:-1], None, "x"), (LABELS, X[1:, 0], "sample_weight")]
)
def test_a_share_is_not_held_out_of_rows_and_labels_of_two_sizes(labels: Any, weights: Any, facts: str) -> None:
    """The rows behind the labels were left out of the training without a word."""
    with pytest.raises(DataError, match=rf"{facts}.*{len(labels)}"):
        portanet.fit(MODEL, X, labels, sample_weight=weights, valid=0.2)
