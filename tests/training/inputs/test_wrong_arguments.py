"""Arguments of a wrong kind at the front doors: what has one meaning is taken, all else is told what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import blobs

import portanet
from portanet import Backend, EarlyStopping, fit, nn, optim
from portanet.data import Dataset
from portanet.data.split import holdout
from portanet.errors import DataError, ModelError, PortanetError
from portanet.nn import Conv2D, Dense, Flatten, ReLU, Rescale, Sequential, Sigmoid, Softplus, Tanh
from portanet.training.spec import TrainingSpec

X, Y = blobs(60)
MODEL = Sequential(Dense(8), ReLU(), Dense(3))
IMAGES = np.zeros((8, 8, 8, 1))
CONV = Sequential(Rescale(0.5), Conv2D(4, 3), Flatten(), Dense(2))


class Sparse:
    """As scipy.sparse has it."""

    shape = (60, 4)

    def toarray(self) -> Any:
        return X


class Loader:
    """Batches, as torch.utils.data.DataLoader gives them."""

    def __iter__(self) -> Any:
        return iter([(X, Y)])


class Module:
    """A network of PyTorch."""

    def __call__(self, *given: Any) -> Any:
        return given

    def parameters(self) -> Any:
        return iter(())

    def forward(self, x: Any) -> Any:
        return x


NAMES: dict[str, Any] = {**vars(nn), **globals(), "Path": Path, "portanet": portanet, "nn": nn, "optim": optim}

# What follows fit(MODEL, X, Y, epochs=1, and what the message holds: the argument, the value, what to write.
SETTINGS: list[tuple[str, list[str]]] = [
    ("optimizer='adamm'", ["optimizer", "'adamm'", "did you mean 'adam'", "sgd"]),
    ("optimizer=optim.Adam", ["optimizer", "Adam()", "brackets"]),
    ("optimizer=None", ["optimizer", "None", "Adam(0.001)"]),
    ("optimizer=0.01", ["optimizer", "0.01", "Adam(0.001)"]),
    ("optimizer=Module()", ["optimizer", "Module", "Adam(0.001)"]),
    ("loss='xent'", ["loss", "'xent'", "cross_entropy"]),
    ("loss='mean_square_error'", ["loss", "did you mean 'mean_squared_error'"]),
    ("loss=nn.CrossEntropy", ["loss", "CrossEntropy()", "brackets"]),
    ("loss=lambda outputs, labels: 0.0", ["loss", "(outputs, labels, weights)"]),
    ("loss=Module()", ["loss", "Module", "cross_entropy"]),
    ("loss=3", ["loss", "3"]),
    ("schedule=0.01", ["schedule", "0.01", "optimizer=Adam(0.01)"]),
    ("schedule='cosine'", ["schedule", "'cosine'", "did you mean 'cosine_decay'"]),
    ("schedule='step_decay'", ["schedule", "step_decay(...)"]),
    ("schedule=optim.cosine_decay", ["schedule", "cosine_decay()", "brackets"]),
    ("schedule=lambda step: 1.0", ["schedule", "(step, steps)"]),
    ("schedule=None", ["schedule", "None", "cosine_decay()"]),
    ("valid=X", ["valid", "ndarray of shape (60, 4)", "(rows, labels)"]),
    ("valid='t.csv'", ["valid", "read('t.csv'"]),
    ("valid=(X, Y, Y)", ["valid", "weights", "(rows, labels)"]),
    ("valid=[X, Y]", ["valid", "(rows, labels)"]),
    ("valid=1", ["valid", "1", "0.1 for a tenth"]),
    ("valid=20", ["valid", "20", "0.1 for a tenth"]),
    ("valid=True", ["valid", "True"]),
    ("valid=0.001", ["valid=0.001", "60 rows", "1 to 59"]),
    ("callbacks=[EarlyStopping]", ["callbacks", "EarlyStopping()", "brackets"]),
    ("callbacks=[lambda row: None]", ["callbacks", "<lambda>", "[EarlyStopping()]"]),
    ("callbacks='early'", ["callbacks", "'early'", "[EarlyStopping()]"]),
    ("params=[1]", ["params", "[1]", "load(path).params"]),
    ("params={'0.weight': X}", ["params", "0.weight", "from_state_dict"]),
    ("checkpoints=True", ["checkpoints", "True", "Checkpoints('run')"]),
    ("dtype='double'", ["dtype", "'double'", "float64"]),
    ("dtype=None", ["dtype", "None", "float64"]),
    ("epochs='3'", ["epochs", "'3'", "integer"]),
    ("batch_size=1e3", ["batch_size", "1000.0", "integer"]),
    ("seed=None", ["seed", "None", "integer"]),
    ("workers='2'", ["workers", "'2'", "integer"]),
    ("sample_weight='balanced'", ["sample_weight", "60 numbers"]),
    ("lr=0.1", ["'lr'", "optimizer=Adam"]),
    ("learning_rate=0.1", ["'learning_rate'", "optimizer=Adam"]),
    ("validation_data=(X, Y)", ["'validation_data'", "valid="]),
    ("validation_split=0.1", ["'validation_split'", "valid=0.1"]),
    ("verbose=0", ["'verbose'", "Progress()"]),
    ("random_state=3", ["'random_state'", "seed=3"]),
    ("batchsize=3", ["'batchsize'", "did you mean batch_size"]),
    ("early_stopping=True", ["'early_stopping'", "EarlyStopping(patience=5)"]),
    ("shuffle=False", ["'shuffle'", "full"]),
]


def refused(call: Any, facts: list[str]) -> None:
    with pytest.raises(PortanetError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "0x" not in message
    assert [fact for fact in facts if fact not in message] == []


@pytest.mark.parametrize(("setting", "facts"), SETTINGS, ids=[setting for setting, _ in SETTINGS])
def test_a_setting_of_a_wrong_kind(setting: str, facts: list[str]) -> None:
    given = setting if setting.startswith("epochs") else f"epochs=1, {setting}"
    refused(lambda: eval(f"fit(MODEL, X, Y, {given})", NAMES), facts)


# Rows, labels and models.
CALLS: list[tuple[str, list[str]]] = [
    ("fit(MODEL, None, Y)", ["x", "None", "fit(model, x, labels)"]),
    ("fit(MODEL, 'train.csv', Y)", ["x", "'train.csv'", "read('train.csv'"]),
    ("fit(MODEL, Path('train.csv'), Y)", ["x", "read('train.csv'"]),
    ("fit(MODEL, zip(X, Y), Y)", ["x", "zip", "numpy.asarray(list(x))"]),
    ("fit(MODEL, (row for row in X), Y)", ["x", "numpy.asarray(list(x))"]),
    ("fit(MODEL, {'a': X}, Y)", ["x", "pandas.DataFrame(x)"]),
    ("fit(MODEL, {1, 2}, Y)", ["x", "{1, 2}", "numpy.asarray(list(x))"]),
    ("fit(MODEL, Sparse(), Y)", ["x", "Sparse of shape (60, 4)", "x.toarray()"]),
    ("fit(MODEL, Loader(), Y)", ["x", "Loader", "fit makes the batches"]),
    ("fit(MODEL, Module(), Y)", ["x", "Module", "fit(model, x, labels)"]),
    ("fit(MODEL, MODEL, Y)", ["x", "Sequential", "fit(model, x, labels)"]),
    ("fit(MODEL, 3, Y)", ["x", "3", "one row"]),
    ("fit(MODEL, Y, X)", ["swapped", "(60,)", "(60, 4)", "fit(model, x, labels)"]),
    ("fit(X, Y, MODEL)", ["model", "ndarray of shape (60, 4)", "the model comes first"]),
    ("fit(MODEL, X, 'species')", ["labels", "'species'", "table['species']"]),
    ("fit(MODEL, X, {'a': 1})", ["labels", "{'a': 1}"]),
    ("fit(MODEL, X, zip(Y))", ["labels", "zip", "numpy.asarray(list(labels))"]),
    ("fit(MODEL, X, 5)", ["labels", "5"]),
    ("fit(MODEL, X, Y, 10)", ["model and x and labels by position", "10", "epochs="]),
    ("fit(MODEL, X, y=Y)", ["'y'", "labels="]),
    ("fit(Module(), X, Y)", ["model", "Module", "Sequential("]),
    ("fit([Dense(3)], X, Y)", ["model", "Sequential(...)"]),
    ("fit(Dense, X, Y)", ["model", "Dense(...)", "brackets"]),
    ("fit(None, X, Y)", ["model", "None", "Sequential("]),
    ("fit(fit(MODEL, X, Y, epochs=1), X, Y)", ["model", "fit(run.model, x, labels, params=run.params)"]),
    ("fit(MODEL, X, Y, params=fit(MODEL, X, Y, epochs=1))", ["params", "params=run.params"]),
    ("fit(Sequential(Dense(3), Sigmoid()), X, Y)", ["Sigmoid", "contains the softmax", "leave the Sigmoid out"]),
    ("fit(Sequential(Dense(3), ReLU(), Dropout(0.1)), X, Y)", ["ReLU", "contains the softmax", "Dense(3)"]),
    ("fit(Sequential(Dense(4), Sequential(Dense(3), Tanh())), X, Y)", ["Tanh", "leave the Tanh out"]),
    (
        "fit(Sequential(Dense(3), Sigmoid()), X, np.eye(3)[Y], loss='bce')",
        ["Sigmoid", "contains the sigmoid", "leave the Sigmoid out"],
    ),
    ("fit(Sequential(Dense(3), ReLU()), X, Y, loss='hinge')", ["ReLU", "Hinge", "leave the ReLU out"]),
    (
        "fit(Sequential(Dense(1), Softplus()), X, Y, loss='poisson')",
        ["Softplus", "contains the exponential", "leave the Softplus out"],
    ),
    (
        "fit(Sequential(Dense(1), Sigmoid()), X, 3.0 * Y, loss='mse')",
        ["Sigmoid", "from 0 to 1", "row 1", "target 3", "leave the Sigmoid out"],
    ),
    (
        "fit(Sequential(Dense(1), ReLU()), X, Y - 1.5, task='regress')",
        ["ReLU", "at least 0", "row 0", "target -1.5", "leave the ReLU out"],
    ),
    ("fit(CONV, IMAGES, Y[:8] % 2)", ["(8, 8, 1)", "channels last", "numpy.moveaxis(x, 3, 1)"]),
    ("fit(nn.Frozen(CONV), IMAGES, Y[:8] % 2)", ["channels last", "numpy.moveaxis(x, 3, 1)"]),
    ("fit(Sequential(nn.BatchNorm(), Flatten(), Dense(2)), IMAGES, Y[:8] % 2)", ["channels last"]),
    ("run().predict(None)", ["x", "None"]),
    ("run().predict(zip(X))", ["x", "zip", "numpy.asarray(list(x))"]),
    ("fit(CONV, IMAGES[..., 0], Y[:8] % 2)", ["(channels, height, width)", "(8, 8)", "x[:, None]"]),
    ("fit(MODEL, X[:, 0], Y)", ["x must have a row for each example", "(60,)", "[:, None]"]),
    ("fit(MODEL, np.zeros(60, [('a', 'f4'), ('b', 'f4')]), Y)", ["x", "records", "pandas.DataFrame(x)"]),
    ("fit(MODEL, X.astype(object), Y)", ["x", "object", "x.astype(float)"]),
    ("fit(MODEL, np.ma.masked_greater(X, 1), Y)", ["values of a masked array", "leave out rows", ".filled(numpy.nan)"]),
    ("fit(MODEL, X, np.ma.masked_equal(Y, 1))", ["20 values of a masked array are missing", "leave out rows"]),
    ("fit(MODEL, X, Y[None])", ["labels", "(1, 60)", "numpy.ravel(labels)"]),
    ("fit(Sequential(Dense(1)), X, Y[None] * 0.5, loss='mse')", ["labels", "(1, 60)", "numpy.ravel(labels)"]),
    ("fit(Sequential(Dense(1)), X, Y.astype(str), loss='mse')", ["labels", "<U", "labels.astype(float)"]),
    ("fit(Sequential(Dense(1)), X, Y + 200)", ["label 200", 'task="regress"']),
    ("fit(Sequential(Dense(1)), X, Y % 2)", ["label 1", "Dense(2)", 'loss="bce"']),
    ("fit(MODEL, X, Y - 1)", ["label -1", ".astype(str)"]),
    ("fit(MODEL, X, ['a'] * 60)", ["all 60 labels are 'a'", "nothing to learn"]),
    ("run().predict(X[0])", ["(4,)", "x[None]"]),
    ("run().predict(X[0].tolist())", ["(4,)", "[x]"]),
    ("run().predict(pd.Series(X[0]))", ["(4,)", "x.to_frame().T"]),
    ("run().predict([{'a': 1.0, 'b': 2.0}])", ["x", "pandas.DataFrame(x)"]),
    ("run().predict('rows.csv')", ["x", "read('rows.csv'"]),
    ("images().predict(IMAGES[0])", ["(1, 8, 8)", "numpy.moveaxis(x, 2, 0)[None]"]),
    ("images().predict(IMAGES[0, ..., 0])", ["(1, 8, 8)", "x[None, None]"]),
    ("images().predict(IMAGES)", ["(1, 8, 8)", "(8, 8, 1)", "numpy.moveaxis(x, 3, 1)"]),
    ("images().predict(IMAGES[..., 0])", ["(1, 8, 8)", "(8, 8)", "x[:, None]"]),
    ("images().predict(IMAGES.reshape(8, 64))", ["(1, 8, 8)", "(64,)", "reshape"]),
]


def run() -> portanet.TrainedModel:
    return fit(MODEL, X, Y, epochs=1)


def images() -> portanet.TrainedModel:
    return fit(CONV, np.moveaxis(IMAGES, 3, 1), Y[:8] % 2, epochs=1)


NAMES |= {"run": run, "images": images}


@pytest.mark.parametrize(("call", "facts"), CALLS, ids=[call for call, _ in CALLS])
def test_a_call_with_a_wrong_kind(call: str, facts: list[str]) -> None:
    refused(lambda: eval(call, NAMES), facts)


def outputs(**settings: Any) -> Any:
    return fit(MODEL, X, Y, epochs=2, **settings).outputs(X)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"optimizer": "adam"}, {"optimizer": optim.Adam(0.001)}),
        ({"optimizer": "SGD"}, {"optimizer": optim.SGD(0.1)}),
        ({"loss": "cross_entropy"}, {"loss": nn.cross_entropy}),
        ({"loss": "sparse_categorical_crossentropy"}, {"loss": nn.cross_entropy}),
        ({"schedule": "cosine_decay"}, {"schedule": optim.cosine_decay()}),
        ({"callbacks": EarlyStopping("loss")}, {"callbacks": [EarlyStopping("loss")]}),
        ({"callbacks": None}, {"callbacks": []}),
        ({"dtype": np.float64}, {"dtype": "float64"}),
        ({"dtype": np.dtype("float64")}, {"dtype": "float64"}),
        ({"valid": 0}, {"valid": None}),
    ],
    ids=str,
)
def test_what_has_one_meaning_is_taken(given: dict[str, Any], meant: dict[str, Any]) -> None:
    assert np.array_equal(outputs(**given), outputs(**meant))


def test_loss_by_the_names_of_others() -> None:
    for name in ("mse", "mean_squared_error", "MeanSquaredError", "squared_error"):
        assert fit(Sequential(Dense(1)), X, X[:, 0], loss=name, epochs=1).loss == nn.mean_squared_error
    assert TrainingSpec(loss="mae").loss == nn.mean_absolute_error  # type: ignore[arg-type]


def test_a_share_holds_out_the_rows_that_the_command_line_holds_out() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int32), (40, 12, 8))
    training, held = holdout(Dataset("rows", X, labels, ("a", "b", "c")), 0.25)
    found = fit(MODEL, X, labels, valid=0.25, epochs=2, seed=7)
    expected = fit(MODEL, training.x, training.targets, valid=(held.x, held.targets), epochs=2, seed=7)
    for row, other in zip(found.history, expected.history, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    assert np.bincount(held.targets).tolist() == [10, 3, 2]  # type: ignore[arg-type]
    assert found.spec.valid == 0.25


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist, pd.DataFrame, "backend"])
def test_a_share_of_rows_of_any_kind(kind: Any, backend: Backend) -> None:
    x = backend.put(X, "float64") if kind == "backend" else kind(X)
    labels = backend.put(Y) if kind == "backend" else Y if kind is pd.DataFrame else kind(Y)
    settings: dict[str, Any] = {"valid": 0.25, "epochs": 2, "backend": backend, "dtype": "float64"}
    weights = np.arange(60.0)
    found = fit(MODEL, x, labels, sample_weight=weights, **settings)
    expected = fit(MODEL, X, Y, sample_weight=weights, **settings)
    assert found.history[-1]["valid_loss"] == pytest.approx(expected.history[-1]["valid_loss"], rel=1e-6)
    assert found.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-6)


def test_an_activation_whose_outputs_reach_the_targets_may_end_a_regression() -> None:
    for last, low in ((ReLU(), 0.0), (Sigmoid(), 0.0), (Tanh(), -1.0), (Softplus(), 0.0)):
        targets = np.linspace(low, 1.0, 60)
        assert "r2" in fit(Sequential(Dense(1), last), X, targets, loss="mse", epochs=1).history[-1]


def test_own_losses_may_take_what_they_like() -> None:
    def own(outputs: Any, labels: Any, weights: Any) -> Any:
        return nn.cross_entropy(outputs, labels, weights)

    fit(Sequential(Dense(3), Sigmoid()), X, Y, loss=own, epochs=1)
    fit(Sequential(Dense(3), nn.LeakyReLU()), X, Y, epochs=1)
    with pytest.raises(ModelError, match="ends in LeakyReLU"):
        fit(Sequential(Dense(3), nn.LeakyReLU(0.0)), X, Y, epochs=1)


@pytest.mark.parametrize("made", [made for made in nn.LAYERS.values() if isinstance(made, type)], ids=str)
def test_no_output_lies_beyond_the_range_that_a_layer_tells(made: Any) -> None:
    if not issubclass(made, nn.Layer):
        return
    for layer, _ in made.examples():
        low, high = layer.output_range
        if (low, high) != (-np.inf, np.inf):
            x = np.linspace(-30.0, 30.0, 20_001)[:, None]
            y = layer.forward({}, x)[0]
            assert low <= float(y.min()) <= low + 1e-3
            assert float(y.max()) <= high


def test_images_of_any_order_without_a_layer_that_looks_at_them() -> None:
    fit(Sequential(Flatten(), Dense(2)), IMAGES, Y[:8] % 2, epochs=1)
    fit(Sequential(nn.Reshape((1, 8, 8)), Conv2D(2, 3), Flatten(), Dense(2)), IMAGES, Y[:8] % 2, epochs=1)
    three = np.zeros((8, 3, 8, 4))  # channels first, and four columns
    fit(Sequential(Conv2D(2, 3), Flatten(), Dense(2)), three, Y[:8] % 2, epochs=1)
    with pytest.raises(DataError, match="channels last"):
        fit(Sequential(nn.GlobalAveragePool2D(), Dense(2)), np.zeros((8, 9, 7, 3)), Y[:8] % 2, epochs=1)


# The other front doors.
DOORS: list[tuple[str, list[str]]] = [
    ("portanet.choose('cuda')", ["'cuda'", "'cupy'", "choose('torch', 'cuda')"]),
    ("portanet.choose('gpu')", ["'gpu'", "'cupy'"]),
    ("portanet.choose('NumPy')", ["'NumPy'", "did you mean 'numpy'"]),
    ("portanet.choose('pytorch')", ["'pytorch'", "'torch'"]),
    ("portanet.choose(3)", ["3", "numpy, cupy"]),
    ("portanet.choose(['numpy'])", ["['numpy']", "numpy, cupy"]),
    ("portanet.choose(np)", ["numpy", "numpy, cupy"]),
    ("portanet.choose('torch', 0)", ["device", "0", "'cuda:0'"]),
    ("portanet.choose('numpy', traced=False)", ["'traced'", "trace"]),
    ("portanet.read(None)", ["read", "NoneType", "Path"]),
    ("portanet.read(np.zeros((3, 2)))", ["read", "ndarray", "frame"]),
    ("portanet.read({'a': [1]})", ["read", "dict", "frame"]),
    ("portanet.read('mnist', classes='a,b')", ["classes", "'a,b'", "list"]),
    ("portanet.load(3)", ["path", "3"]),
    ("portanet.load(None)", ["path", "None"]),
    ("portanet.load('m', layers=[Dense])", ["'layers'", "custom="]),
    ("portanet.load('m', map_location='cpu')", ["'map_location'", "backend="]),
    ("portanet.load('m', custom=3)", ["custom", "3", "custom=[MyLayer]"]),
    ("portanet.read('mnist', target='a')", ["'target'", "label='a'"]),
    ("portanet.fine_tune(MODEL, 2)", ["Sequential", "trained model"]),
    ("portanet.fine_tune(run(), '2')", ["outputs", "'2'", "integer"]),
    ("portanet.fine_tune(run())", ["outputs"]),
    ("portanet.fine_tune(run(), 2, freeze={'a': 1})", ["freeze", "names of children"]),
    ("portanet.fine_tune(run(), 2, freeze='9')", ["'9'", "'0'"]),
    ("portanet.Checkpoints(True)", ["folder", "True"]),
    ("portanet.Checkpoints('a', 3)", ["folder", "every="]),
    ("portanet.Checkpoints('a', every='epoch')", ["every", "'epoch'", "seconds"]),
    ("portanet.Checkpoints(filepath='a')", ["'filepath'", "folder='a'"]),
    ("run().predict(X, batch_size=3)", ["'batch_size'", "leave it out"]),
    ("run().predict()", ["needs x"]),
    ("run().evaluate(X, y=Y)", ["'y'", "labels="]),
    ("run().save()", ["needs path"]),
    ("run().save(3)", ["path", "3"]),
    ("MODEL.fit(X, Y)", ["Sequential.fit", "portanet.fit(model, x, labels"]),
    ("MODEL.fit(X, Y, epochs=3)", ["Sequential.fit", "portanet.fit(model, x, labels"]),
    ("Dense(3).fit(X, Y)", ["Dense.fit", "portanet.fit(model, x, labels"]),
]


@pytest.mark.parametrize(("call", "facts"), DOORS, ids=[call for call, _ in DOORS])
def test_other_doors(call: str, facts: list[str]) -> None:
    refused(lambda: eval(call, NAMES), facts)


def test_names_of_children_by_number_or_alone() -> None:
    trained = run()
    for freeze in ("0", 0, [0], ["0"], ("0",)):
        assert portanet.fine_tune(trained, 2, freeze=freeze)[0] == portanet.fine_tune(trained, 2, freeze=["0"])[0]
    assert "Frozen(Dense(units=8))" in repr(portanet.fine_tune(trained, 3, freeze="0")[0])


@pytest.mark.parametrize(
    ("owner", "name", "fact"),
    [
        ("MODEL", "compile", "portanet.fit(model, x, labels)"),
        ("MODEL", "predict", "run.predict(x)"),
        ("MODEL", "summary", "print(run)"),
        ("MODEL", "parameters", "run.params"),
        ("Dense(3)", "to", "backend="),
        ("run()", "predict_proba", "run.probabilities(x)"),
        ("run()", "score", "run.evaluate(x, labels)"),
        ("run()", "state_dict", "run.to_state_dict()"),
    ],
)
def test_methods_of_others_name_ours(owner: str, name: str, fact: str) -> None:
    """As an AttributeError, so that hasattr says no."""
    thing = eval(owner, NAMES)
    assert not hasattr(thing, name)
    with pytest.raises(AttributeError, match=f"has no '{name}'") as caught:
        getattr(thing, name)
    assert fact in str(caught.value)
    assert not hasattr(thing, "unheard_of")


def test_a_warning_points_to_the_line_that_called() -> None:
    table = pd.DataFrame(X, columns=list("abcd"))
    trained = fit(MODEL, table, Y, epochs=1)
    with pytest.warns(UserWarning, match="'extra'") as found:
        trained.predict(table.assign(extra=1.0))
    assert found[0].filename == __file__


def test_a_share_of_a_dataset() -> None:
    whole = Dataset("rows", X, Y, ("a", "b", "c"))
    training, held = holdout(whole, 0.25)
    found, expected = fit(MODEL, whole, valid=0.25, epochs=2), fit(MODEL, training, valid=held, epochs=2)  # type: ignore[call-arg]
    assert found.history[-1]["valid_loss"] == expected.history[-1]["valid_loss"]
    assert found.card.classes == ("a", "b", "c")
