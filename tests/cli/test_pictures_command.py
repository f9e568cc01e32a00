"""portanet train and predict on pictures: a folder of classes, and photographs for a model of digits."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from console import Call

import portanet
from portanet import nn

Image = pytest.importorskip("PIL.Image")
PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "pictures" / "photographs"


@pytest.fixture
def mnist(place: Path) -> portanet.TrainedModel:
    """The model `mnist.safetensors`, of a few digits and a few seconds less."""
    digits = portanet.read("mnist")
    model = nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(10))
    run = portanet.fit(model, digits.rows(slice(0, 1000)), epochs=4, batch_size=50)
    run.save(place / "mnist.safetensors")
    return run


@pytest.fixture
def shapes(place: Path) -> Path:
    """Two classes: bright and dark pictures, in colour."""
    rng = np.random.default_rng(0)
    for i in range(24):
        name, light = (("night", 20), ("noon", 200))[i % 2]
        path = place / "shapes" / name / f"{i}.{('png', 'jpg')[i % 3 == 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((light + rng.integers(0, 40, (9, 8, 3))).astype(np.uint8)).save(path)
    return place / "shapes"


def test_photographs_for_a_model_of_digits(cli: Call, mnist: portanet.TrainedModel) -> None:
    shutil.copytree(PHOTOGRAPHS, "photos")
    answer = cli("predict", "mnist.safetensors", "photos/3a.png", "photos")
    rows = list(csv.reader(io.StringIO(answer.out)))
    assert rows[0] == ["File", "Label"]
    assert [row[0] for row in rows[1:]] == ["photos/3a.png", *sorted(map(str, Path("photos").iterdir()))]
    assert "21 prepared as MNIST was" in answer.err
    right = sum(Path(file).name[0] == label for file, label in rows[1:])
    assert right >= 15  # by a single layer; merely resized, 2 are right
    assert mnist.card.digits


def test_the_label_stands_last(cli: Call, mnist: portanet.TrainedModel) -> None:
    shutil.copytree(PHOTOGRAPHS, "photos")
    plain = [line.split(",") for line in cli("predict", "mnist.safetensors", "photos").out.splitlines()]
    answer = cli("predict", "mnist.safetensors", "photos", "--probabilities")
    rows = [line.split(",") for line in answer.out.splitlines()]
    assert rows[0] == ["File", *(f"probability_{i}" for i in range(10)), "Label"]
    assert [[row[0], row[-1]] for row in rows] == plain
    assert all(int(np.argmax(list(map(float, row[1:-1])))) == int(row[-1]) for row in rows[1:])
    found = cli("predict", "mnist.safetensors", "photos", "--json").json
    assert [[file, label] for file, label in zip(found["ids"], found["predictions"], strict=True)] == plain[1:]
    assert cli("predict", "mnist.safetensors", "photos", "--out", "answers.csv").code == 0
    assert Path("answers.csv").read_text() == "".join(",".join(row) + "\n" for row in plain)


def test_what_the_network_sees(cli: Call, mnist: portanet.TrainedModel) -> None:
    answer = cli("predict", "mnist.safetensors", PHOTOGRAPHS / "7a.png", "--show", "seen.png")
    assert "seen.png" in answer.err
    rows = portanet.read([PHOTOGRAPHS / "7a.png"], image=(1, 28, 28), digits=True)
    with Image.open("seen.png") as sheet:
        pixels = np.asarray(sheet.convert("L"))
    np.testing.assert_array_equal(pixels[:112:4, :112:4], rows.x[0, 0])
    assert cli("predict", "mnist.safetensors", PHOTOGRAPHS / "7a.png", "--show", "seen.png").code == 1
    assert "--show is for images" in cli("predict", "flowers", "bare.csv", "--show", "other.png").err


def test_digits_as_mnist_has_them_stay_as_they_are(cli: Call, mnist: portanet.TrainedModel) -> None:
    digits = portanet.read("mnist:test").rows(slice(0, 12))
    Path("own").mkdir()
    for i, image in enumerate(digits.x):
        Image.fromarray(image[0]).save(f"own/{i:02}.png")
    answer = cli("predict", "mnist.safetensors", "own")
    assert "prepared" not in answer.err
    assert [line[-1] for line in answer.out.splitlines()[1:]] == [str(label) for label in mnist.predict(digits)]


def test_in_python(mnist: portanet.TrainedModel, recwarn: pytest.WarningsRecorder) -> None:
    path = PHOTOGRAPHS / "1a.png"
    expected = mnist.predict(portanet.read(path, image=(1, 28, 28), digits=True))
    for given in (str(path), path, [path]):
        assert mnist.predict(given).tolist() == expected.tolist()
    assert len(mnist.probabilities([str(path), path])) == 2
    assert any("prepared as MNIST was" in str(warning.message) for warning in recwarn)
    recwarn.clear()
    floats = portanet.fit(nn.Sequential(nn.Flatten(), nn.Dense(2)), np.ones((4, 1, 3, 3), np.float32), [0, 1, 0, 1])
    with pytest.raises(portanet.DataError, match="numbers other than pixels"):
        floats.predict(str(path))


def test_a_folder_of_classes(cli: Call, shapes: Path) -> None:
    answer = cli("train", "shapes", "--image", "3x6x6", "--epochs", 8, "--valid", 0.2, "--out", "run")
    assert answer.code == 0, answer.err
    assert "24 of 24 were resized" in answer.err
    card = portanet.load("run").card
    assert (card.input_shape, card.classes, card.digits) == ((3, 6, 6), ("night", "noon"), False)
    assert cli("evaluate", "run", "shapes", "--json").json["accuracy"] == 1.0
    answer = cli("predict", "run", "shapes/noon", *sorted(shapes.glob("night/*.png")))
    labels = [line.rpartition(",")[2] for line in answer.out.splitlines()[1:]]
    assert labels == ["noon"] * 12 + ["night"] * 8
    assert "File" not in cli("predict", "digits", "unknown.csv").out


def test_a_file_of_paths(cli: Call, shapes: Path) -> None:
    files = sorted(shapes.glob("*/*"))
    lines = "".join(f"{file.relative_to(shapes)},{file.parent.name}\n" for file in files)
    (shapes / "list.csv").write_text(f"file,kind\n{lines}")
    answer = cli("train", "shapes/list.csv", "--epochs", 6, "--valid", 0.2, "--out", "run")
    assert answer.code == 0, answer.err
    for fact in ("'file' holds paths", "kind holds text", "3x9x8, the commonest size"):
        assert fact in answer.err
    (shapes / "new.csv").write_text("file\nnoon/1.png\nnight/2.png\n")
    answer = cli("predict", "run", "shapes/new.csv")
    assert answer.out == "File,Label\nshapes/noon/1.png,noon\nshapes/night/2.png,night\n"


def test_what_is_refused(cli: Call, shapes: Path, mnist: portanet.TrainedModel) -> None:
    Path("broken.png").write_bytes(b"?")
    for words, facts in (
        ("predict mnist.safetensors broken.png shapes", ["1 of 25", "broken.png"]),
        ("predict mnist.safetensors shapes flowers.csv", ["flowers.csv is neither a picture"]),
        ("predict flowers shapes/noon/1.png", ["needs 4 columns"]),
        ("predict mnist.safetensors shapes shapes --id a", ["--id"]),
        ("train shapes --task regress", ["CSV"]),
        ("train shapes --image 7x8x8", ["--image 3x64x64"]),
        ("train shapes/noon", ["class", "CSV"]),
    ):
        answer = cli(*words.split())
        assert answer.code == 1, words
        assert answer.out == ""
        assert all(fact in answer.err for fact in facts), answer.err
