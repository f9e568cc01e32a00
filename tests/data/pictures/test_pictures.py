"""Folders and lists of pictures as rows: their classes, their sizes, their faults, and the cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet.data import read
from portanet.data.memmap import cache
from portanet.data.memmap.rows import as_rows
from portanet.data.pictures import source
from portanet.errors import ConfigError, DataError

Image = pytest.importorskip("PIL.Image")


def saved(path: Path, value: int | tuple[int, ...] = 0, size: tuple[int, int] = (5, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(value, int) else "RGB", size, value).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 grey pictures of two classes; the value of each pixel is the number of the picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    for i in range(40):
        saved(tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i:02}.png", i)
    return tmp_path / "pets"


def test_a_folder_of_class_folders(pets: Path) -> None:
    data = read("pets")
    assert (data.name, data.x.shape, data.x.dtype, data.classes) == ("pets", (40, 1, 4, 5), np.uint8, ("cat", "dog"))
    assert data.x[:, 0, 0, 0].tolist() == [*range(0, 40, 2), *range(1, 40, 2)]
    assert data.require_targets().tolist() == [0] * 20 + [1] * 20
    assert data.ids is not None
    assert data.ids.name == "File"
    assert data.ids.texts[1] == os.path.join("pets", "cat", "02.png")
    ids = data.rows(np.array([39, 1])).ids
    assert ids is not None
    assert ids.texts.tolist() == ["pets/dog/39.png", "pets/cat/02.png"]
    assert any("1x4x5" in note and "0 of 40" in note for note in data.notes)


def test_the_commonest_size_and_the_asked_one(pets: Path) -> None:
    saved(pets / "cat" / "wide.jpg", 7, (50, 40))
    saved(pets / "dog" / "sub" / "deep.BMP", (7, 7, 9), (9, 9))
    data = read(pets)
    assert data.x.shape == (42, 3, 4, 5)
    assert any("3x4x5" in note and "commonest" in note and "2 of 42" in note for note in data.notes)
    assert read(pets, image=(1, 8, 8)).x.shape == (42, 1, 8, 8)
    assert read(pets, image=(4, 2, 2)).x[:, 3].min() == 255
    with pytest.raises(ConfigError, match="1 to 4 channels, not 5"):
        read(pets, image=(5, 8, 8))


def test_a_size_that_is_much_for_a_network(tmp_path: Path) -> None:
    saved(tmp_path / "a" / "a.png", 0, (1200, 1000))
    with pytest.raises(DataError, match=r"1200 x 1000 .*image=\(1, 64, 64\)"):
        read(tmp_path)


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "testing"), ("train", "val", "test"), ("train",)])
def test_parts(tmp_path: Path, names: tuple[str, ...]) -> None:
    for count, part in enumerate(names, 1):
        for i in range(count):
            saved(tmp_path / part / "yes" / f"{i}.png")
            saved(tmp_path / part / "no" / f"{i}.png")
    data = read(tmp_path)
    assert (len(data), data.classes) == (2, ("no", "yes"))
    assert len(names) == 1 or any(names[1] in note for note in data.notes)
    if len(names) > 1:
        assert len(read(f"{tmp_path}:test")) == 2 * len(names)
    assert len(read(f"{tmp_path}:train")) == 2
    assert len(read(tmp_path, labelled=False)) == sum(range(len(names) + 1)) * 2


def test_what_is_no_class_and_no_picture_is_told(pets: Path) -> None:
    (pets / "cat" / "notes.txt").touch()
    (pets / "cat" / ".DS_Store").touch()
    (pets / ".git").mkdir()
    (pets / "bird").mkdir()
    data = read(pets)
    assert data.classes == ("cat", "dog")
    assert any("bird" in note for note in data.notes)
    assert any("cat/notes.txt" in note and "DS_Store" not in note for note in data.notes)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["10", "9", "08"], ("8", "9", "10")),
        (["NA", "null", "x"], ("NA", "null", "x")),
        (["0.5", "1.5"], ("0.5", "1.5")),
        (["7", "seven"], ("7", "seven")),
        ([" a ", "b\nc", "\x1b[2J", "=1+1"], ("\x1b[2J", "=1+1", "a", "b\nc")),
    ],
)
def test_names_of_classes(tmp_path: Path, names: list[str], classes: tuple[str, ...]) -> None:
    for name in names:
        saved(tmp_path / "set" / name / "a.png")
    assert read(tmp_path / "set").classes == classes


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "set") + b"/caf\xe9"
    os.makedirs(folder)
    os.replace(saved(tmp_path / "a.png"), folder + b"/\xff\n.png")
    data = read(tmp_path / "set", mapped=True)
    assert data.classes == ("caf\udce9",)
    (tmp_path / "set" / data.classes[0] / "\udcfe\x1b.png").write_bytes(b"no")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "set")
    assert str(caught.value).isprintable()


def test_class_folders_that_are_links(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "bird").symlink_to(pets / "cat")
    (pets / "cat" / "circle").symlink_to(pets)
    (tmp_path / "other" / "fish").symlink_to("fish")
    assert read("other").classes == ("bird",)
    assert len(read("other")) == 20


def test_all_faults_at_once(pets: Path) -> None:
    for i in range(12):
        (pets / "cat" / f"{i:02}.png").write_bytes(b"no picture")
    (pets / "dog" / "39.png").write_bytes((pets / "dog" / "39.png").read_bytes()[:45])
    os.mkfifo(pets / "dog" / "pipe.png")
    saved(pets / "dog" / "far.png").unlink()
    for settings in ({}, {"image": (1, 4, 5)}, {"mapped": True}, {"mapped": False}):
        with pytest.raises(DataError, match=r"14 of 47 pictures cannot be read") as caught:
            read(pets, **settings)
        message = str(caught.value)
        assert all(fact in message for fact in ("cat/00.png", "no PNG", "and 6 more"))
        assert "39.png" not in message
    assert not list((cache.folder() / "rows").glob("*"))


def test_nothing_but_damage(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 1 .* a/a\.png"):
        read(tmp_path)


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    saved(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"1 pictures lie beside .* a\.png; .* CSV"):
        read(tmp_path)
    assert len(read(tmp_path, labelled=False)) == 1
    with pytest.raises(DataError, match="no numbers to predict"):
        saved(tmp_path / "set" / "1" / "a.png")
        read(tmp_path / "set", task="regress")
    with pytest.raises(DataError, match="'test'"):
        read(f"{tmp_path / 'set'}:test")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may look anywhere")
def test_a_folder_that_may_not_be_looked_into(pets: Path) -> None:
    (pets / "cat").chmod(0)
    with pytest.raises(DataError, match="cannot look into"):
        read(pets)


def test_classes_of_a_model(pets: Path) -> None:
    assert read(pets, classes=("dog", "cat", "ox")).require_targets().tolist() == [1] * 20 + [0] * 20
    with pytest.raises(DataError, match="dog"):
        read(pets, classes=("cat", "ox"))


def test_pictures_by_their_paths(pets: Path) -> None:
    data = read(["pets/dog/01.png", pets / "cat" / "00.png", "pets/dog"])
    assert (len(data), data.targets) == (22, None)
    assert data.x[:2, 0, 0, 0].tolist() == [1, 0]
    assert data.ids is not None
    assert data.ids.texts[0] == "pets/dog/01.png"
    assert len(read("pets/dog/01.png")) == len(read(Path("pets/dog/01.png"), image=(3, 2, 2))) == 1
    with pytest.raises(DataError, match=r"rows\.csv is neither a picture"):
        read(["pets/dog/01.png", "rows.csv"])
    with pytest.raises(DataError, match=r"absent\.png"):
        read(["absent.png"])


@pytest.mark.parametrize(
    ("text", "settings", "labels"),
    [
        ("file,label\ncat/00.png,x\ndog/01.png,y\n", {}, ["x", "y"]),
        ("species;path\nx;cat/00.png\ny;dog/01.png\n", {}, ["x", "y"]),
        ("a,file,label,b\n1,cat/00.png,x,3\n2,dog/01.png,y,4\n", {}, ["x", "y"]),
        ("a,file,kind\n1,cat/00.png,x\n2,dog/01.png,y\n", {"label": "kind"}, ["x", "y"]),
        ("file,age\ncat/00.png,1.5\ndog/01.png,2\n", {"label": "age", "task": "regress"}, [1.5, 2.0]),
        ("file,age\ncat/00.png,1.5\ndog/01.png,2\n", {"task": "auto"}, [1.5, 2.0]),
        ('"file","label"\r\n"cat/00.png",3\r\n"dog/01.png",4\r\n', {}, [3, 4]),
        ("cat/00.png,x\ndog/01.png,y\n", {"header": False, "label": "2"}, ["x", "y"]),
        ("file\ncat/00.png\ndog/01.png\n", {}, None),
        ("file,label\ncat/00.png,\ndog/01.png,\n", {"labelled": False}, None),
    ],
)
def test_a_column_of_paths(pets: Path, text: str, settings: dict[str, Any], labels: Any) -> None:
    (pets / "rows.csv").write_text(text, newline="")
    data = read("pets/rows.csv", **settings)
    assert data.x[:, 0, 0, 0].tolist() == [0, 1]
    assert data.ids is not None
    assert data.ids.texts.tolist() == [os.path.join("pets", "cat/00.png"), os.path.join("pets", "dog/01.png")]
    assert (None if data.labels is None else data.labels.tolist()) == labels


def test_a_column_of_paths_that_leads_nowhere(pets: Path) -> None:
    (pets / "rows.csv").write_text("file,label\ncat/00.png,x\nox/1.png,y\nox/2.png,y\n")
    with pytest.raises(DataError, match=r"2 of 3 .*ox/1\.png: No such file"):
        read("pets/rows.csv")
    (pets / "rows.csv").write_text("file,label\ncat/00.png,x\n,y\n")
    with pytest.raises(DataError, match=r"row 2 .*'file' has no path"):
        read("pets/rows.csv")
    (pets / "rows.csv").write_text("file,label\ncat/00.png,x\n")
    with pytest.raises(DataError, match="holds the paths"):
        read("pets/rows.csv", label="file")


def test_other_tables_stay_tables(pets: Path) -> None:
    """Addresses of pictures, and names of pictures that are not here beside numbers, are text of a table."""
    for name in ("https://a.b/{}.png", "far/{}.png"):
        rows = "".join(f"{name.format(i)},{i % 7}.5,{i},{'xy'[i % 2]}\n" for i in range(30))
        (pets / "rows.csv").write_text(f"file,size,weight,label\n{rows}")
        assert read("pets/rows.csv").table is not None
    with pytest.raises(DataError, match="30 of 30"):
        read("pets/rows.csv", image=(1, 4, 4))


def test_the_cache_is_used_and_notices_changes(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    decoded = source._decoded
    monkeypatch.setattr(source, "_decoded", lambda *given, **named: calls.append(1) or decoded(*given, **named))
    told: list[tuple[int, int]] = []
    with open(pets / "cat" / "00.png", "ab") as file:
        file.write(bytes(9))  # behind the picture, so that another one can be as long
    first = read(pets, progress=lambda *step: told.append(step))
    assert told[-1] == (800, 800)
    again = read(pets)
    assert (len(calls), again.fingerprint, again.notes) == (1, first.fingerprint, first.notes)
    assert as_rows(again.x) is None
    assert as_rows(read(pets, mapped=True).x) is not None
    before = os.stat(pets / "cat" / "00.png")
    content = saved(pets.parent / "grey.png", 99).read_bytes()
    (pets / "cat" / "00.png").write_bytes(content.ljust(before.st_size, b"\0"))
    os.utime(pets / "cat" / "00.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(pets / "cat" / "00.png").st_size == before.st_size
    assert read(pets).x[0].max() == 99
    (pets / "cat" / "00.png").unlink()
    assert len(read(pets)) == 39
    os.replace(pets / "cat" / "02.png", pets / "dog" / "02.png")
    assert read(pets).require_targets().sum() == 21
    assert len(calls) == 4
    assert len(list((cache.folder() / "rows").iterdir())) == 1  # those before are gone
    read(pets, image=(1, 2, 2))
    assert len(calls) == 5
    assert len(list((cache.folder() / "rows").iterdir())) == 2


def test_a_damaged_cache_is_made_again(pets: Path) -> None:
    expected = read(pets).fingerprint
    [file] = (cache.folder() / "rows").glob("*/x.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert read(pets).fingerprint == expected


def test_without_a_cache(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pets.parent / "file").touch()
    monkeypatch.setenv("PORTANET_CACHE", str(pets.parent / "file"))
    assert len(read(pets)) == len(read(pets, mapped=True)) == 40
    monkeypatch.setattr("portanet._machine.available", lambda: 100)
    with pytest.raises(DataError, match="PORTANET_CACHE"):
        read(pets)


def test_without_pillow(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"pets needs Pillow: pip install 'portanet\[images\]'"):
        read("pets")


def test_warnings_of_pillow_do_not_reach_people(pets: Path, recwarn: pytest.WarningsRecorder) -> None:
    palette = Image.new("P", (5, 4))
    palette.save(pets / "cat" / "00.png", transparency=bytes(range(200)))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12"
    Image.new("L", (5, 4)).save(pets / "cat" / "01.jpg", exif=exif)
    read(pets, mapped=False)
    assert not recwarn.list
