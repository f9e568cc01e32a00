"""Configuration files: what --print-config prints gives the same model, flags win, and every mistake is one line."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Call, write_csv
from faults import limited
from layers import Row, every_layer

from portanet import data, optim
from portanet._settings import to_dict
from portanet.cli import config
from portanet.training.presets import preset

BASE = ("--backend", "numpy", "--quiet")


def model(run: Path | str) -> bytes:
    return Path(run, "model.safetensors").read_bytes()


def config_of(run: str) -> dict[str, Any]:
    return json.loads(Path(run, "run.json").read_text())["spec"]


def write(text: str, name: str = "own.toml") -> str:
    Path(name).write_text(text)
    return name


@pytest.mark.parametrize(
    "arguments",
    [
        "flowers.csv --epochs 2",
        "turned.csv --label species --epochs 2 --seed 3 --dtype float64 --batch-size full --valid 0.25",
        "numbered.csv --task regress --epochs 3",
        "flowers.csv --class-weight balanced --epochs 2",
        "flowers.csv --class-weight setosa=5,virginica=0.5 --epochs 2",
        "flowers.csv --patience 1 --optimizer lion --epochs 9 --log-every 2 --accumulate 2",
        "digits.csv --preset classic --epochs 3",
        "digits.csv --image 1x2x8 --epochs 2 --valid 0 --test digits.csv",
        "pictures.csv --preset cnn --epochs 1",
        "flowers.csv --from flowers --freeze 0,2 --epochs 2 --test flowers.csv",
    ],
)
def test_a_printed_configuration_gives_the_same_model(cli: Call, arguments: str) -> None:
    if "pictures" in arguments:
        digits = data.read("mnist:test").rows(slice(0, 24))
        rows = np.column_stack([digits.require_labels(), digits.x.reshape(24, -1)]).tolist()
        write_csv(Path("pictures.csv"), ["label", *(f"pixel{i}" for i in range(784))], rows)
    words = shlex.split(arguments)
    printed = cli("train", *words, *BASE, "--print-config")
    assert (printed.code, printed.err) == (0, "")
    assert not Path("runs").exists()
    write(printed.out)
    assert cli("train", *words, *BASE, "--out", "plain").code == 0
    answer = cli("train", "--config", "own.toml", "--quiet", "--out", "again")
    assert (answer.code, answer.err) == (0, "")
    assert model("again") == model("plain")
    assert cli("train", "--config", "own.toml", *BASE, "--print-config").out == printed.out


def test_layers_of_your_own(cli: Call) -> None:
    write(
        'data = "flowers.csv"\nepochs = 5\nlearning_rate = 0.05\n'
        'optimizer = { type = "SGD", momentum = 0.9 }\nschedule = { type = "constant" }\n'
        'layers = [{ type = "Standardize" }, { type = "Residual", layers = [{ type = "Dense", units = 4, initializer = '
        '{ type = "uniform", low = -0.5, high = 0.5 } }, { type = "Tanh" }] }, { type = "Dense", units = 3 }]\n'
    )
    assert cli("train", "--config", "own.toml", *BASE, "--out", "one").code == 0
    found = cli("summary", "one", "--json").json["layers"]
    assert [row["layer"] for row in found] == [
        "Standardize()", "Residual", "Dense(units=4, initializer=uniform(low=-0.5, high=0.5))", "Tanh()",
        "Dense(units=3)",
    ]  # fmt: skip
    assert config_of("one")["optimizer"] == {
        "type": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0,
    }  # fmt: skip
    assert config_of("one")["schedule"] == {"type": "constant"}
    Path("printed.toml").write_text(cli("train", "--config", "own.toml", *BASE, "--print-config").out)
    assert cli("train", "--config", "printed.toml", "--quiet", "--out", "two").code == 0
    assert model("two") == model("one")


@every_layer
def test_every_layer_goes_through_a_file(row: Row) -> None:
    text = config.text({"layers": [to_dict(row.layer)]})
    assert preset("mlp").with_settings(tomllib.loads(text)).layers == (row.layer,)


@pytest.mark.parametrize(
    "schedule",
    [
        optim.constant(),
        optim.cosine_decay(warmup=3, final=0.1),
        optim.cosine_decay(warmup=0.05),
        optim.one_cycle(),
        optim.step_decay(factor=0.1, every=7),
        optim.linear_warmup(optim.cosine_decay(), 5),
        optim.linear_warmup(optim.exponential_decay(factor=0.9), 5),
    ],
)
def test_every_schedule_goes_through_a_file(schedule: Any) -> None:
    spec = preset("mlp").with_settings({"schedule": to_dict(schedule)})
    assert spec.schedule == schedule
    again = preset("mlp").with_settings(tomllib.loads(config.text({"schedule": spec.to_dict()["schedule"]})))
    assert again.schedule == schedule


def test_flags_win_over_the_file_and_the_file_over_the_preset(cli: Call) -> None:
    write(
        'data = "flowers.csv"\nepochs = 3\nseed = 4\nbatch_size = 30\nvalid = 0.2\nbackend = "numpy"\n'
        'schedule = { type = "constant" }\ncallbacks = [{ type = "EarlyStopping", patience = 2, '
        'monitor = "valid_accuracy" }]\noptimizer = { type = "SGD", learning_rate = 0.5, momentum = 0.5 }\n'
    )
    assert cli("train", "--config", "own.toml", "--quiet", "--out", "file").code == 0
    found = config_of("file")
    assert (found["epochs"], found["seed"], found["batch_size"]) == (3, 4, 30)
    assert found["optimizer"]["learning_rate"] == 0.5
    flags = ("--epochs", 2, "--learning-rate", 0.25, "--optimizer", "adam", "--batch-size", "full", "--patience", 7)
    printed = tomllib.loads(cli("train", "--config", "own.toml", *flags, "--print-config").out)
    assert (printed["epochs"], printed["seed"], printed["batch_size"]) == (2, 4, "full")
    assert printed["schedule"] == {"type": "constant"}
    assert (printed["optimizer"]["type"], printed["optimizer"]["learning_rate"]) == ("Adam", 0.25)
    assert printed["callbacks"] == [
        {"type": "EarlyStopping", "monitor": "valid_accuracy", "patience": 7, "min_change": 0.0}
    ]
    assert cli("train", "--config", "own.toml", *flags, "--quiet", "--out", "flags").code == 0
    assert config_of("flags")["optimizer"]["learning_rate"] == 0.25
    other = tomllib.loads(cli("train", "numbered.csv", "--config", "own.toml", "--print-config").out)
    assert other["data"] == "numbered.csv"


def test_data_and_the_like_may_be_lists(cli: Call) -> None:
    write('data = "digits.csv"\nimage = [1, 2, 8]\nfrom = "digits"\nepochs = 1\n')
    refused = cli("train", "--config", "own.toml", "--quiet")
    assert refused.code == 1
    assert "(1, 2, 8); the model takes (1, 4, 4)" in refused.err
    write('data = "flowers.csv"\nfrom = "flowers"\nfreeze = ["0", "2"]\nepochs = 1\nclass_weight = ["setosa=2"]\n')
    assert cli("train", "--config", "own.toml", *BASE, "--out", "lists").code == 0
    assert config_of("lists")["loss"]["class_weight"] == [2.0, 1.0, 1.0]


DENSE = 'layers = [{{ type = "Dense", units = {} }}]'
NESTED = 'layers = [{{ type = "Sequential", layers = [{}] }}, {{ type = "Dense", units = 3 }}]'
ERRORS = [
    ("epoch = 3", ["own.toml", "unknown key 'epoch'", "did you mean 'epochs'"]),
    ("zzz = 3", ["'zzz'", "accumulate, activation, backend", "workers"]),
    ("json = true", ["unknown key 'json'"]),
    ('out = "here"', ["unknown key 'out'"]),
    ("valid = true", ["valid", "a word or a number", "True"]),
    ("seed = [1, 2]", ["seed", "a word or a number"]),
    ('label = ""', ["label", "a word or a number"]),
    ("backend = { a = 1 }", ["backend", "a word or a number"]),
    ("learning_rate = 0.0", ["learning_rate above 0", "0.0"]),
    ("learning_rate = nan", ["learning_rate above 0", "nan"]),
    ("valid = 1.5", ["--valid", "below 1", "1.5"]),
    ('preset = "clasic"', ["preset 'clasic'", "classic, mlp"]),
    ('optimizer = "adm"', ["optimizer 'adm'", "adam, adamw"]),
    ("class_weight = [1, 2, 3]", ["--class-weight", "balanced", "CLASS=WEIGHT", "'1'"]),
    ("class_weight = { rose = 2 }", ["--class-weight", "'rose'", "setosa"]),
    ('layers = [{ type = "Dens", units = 3 }]', ["layers: 'Dens'", "Conv2D, Dense"]),
    ("layers = [{ units = 3 }]", ["layers: settings have no type", "Dense"]),
    ('layers = [{ type = ["Dense"] }]', ["layers: ['Dense'] is not known"]),
    ('layers = [{ type = "softmax" }]', ["'softmax' is not known", "Dense"]),
    ('layers = [{ type = "Dense" }]', ["layers: Dense needs units", "units, initializer"]),
    ('layers = [{ type = "Dense", unit = 3 }]', ["Dense has no setting 'unit'", "units, initializer"]),
    *((DENSE.format(n), ["Dense needs an integer for units"]) for n in ('"3"', "3.5", "true", "[3]", "nan")),
    (DENSE.format(-3), ["Dense needs at least one unit", "-3"]),
    (DENSE.format(2**63), ["too large"]),
    (DENSE.format(4), ["end in the shape (4,)", "needs 3 outputs"]),
    (DENSE.format('3, initializer = "he_uniform"'), ["Dense needs settings with a type for initializer"]),
    (DENSE.format('3, initializer = { type = "he" }'), ["'he' is not known", "he_uniform"]),
    (DENSE.format('3, initializer = { type = "ReLU" }'), ["Dense needs an initializer", "ReLU()"]),
    (DENSE.format('3, initializer = { type = "uniform", low = 3.0 }'), ["uniform needs high", "low, high"]),
    (DENSE.format('3, initializer = { type = "uniform", low = 3.0, high = 1.0 }'), ["low < high"]),
    (DENSE.format('3, initializer = { type = "he_uniform", gain = 2 }'), ["he_uniform takes no settings", "gain"]),
    ("layers = [3]", ["layers: 3 is not a layer"]),
    ('layers = [[{ type = "ReLU" }]]', ["is not a layer"]),
    ('layers = [{ type = "he_uniform" }]', ["he_uniform is not a layer"]),
    ("layers = []", ["end in the shape (4,)"]),
    ('layers = "Dense"', ["layers must be a list of tables with a type", "Flatten"]),
    ('layers = { type = "Dense", units = 3 }', ["layers must be a list of tables with a type"]),
    ('layers = [{ type = "Flatten" }, { type = "Conv2D", filters = 3, kernel_size = 3 }]', ["layer 1", "images"]),
    ('layers = [{ type = "Dropout", rate = 1.5 }]', ["Dropout needs 0 <= rate < 1", "1.5"]),
    ('layers = [{ type = "Rescale", factor = "x" }]', ["Rescale needs a number for factor", "'x'"]),
    ('layers = [{ type = "Standardize", axis = "rows" }]', ["axis='all'", "'rows'"]),
    ('layers = [{ type = "Frozen", layer = 3 }]', ["Frozen needs settings with a type for layer"]),
    ('layers = [{ type = "Sequential", layers = 3 }]', ["Sequential needs a list for layers"]),
    (NESTED.format('{ type = "Dens" }'), ["'Dens' is not known"]),
    (NESTED.format('{ type = "Dense" }'), ["Dense needs units"]),
    (NESTED.format('{ type = "Dense", units = 0 }'), ["at least one unit"]),
    (NESTED.format("5"), ["Sequential takes layers, got 5"]),
    ('from = "flowers"\n' + DENSE.format(3), ["--from", "take the layers out"]),
    ('optimizer = { type = "Adamm" }', ["optimizer: 'Adamm'", "AdaGrad, Adam, AdamW"]),
    ("optimizer = {}", ["optimizer: settings have no type", "SGD"]),
    ('optimizer = ["Adam"]', ["optimizer must be a table with a type", "AdamW"]),
    ('optimizer = { type = "Adam", beta = 3 }', ["Adam has no setting 'beta'", "beta1, beta2, eps"]),
    ('optimizer = { type = "Adam", beta1 = 3 }', ["0 <= beta1 < 1", "3"]),
    ('optimizer = { type = "Adam", beta1 = "x" }', ["Adam needs a number for beta1", "'x'"]),
    ('optimizer = { type = "SGD", nesterov = "no" }', ["SGD needs true or false for nesterov", "'no'"]),
    ('optimizer = { type = "EMA" }', ["EMA needs optimizer"]),
    ('optimizer = { type = "EMA", optimizer = "adam" }', ["needs settings with a type for optimizer"]),
    ('optimizer = { type = "EMA", optimizer = { type = "Adm" } }', ["optimizer: 'Adm' is not known"]),
    ('schedule = "constant"', ["schedule must be a table with a type", "cosine_decay"]),
    ('schedule = { type = "cosine" }', ["schedule: 'cosine'", "cosine_decay"]),
    ('schedule = { type = ["cosine_decay"] }', ["schedule: ['cosine_decay'] is not known"]),
    ('schedule = { type = "cosine_decay", warm = 3 }', ["no setting 'warm'", "warmup, final"]),
    ('schedule = { type = "cosine_decay", warmup = 1.5 }', ["warmup", "an integer number of steps", "1.5"]),
    ('schedule = { type = "cosine_decay", warmup = 999 }', ["warmup < steps", "999"]),
    ('optimizer = { type = "SGD", learning_rate = -1.0 }', ["optimizer: ", "above 0", "-1.0"]),
    ('schedule = { type = "cosine_decay", warmup = "x" }', ["schedule: ", "a number for warmup", "'x'"]),
    ('schedule = { type = "linear_warmup", warmup = 3 }', ["linear_warmup needs schedule"]),
    ('schedule = { type = "linear_warmup", warmup = 3, schedule = { type = "x" } }', ["schedule: 'x'"]),
    ('loss = "CrossEntropy"', ["loss must be a table with a type"]),
    ('loss = { type = "CrossEntrop" }', ["loss: 'CrossEntrop'", "CrossEntropy, Hinge"]),
    ('loss = { type = "CrossEntropy", label_smoothing = 2.0 }', ["label_smoothing", "2.0"]),
    ('loss = { type = "CrossEntropy", class_weight = [1.0] }', ["class_weight", "3 classes"]),
    ('loss = { type = "CrossEntropy", class_weight = 3 }', ["needs a list for class_weight"]),
    ('loss = { type = "MeanSquaredError" }', ["is not a number"]),
    ('loss = { type = "BinaryCrossEntropy" }', ["BinaryCrossEntropy does not fit task classify"]),
    ('callbacks = { type = "EarlyStopping" }', ["callbacks must be a list of tables with a type", "patience = 3"]),
    ("callbacks = [3]", ["callbacks: 3 is not a callback"]),
    ('callbacks = [{ type = "Early" }]', ["callbacks: 'Early'", "ReduceOnPlateau"]),
    ('callbacks = [{ type = "EarlyStopping", patience = 0 }]', ["EarlyStopping: patience", ">= 1", "got 0"]),
    ('callbacks = [{ type = "EarlyStopping", patience = "x" }]', ["an integer for patience", "'x'"]),
    ('callbacks = [{ type = "EarlyStopping", monitor = 3 }]', ["a word for monitor"]),
    (
        'callbacks = [{ type = "EarlyStopping", monitor = "valid_r2" }]',
        ["watches 'valid_r2'", "loss, accuracy, valid_loss"],
    ),
    ('valid = 0\ncallbacks = [{ type = "ReduceOnPlateau" }]', ["ReduceOnPlateau watches 'valid_loss'", "--valid 0.1"]),
    ("this is no TOML", ["own.toml is not TOML", "line 1"]),
    ("epochs = 3\nepochs = 4", ["own.toml is not TOML", "overwrite"]),
    ("epochs = " + "9" * 5000, ["own.toml is not TOML", "4300 digits"]),
    ("#" * 2_000_000, ["own.toml is larger than 1,000,000 bytes"]),
    ("layers = " + "[" * 5000 + "]" * 5000, ["own.toml is nested too deep"]),
    ("a." * 90 + "a = 1", ["unknown key 'a'"]),
    ("a." * 20_000 + "a = 1", ["own.toml is nested too deep"]),
    ("[" + "'a' . " * 20_000 + "a]", ["own.toml is nested too deep"]),
    ("'.' . \"a\"." * 20_000 + "a = 1", ["own.toml is nested too deep"]),
    ("k" * 100_000 + " = 1", ["unknown key 'kkk"]),
]  # fmt: skip
USAGE = [
    ('epochs = "many"', ["--epochs", "'many'", "at least 1"]),
    ("epochs = -1", ["--epochs", "at least 1"]),
    ("epochs = 2026-01-01", ["--epochs", "2026-01-01"]),
    ("batch_size = 1.5", ["--batch-size", "1.5", "'full'"]),
    ('learning_rate = "fast"', ["--learning-rate", "'fast'"]),
    ('dtype = "float16"', ["--dtype", "'float16'", "'float64'"]),
    ('task = "rank"', ["--task", "'rank'", "'regress'"]),
    ("image = [1, 2]", ["--image", "1x28x28"]),
]


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [(code, *case) for code, cases in ((1, ERRORS), (2, USAGE)) for case in cases],
    ids=[text[:60] for text, _ in (*ERRORS, *USAGE)],
)
def test_a_mistake_is_one_line_that_names_it(cli: Call, code: int, text: str, expected: list[str]) -> None:
    write(text)
    answer = cli("train", "flowers.csv", "--config", "own.toml", *BASE)
    lines = answer.err.splitlines()
    assert (answer.code, answer.out) == (code, "")
    assert code == 2 or len(lines) == 1
    assert [word for word in expected if word not in lines[-1]] == []
    assert len(lines[-1]) < 700
    assert " object at 0x" not in answer.err
    assert not Path("runs").exists() or list(Path("runs").iterdir()) == []


@pytest.mark.parametrize("text", ["a" * 990_000, "a." * 495_000, "'a" * 495_000, '"' * 990_000, "a.a =1\n" * 140_000])
def test_any_text_is_judged_in_little_memory_and_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    action = "from pathlib import Path; from portanet.cli.config import _read; _read(Path(path))"
    [answer] = limited(action, tmp_path / "own.toml", megabytes=200, seconds=5)
    assert answer != "taken"


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("none.toml", None, "the configuration file none.toml does not exist"),
        ("nothing", None, "nothing is a pipe, a device or a folder, not a regular file"),
        ("/dev/null", None, "/dev/null is a pipe, a device or a folder, not a regular file"),
        ("latin.toml", 'label = "größe"'.encode("latin-1"), "latin.toml is not UTF-8 text"),
        ("binary.toml", bytes(range(256)), "binary.toml is not UTF-8 text"),
    ],
)
def test_what_is_no_configuration_file(cli: Call, path: str, content: bytes | None, words: str) -> None:
    if content is not None:
        Path(path).write_bytes(content)
    answer = cli("train", "flowers.csv", "--config", path)
    assert (answer.code, answer.out, answer.err) == (1, "", f"portanet: {words}.\n")
