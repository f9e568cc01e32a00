"""What a user can get wrong: the exit code, one plain line that names the thing, no traceback and nothing left."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from console import Call

TRAIN = "train flowers.csv --epochs 1 --backend numpy"

# The command, and words that its one line must hold: what is wrong, and what to do or what there is.
ERRORS = [
    # the data
    ("train nowhere.csv", ["nowhere.csv does not exist", "mnist:article"]),
    ("train minst", ["minst does not exist", "did you mean 'mnist'"]),
    ("train ''", ["empty name", "mnist"]),
    ("train nothing", ["nothing holds no train images", "train-images-idx3-ubyte"]),
    ("train .", ["no train images"]),
    ("train notes.txt", ["notes.txt"]),
    ("train empty.csv", ["empty.csv is empty"]),
    ("train header.csv", ["header.csv", "no rows"]),
    ("train measured.csv --task classify", ["measured.csv", "0.5", "not an integer"]),
    ("train table.npz:valid", ["'valid'", "train or test"]),
    ("train flowers.csv:test", ["flowers.csv:test", "no parts"]),
    ("train bare.csv", ["bare.csv has no labels", "--label"]),
    ("train turned.csv", ["turned.csv has no labels", "species", "--label"]),
    ("train flowers.csv --column a", ["--column", "NAME=KIND", "'a'"]),
    ("train flowers.csv --column a=letter", ["'a' cannot be 'letter'", "category, date"]),
    ("train flowers.csv --column z=drop", ["column 'z'", "a, b, c, d"]),
    ("train flowers.csv --encoding klingon", ["encoding 'klingon'", "--encoding utf-8"]),
    ("train flowers.csv --label spceies", ["no column 'spceies'", "a, b, c, d, label"]),
    ("train turned.csv --label specis", ["did you mean 'species'"]),
    ("train flowers.csv --image 1x28x28", ["4 pixel columns", "1x28x28", "784"]),
    ("train flowers.csv --image 1x2x2", ["row 1 (line 2)", "'a'", "0 to 255"]),
    ("train same.csv", ["same.csv", "all 20 rows", "class 'x'", "nothing to learn"]),
    ("train table.npz --label y", ["table.npz", "no column 'y'", "leave out --label"]),
    ("train mnist --label digit", ["mnist", "no column 'digit'", "leave out --label"]),
    ("train nothing --label y", ["nothing", "leave out --label"]),
    ("train table.npz --image 1x2x3", ["table.npz", "(4,)", "(1, 2, 3)"]),
    # the task
    ("train flowers.csv --task regress", ["row 1 (line 2)", "'label'", "'setosa' is not a number"]),
    ("train words.csv --task regress", ["words.csv", "row 3 (line 4)", "'many' is not a number"]),
    ("train bare.csv --task regress", ["bare.csv has no labels", "--label"]),
    ("train numbered.csv --task regress --class-weight balanced", ["--class-weight", "cross entropy"]),
    ("train numbered.csv --task regress --preset cnn", ["takes images", "--image 1x28x28", "--preset mlp"]),
    (f"{TRAIN} --class-weight twice", ["--class-weight", "balanced", "CLASS=WEIGHT", "'twice'"]),
    (f"{TRAIN} --class-weight ''", ["--class-weight", "balanced", "CLASS=WEIGHT"]),
    (f"{TRAIN} --class-weight rose=2", ["--class-weight", "'rose'", "setosa, versicolor, virginica"]),
    (f"{TRAIN} --class-weight setosa=much", ["--class-weight", "a number for setosa", "'much'"]),
    (f"{TRAIN} --class-weight setosa=-1", ["class_weight", ">= 0", "-1.0"]),
    (f"{TRAIN} --class-weight setosa=nan", ["class_weight", ">= 0", "nan"]),
    (f"{TRAIN} --patience 3 --valid 0", ["EarlyStopping", "valid_accuracy", "--valid 0.1"]),
    (f"{TRAIN} --calibrate --valid 0", ["calibrate", "held out", "--valid 0.1"]),
    ("train numbered.csv --task regress --calibrate", ["calibrate", "one class"]),
    ("train digits.csv --preset classic --patience 3", ["EarlyStopping", "valid_loss", "--valid 0.1"]),
    # a model to start from
    (f"{TRAIN} --from nowhere", ["nowhere does not exist"]),
    (f"{TRAIN} --from flowers.csv", ["flowers.csv cannot be read as a safetensors file"]),
    (f"{TRAIN} --from flipped.safetensors", ["flipped.safetensors is damaged"]),
    (f"{TRAIN} --freeze 0", ["--freeze", "--from"]),
    (f"{TRAIN} --from flowers --freeze 9", ["no child '9'", "'0', '1', '2'"]),
    (f"{TRAIN} --from flowers --freeze 0,,2", ["no child ''", "'0', '1', '2'"]),
    (f"{TRAIN} --from flowers --freeze ''", ["no child ''"]),
    (f"{TRAIN} --from flowers --freeze 2.weight", ["no child '2.weight'"]),
    (f"{TRAIN} --from flowers --freeze 2,4,6", ["--freeze", "to learn", "fewer"]),
    (f"{TRAIN} --from digits", ["flowers.csv has 4 pixel columns", "16"]),
    ("train digits.csv --epochs 1 --from flowers", ["digits.csv has no column 'a'"]),
    ("train narrow.csv --epochs 1 --from flowers", ["narrow.csv has no column 'd'"]),
    ("train thin.npz --epochs 1 --from flowers", ["thin.npz", "(3,)", "4 columns"]),
    ("train table.npz --epochs 1 --from digits", ["table.npz", "(4,)", "(1, 4, 4)"]),
    ("train turned.csv --epochs 1 --from flowers", ["turned.csv has no labels", "--label"]),
    ("train flowers.csv --epochs 1 --from flowers --label a", ["'a' is an input of the model"]),
    # resuming a run
    ("train flowers.csv --resume --out nowhere", ["nowhere"]),
    ("train flowers.csv --resume --out .", [". is not a run folder", "model.safetensors"]),
    # the settings
    ("train flowers.csv --preset clasic", ["preset 'clasic'", "classic, mlp"]),
    ("train flowers.csv --optimizer adm", ["optimizer 'adm'", "adam, adamw"]),
    *((f"{TRAIN} --learning-rate {rate}", ["learning_rate above 0", rate, "try"]) for rate in ("0.0", "-1.0", "nan")),
    (f"{TRAIN} --preset classic --learning-rate 0", ["learning_rate above 0", "got 0.0", "try"]),
    ("train flowers.csv --backend numpy --device cuda:0", ["numpy", "'cuda:0'", "--device"]),
    # validation and test data
    *((f"{TRAIN} --valid {share}", ["--valid", "above 0 and below 1", share]) for share in ("1", "-0.5", "2", "nan")),
    (f"{TRAIN} --valid 0.001", ["hold out 0.001", "90 rows"]),
    (f"{TRAIN} --valid ''", ["empty name"]),
    (f"{TRAIN} --valid 20%", ["20% does not exist"]),
    (f"{TRAIN} --valid narrow.csv", ["narrow.csv", "no column 'd'"]),
    (f"{TRAIN} --valid strange.csv", ["strange.csv: row 8", "'rose'", "setosa"]),
    (f"{TRAIN} --test nowhere.csv", ["nowhere.csv does not exist"]),
    (f"{TRAIN} --test ''", ["empty name"]),
    (f"{TRAIN} --test bare.csv", ["bare.csv has no labels"]),
    (f"{TRAIN} --test digits.csv", ["digits.csv", "no column 'a'"]),
    ("train table.npz --epochs 1 --test thin.npz", ["thin.npz", "(3,)", "table.npz", "(4,)"]),
    ("train table.npz --epochs 1 --valid thin.npz", ["thin.npz", "(3,)", "table.npz", "(4,)"]),
    ("train digits.csv --epochs 1 --test table.npz", ["table.npz", "(4,)", "(1, 4, 4)"]),
    # where to write
    (f"{TRAIN} --out flowers", ["flowers is not empty", "never overwritten", "--out"]),
    (f"{TRAIN} --out notes.txt", ["notes.txt is a file", "--out"]),
    (f"{TRAIN} --out notes.txt/run", ["notes.txt/run", "--out"]),
    (f"{TRAIN} --out /proc/run", ["/proc/run", "--out"]),
    ("predict flowers bare.csv --out notes.txt", ["notes.txt exists already", "--force"]),
    ("predict flowers bare.csv --out nowhere/answers.csv", ["nowhere/answers.csv", "No such file or directory"]),
    ("predict flowers bare.csv --out nothing --force", ["cannot write nothing", "directory"]),
    ("data kaggle notes.txt", ["notes.txt", "exists"]),
    # the model
    ("evaluate nowhere flowers.csv", ["nowhere does not exist", "model.safetensors"]),
    ("evaluate nothing flowers.csv", ["nothing/model.safetensors does not exist"]),
    ("evaluate flowers.csv flowers", ["flowers.csv cannot be read as a safetensors file"]),
    ("evaluate cut.safetensors flowers.csv", ["cut.safetensors cannot be read"]),
    ("predict flipped.safetensors bare.csv", ["flipped.safetensors is damaged", "SHA-256"]),
    ("summary flowers/run.json", ["flowers/run.json cannot be read"]),
    ("report nothing", ["nothing/run.json is missing", "folder of a run"]),
    # a model and other data
    ("evaluate flowers", ["name the data", "trained on flowers.csv"]),
    ("evaluate flowers ''", ["empty name"]),
    ("evaluate flowers bare.csv", ["bare.csv has no labels"]),
    ("evaluate flowers narrow.csv", ["narrow.csv has no column 'd'"]),
    ("evaluate flowers strange.csv", ["strange.csv: row 8", "'rose'", "setosa, versicolor, virginica"]),
    ("evaluate flowers mnist:test", ["mnist:test", "not among the classes"]),
    ("evaluate flowers turned.csv", ["turned.csv has no labels", "--label"]),
    ("evaluate flowers flowers.csv --label a", ["'a' is an input of the model"]),
    ("evaluate flowers flowers.csv --label nope", ["flowers.csv has no column 'nope'", "a, b, c, d, label"]),
    ("evaluate flowers flowers.csv --label labl", ["no column 'labl'", "did you mean 'label'"]),
    ("evaluate flowers bare.csv --label ''", ["bare.csv has no column ''"]),
    ("evaluate flowers pets.csv", ["pets.csv: row 1", "'cat'", "setosa, versicolor, virginica"]),
    ("evaluate flowers table.npz --label y", ["table.npz", "leave out --label"]),
    ("predict flowers bare.csv --label nope", ["bare.csv has no column 'nope'", "a, b, c, d"]),
    ("predict flowers table.npz --label y", ["table.npz", "leave out --label"]),
    ("predict flowers bare.csv --out flowers/run.json/x.csv", ["flowers/run.json/x.csv", "directory"]),
    ("predict flowers bare.csv --out /dev/null --force", ["cannot write /dev/null", "a device"]),
    ("evaluate digits flowers.csv", ["flowers.csv has 4 pixel columns", "16"]),
    ("predict flowers unknown.csv", ["unknown.csv has no column 'a'"]),
    ("predict digits table.npz", ["table.npz", "(4,)", "(1, 4, 4)"]),
]  # fmt: skip

USAGE = [
    ("trian", ["'trian'", "train, evaluate"]),
    ("--nope", ["--nope"]),
    ("train --epoch 1", ["--epoch", "--epochs"]),
    ("train flowers.csv digits.csv", ["extra argument", "digits.csv"]),
    ("train flowers.csv --backend cuda", ["--backend", "'cuda'", "'cupy'"]),
    ("train flowers.csv --dtype float16", ["--dtype", "'float16'", "'float64'"]),
    *((f"train flowers.csv --epochs {n}", ["--epochs", n, "at least 1"]) for n in ("0", "-3", "1.5", "many", "''")),
    *((f"train flowers.csv --batch-size {n}", ["--batch-size", n, "at least 1 or 'full'"]) for n in ("0", "-1", "abc")),
    *((f"train flowers.csv --workers {n}", ["--workers", n]) for n in ("0", "x")),
    *((f"train flowers.csv --seed {n}", ["--seed", n]) for n in ("-1", "9223372036854775808", "0x1")),
    ("train flowers.csv --learning-rate fast", ["--learning-rate", "'fast'"]),
    *((f"train flowers.csv --image {s}", ["--image", s, "1x28x28"]) for s in ("28", "28x28", "0x2x2", "1x-2x2", "axb")),
    ("train flowers.csv --out", ["--out", "requires an argument"]),
    ("train flowers.csv --task rank", ["--task", "'rank'", "'regress'"]),
    *((f"train flowers.csv --{name} {n}", [f"--{name}", "at least 1"])
      for name in ("patience", "accumulate", "log-every") for n in ("0", "-1", "1.5", "x")),
    ("evaluate", ["MODEL"]),
    ("evaluate flowers flowers.csv --nope", ["--nope"]),
    ("predict flowers", ["DATA"]),
    ("summary", ["MODEL"]),
    ("report", ["RUN"]),
    ("data kagle x", ["'kagle'", "kaggle"]),
    ("data kaggle", ["FOLDER"]),
    ("doctor extra", ["extra argument"]),
]  # fmt: skip


def everything(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def words(command: str) -> list[str]:
    return [word.strip("'") for word in command.split()]


@pytest.mark.parametrize(("command", "expected"), ERRORS, ids=[command for command, _ in ERRORS])
def test_an_error_is_one_plain_line(cli: Call, place: Path, command: str, expected: list[str]) -> None:
    before = everything(place)
    answer = cli(*words(command))
    line = answer.err.splitlines()[-1]
    assert answer.code == 1
    assert answer.out == ""
    assert line.startswith("portanet: ")
    assert [word for word in expected if word.lower() not in line.lower()] == []
    before_it = [line for line in answer.err.splitlines()[:-1] if line.startswith("portanet: ")]
    assert [line for line in before_it if "left out" not in line] == []  # such a note may explain the error
    assert "Traceback" not in answer.err
    assert everything(place) == before


@pytest.mark.parametrize(("command", "expected"), USAGE, ids=[command for command, _ in USAGE])
def test_wrong_usage_exits_2(cli: Call, place: Path, command: str, expected: list[str]) -> None:
    before = everything(place)
    answer = cli(*words(command))
    lines = answer.err.splitlines()
    assert (answer.code, answer.out) == (2, "")
    assert lines[-1].startswith("Error: ")
    assert [word for word in expected if word.strip("'") not in lines[-1]] == []
    assert everything(place) == before


@pytest.mark.libraries
@pytest.mark.parametrize("name", ["cupy", "torch", "jax", "strict"])
def test_a_backend_that_is_missing_is_never_replaced(
    cli: Call, place: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    package = {"strict": "array_api_strict"}.get(name, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == package else find(wanted))
    before = everything(place)
    for command in ("train flowers.csv", "evaluate flowers flowers.csv", "predict flowers bare.csv"):
        answer = cli(*words(command), "--backend", name)
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
        assert answer.err.startswith(f"portanet: {package} is not installed; pip install ")
    assert everything(place) == before


@pytest.mark.libraries
@pytest.mark.parametrize(("name", "device"), [("torch", "nonsense"), ("jax", "gpu:7"), ("strict", "device9")])
def test_a_device_that_is_not_there(cli: Call, name: str, device: str) -> None:
    pytest.importorskip({"strict": "array_api_strict"}.get(name, name), reason=f"{name} is not installed")
    answer = cli("train", "flowers.csv", "--backend", name, "--device", device)
    assert answer.code == 1
    assert answer.err.startswith(f"portanet: {name} ")
    assert repr(device) in answer.err
    assert answer.err.count("\n") == 1


def test_a_folder_that_may_not_be_looked_into(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    answer = cli("train", "flowers.csv", "--out", "nothing")
    assert (answer.code, answer.out) == (1, "")
    assert (
        answer.err
        == "portanet: cannot look into nothing: Permission denied; choose another folder with --out FOLDER.\n"
    )


def test_a_full_disk(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    answer = cli("train", "flowers.csv", "--epochs", 1, "--quiet")
    assert (answer.code, answer.out) == (1, "")
    why = "No space left on device; free some space, or write elsewhere."
    assert answer.err == f"portanet: cannot write runs/table-1/history.jsonl: {why}\n"
    assert not Path("runs").exists()


def test_debug_shows_where_it_happened(place: Path) -> None:
    from portanet.cli import main
    from portanet.errors import DataError

    with pytest.raises(DataError, match=r"nowhere\.csv does not exist"):
        main(["train", "nowhere.csv", "--debug"])


@pytest.mark.parametrize("option", ["epochs", "seed", "batch-size", "image", "workers", "patience", "log-every"])
def test_a_number_of_too_many_digits(cli: Call, option: str) -> None:
    for digits in ("9" * 5000, "9" * 30):
        value = f"1x{digits}x1" if option == "image" else digits
        answer = cli("train", "flowers.csv", f"--{option}", value)
        assert answer.code == 2 or (option == "image" and answer.code == 1)
        assert len(answer.err.splitlines()[-1]) < 300
        assert "Traceback" not in answer.err
