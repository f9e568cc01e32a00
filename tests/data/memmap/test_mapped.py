"""Memory maps of large sets: the same arrays as in memory, made once, and made anew whatever happens to them."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Host

from portanet.data import Dataset, read, source
from portanet.data.csv import frames
from portanet.data.memmap import cache, mapped
from portanet.data.memmap.rows import Rows
from portanet.data.split import holdout
from portanet.errors import DataError
from portanet.storage.unfinished import remove


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the maps; tables come in chunks of eight cells, images in chunks of 40 bytes."""
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(frames, "_CELLS", 8)
    monkeypatch.setattr(frames, "_ROWS", 1)
    monkeypatch.setattr("portanet.data.idx._CHUNK", 40)
    return tmp_path / "cache" / "rows"


RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (23, 4))


def csv_file(path: Path, header: str, rows: Any, labels: Any) -> str:
    path.write_text(header + "\n" + "".join(f"{label},{','.join(map(str, row))}\n" for label, row in zip(labels, rows)))
    return str(path)


def idx_bytes(array: Host, kind: int) -> bytes:
    big = array.astype(array.dtype.newbyteorder(">"))
    return struct.pack(f">4B{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + big.tobytes()


def idx_folder(path: Path, images: Host, kind: int = 8, *, packed: bool = False) -> str:
    path.mkdir(exist_ok=True)
    data = idx_bytes(images, kind)
    (path / f"train-images-idx3-ubyte{'.gz' if packed else ''}").write_bytes(gzip.compress(data) if packed else data)
    (path / "train-labels-idx1-ubyte").write_bytes(idx_bytes((np.arange(len(images)) % 3).astype(np.uint8), 8))
    return str(path)


def sources(folder: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    names = [f"n{i % 3}" for i in range(23)]
    late = PIXELS.tolist()
    late[17][2] = -0.25
    early = PIXELS.tolist()
    early[0][0] = 0.5
    images, late_image = RNG.integers(0, 256, (23, 3, 4)).astype(np.int16), RNG.integers(0, 256, (23, 3, 4))
    late_image[20, 1, 1] = 999
    return {
        "pixels": (csv_file(folder / "p.csv", "label,pixel0,pixel1,pixel2,pixel3", PIXELS, names), {}),
        "whole": (csv_file(folder / "w.csv", "kind,a,b,c,d", PIXELS, names), {"label": "kind"}),
        "float late": (csv_file(folder / "l.csv", "label,a,b,c,d", late, names), {}),
        "float early": (csv_file(folder / "e.csv", "label,a,b,c,d", early, names), {}),
        "regress": (csv_file(folder / "r.csv", "label,a,b,c,d", PIXELS, RNG.normal(size=23)), {"task": "regress"}),
        "no labels": (csv_file(folder / "n.csv", "x,a,b,c,d", PIXELS, range(23)), {}),
        "columns": (
            csv_file(folder / "c.csv", "label,a,b,c,d", PIXELS, names),
            {"columns": ("d", "a", "c", "b"), "classes": ("n2", "n1", "n0")},
        ),
        "idx": (idx_folder(folder / "i", images.astype(np.uint8)), {}),
        "idx packed": (idx_folder(folder / "z", images.astype(np.uint8), packed=True), {}),
        "idx whole int16": (idx_folder(folder / "s", images, 11), {}),
        "idx int32": (idx_folder(folder / "t", late_image.astype(np.int32), 12), {}),
        "idx float32": (idx_folder(folder / "f", images.astype(np.float32), 13, packed=True), {}),
    }


def same(one: Dataset, other: Dataset) -> bool:
    assert (one.x.shape, one.x.dtype) == (other.x.shape, other.x.dtype)
    assert (one.name, one.classes, one.columns) == (other.name, other.classes, other.columns)
    assert (one.targets is None) == (other.targets is None)
    assert one.targets is None or one.targets.dtype == other.require_targets().dtype
    return one.fingerprint == other.fingerprint


KINDS = [
    "pixels", "whole", "float late", "float early", "regress", "no labels", "columns", "idx", "idx packed",
    "idx whole int16", "idx int32", "idx float32",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_holds_what_memory_does(folder: Path, tmp_path: Path, kind: str) -> None:
    file, settings = sources(tmp_path)[kind]
    first, again, plain = (read(file, **settings, mapped=mapped) for mapped in (True, True, False))
    assert isinstance(first.x, np.memmap)
    assert isinstance(again.x, np.memmap)
    assert not isinstance(plain.x, np.memmap)
    assert same(first, plain)
    assert same(again, plain)
    for one, other in zip(holdout(first, 0.3, 1), holdout(plain, 0.3, 1)):
        assert isinstance(one.x, Rows)
        assert same(one, other)
        assert same(one.rows(slice(1, 5)), other.rows(slice(1, 5)))
    assert len(list(folder.glob("*"))) == (0 if kind == "idx" else 1)  # a file of uint8 is its own map


def test_it_is_made_once(tmp_path: Path) -> None:
    for file, settings in sources(tmp_path).values():
        read(file, **settings, mapped=True)
        read(file, **settings, mapped=True, progress=lambda done, size: pytest.fail("it is made again"))


@pytest.mark.parametrize("kind", ["float late", "idx packed"])
def test_progress_is_told(tmp_path: Path, kind: str) -> None:
    file, settings = sources(tmp_path)[kind]
    told: list[tuple[int, int]] = []
    read(file, **settings, mapped=True, progress=lambda done, size: told.append((done, size)))
    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    read(str(tmp_path / "w.csv"), label="kind", progress=lambda done, size: pytest.fail("it is read at once"))


def test_large_files_are_mapped_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _ = sources(tmp_path)["pixels"]
    assert not isinstance(read(file).x, np.memmap)
    monkeypatch.setattr(mapped, "_LARGE", 100)
    assert isinstance(read(file).x, np.memmap)
    monkeypatch.setattr(mapped, "_LARGE", 2**28)
    monkeypatch.setattr("portanet._machine.available", lambda: 800)
    assert isinstance(read(file).x, np.memmap)


def test_a_changed_file_is_read_anew(folder: Path, tmp_path: Path) -> None:
    file = csv_file(tmp_path / "a.csv", "label,a,b", [[1, 2], [3, 4]], "xy")
    assert read(file, mapped=True).x.tolist() == [[1, 2], [3, 4]]
    [before] = folder.iterdir()
    csv_file(tmp_path / "a.csv", "label,a,b", [[1, 2], [3, 5]], "xy")
    os.utime(file, ns=(1, 1))
    assert read(file, mapped=True).x.tolist() == [[1, 2], [3, 5]]
    [after] = folder.iterdir()  # what is of no use any more is gone
    assert before.name != after.name


@pytest.mark.parametrize("at", [13, 500, -3])
def test_a_file_of_other_content_and_the_same_size_and_time(tmp_path: Path, at: int) -> None:
    rows = [[i % 10, 2 + (i == 555)] for i in range(1_000)]
    file = Path(csv_file(tmp_path / "a.csv", "label,a,b", rows, ["x"] * 1_000))
    assert read(str(file), mapped=True).x.tolist() == rows
    before, content = file.stat(), bytearray(file.read_bytes())
    digits = [place for place, byte in enumerate(content) if chr(byte) in "2"]
    content[min(digits, key=lambda place: abs(place - at % len(content)))] = ord("7")
    with open(file, "r+b") as same_file:
        same_file.write(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (read(str(file), mapped=True).x == 7).sum() == 101


def test_images_whose_file_is_cut_short_while_they_are_read(tmp_path: Path) -> None:
    """To touch them would end the process with SIGBUS."""
    folder = idx_folder(tmp_path / "i", np.zeros((200, 28, 28), np.uint8))
    path = tmp_path / "i" / "train-images-idx3-ubyte"
    first, rest = holdout(read(folder, mapped=True), 0.3, 1)
    assert first.x[:5].shape == (5, 1, 28, 28)
    os.rename(path, tmp_path / "other")
    path.write_bytes(b"")  # another file, which is no concern of the map
    assert first.x[:5].shape == (5, 1, 28, 28)
    os.replace(tmp_path / "other", path)
    os.truncate(path, 20_000)
    for rows in (first.x, rest.x, rest.x.select([1, 2])):
        with pytest.raises(DataError, match="was cut short while it was read"):
            rows[:2]


def test_other_settings_have_their_own_map(folder: Path, tmp_path: Path) -> None:
    file = csv_file(tmp_path / "a.csv", "label,a,b", [[1, 2], [3, 4]], "01")
    assert read(file, mapped=True).classes == ("0", "1")
    assert read(file, mapped=True, task="regress").require_targets().dtype == np.float32
    assert read(file, mapped=True, label="a").x.tolist() == [[0, 2], [1, 4]]
    assert read(file, mapped=True, image=(1, 1, 2)).x.shape == (2, 1, 1, 2)
    assert read(file, mapped=True, columns=("b", "a")).x.tolist() == [[2, 1], [4, 3]]
    assert len(list(folder.iterdir())) == 5  # another task may leave other rows out
    assert read(file, mapped=True, classes=("1", "0")).require_targets().tolist() == [1, 0]
    assert read(file, mapped=True, kinds={"b": "category"}).table.kinds == ("number", 2)
    assert len(list(folder.iterdir())) == 6


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "a.csv", "label,a,b,c", PIXELS[:, :3], PIXELS[:, 3])

    def touch(done: int, size: int) -> None:
        os.utime(file, ns=(1, 1))

    with pytest.raises(DataError, match=r"a\.csv has changed .*read it again"):
        read(file, mapped=True, progress=touch)


def _header(path: Path, **changes: Any) -> None:
    described = {"shape": (23, 4), "fortran_order": False, "descr": "|u1"} | changes
    with open(path, "r+b") as file:
        np.lib.format.write_array_header_1_0(file, described)


def _object(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.array([{}] * 23, dtype=object), allow_pickle=True)


def _flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


FILES = ("x.npy", "targets.npy", "about.json")
DAMAGE: dict[str, Any] = {
    "x cut": lambda place: os.truncate(place / "x.npy", 150),
    "x longer than it says": lambda place: (place / "x.npy").write_bytes((place / "x.npy").read_bytes() + b"x"),
    "x empty": lambda place: os.truncate(place / "x.npy", 0),
    "x gone": lambda place: (place / "x.npy").unlink(),
    "x an object": lambda place: _object(place / "x.npy"),
    "x longer than it is": lambda place: _header(place / "x.npy", shape=(2**40, 4)),
    "x of other rows": lambda place: _header(place / "x.npy", shape=(46, 2)),
    "x in another order": lambda place: _header(place / "x.npy", fortran_order=True),
    "x of another dtype": lambda place: _header(place / "x.npy", descr="|i1"),
    "x of negative size": lambda place: _header(place / "x.npy", shape=(-23, -4)),
    "x a folder": lambda place: ((place / "x.npy").unlink(), (place / "x.npy").mkdir()),
    "targets gone": lambda place: (place / "targets.npy").unlink(),
    "targets too few": lambda place: np.save(place / "targets.npy", np.zeros(22, np.int32)),
    "targets below": lambda place: np.save(place / "targets.npy", np.full(23, -1, np.int32)),
    "targets above": lambda place: np.save(place / "targets.npy", np.full(23, 3, np.int32)),
    "targets of another kind": lambda place: np.save(place / "targets.npy", np.zeros(23, np.float32)),
    "targets an object": lambda place: _object(place / "targets.npy"),
    "about empty": lambda place: (place / "about.json").write_text(""),
    "about gone": lambda place: (place / "about.json").unlink(),
    "about a list": lambda place: (place / "about.json").write_text("[]"),
    "about deep": lambda place: (place / "about.json").write_text("[" * 100_000),
    "about of other texts": lambda place: (place / "about.json").write_text(json.dumps({"texts": [1, 2, 3]})),
    "about not text": lambda place: (place / "about.json").write_bytes(b"\xff"),
    "x of another value": lambda place: _flip(place / "x.npy"),
    "targets of another value": lambda place: _flip(place / "targets.npy", -4),
    **{f"{name} a pipe": lambda place, name=name: _pipe(place / name) for name in FILES},
    **{f"{name} endless": lambda place, name=name: _endless(place / name) for name in FILES},
    "a pipe": lambda place: (remove(place), os.mkfifo(place)),
    "a file": lambda place: (remove(place), place.write_text("x")),
    "empty": lambda place: (remove(place), place.mkdir()),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_made_good(folder: Path, tmp_path: Path, kind: str) -> None:
    file, settings = sources(tmp_path)["whole"]
    plain = read(file, **settings, mapped=False)
    assert same(read(file, **settings, mapped=True), plain)
    [place] = folder.iterdir()
    DAMAGE[kind](place)
    told: list[int] = []
    assert same(read(file, **settings, mapped=True, progress=lambda done, size: told.append(done)), plain)
    assert told, "it was not made anew"
    assert [path.name for path in folder.iterdir()] == [place.name]
    assert same(read(file, **settings, mapped=True), plain)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "".join(f"x,1,{i}\ny,{i},4\n" for i in range(30)) + "x,5,six\n",
            r"row 61 \(line 62\), column 'b': 'six' is not a number",
        ),
        ("x,1,2\ny,3,4\nx,5\n", r"row 3 \(line 4\): 2 cells, but the header has 3"),
        ("x,1,2\ny,3,4\nNA,5,6\n", "row 3 has no label"),
        ("", "has a header but no rows"),
    ],
)
def test_faults_are_named_as_in_memory(folder: Path, tmp_path: Path, rows: str, words: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"label,a,b\n{rows}")
    messages = []
    for mapped_too in (True, False):
        with pytest.raises(DataError, match=words) as error:
            read(str(file), mapped=mapped_too)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert not list(folder.iterdir()), "what was begun stays"


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[:9]])
@pytest.mark.parametrize("kind", [8, 11])
def test_faults_of_images_are_named_as_in_memory(tmp_path: Path, kind: int, change: Any) -> None:
    images = RNG.integers(0, 256, (23, 3, 4)).astype(np.uint8 if kind == 8 else np.int16)
    path = Path(idx_folder(tmp_path / "i", images, kind), "train-images-idx3-ubyte")
    path.write_bytes(change(path.read_bytes()))
    messages = []
    for mapped_too in (True, False):
        with pytest.raises(DataError) as error:
            read(str(tmp_path / "i"), mapped=mapped_too)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_without_a_cache_it_is_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file where the cache should be")
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "taken"))
    for file, settings in sources(tmp_path).values():
        assert same(read(file, **settings, mapped=True), read(file, **settings, mapped=False))
    monkeypatch.setattr("portanet._machine.available", lambda: 100)
    with pytest.raises(DataError, match=r"w\.csv .*memory map.* \(Not a directory\)"):
        read(str(tmp_path / "w.csv"), label="kind")


@pytest.mark.parametrize("kind", ["float late", "idx int32"])
def test_a_full_disk(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    file, settings = sources(tmp_path)[kind]
    plain = read(file, **settings, mapped=False)
    room = [1, 1, 1]

    def full(place: Path, count: int) -> None:
        if not room:
            raise cache.CacheError("only 0.1 GB are free in CACHE")
        room.pop()

    monkeypatch.setattr(cache, "require_room", full)
    assert same(read(file, **settings, mapped=True), plain)
    assert not list(folder.iterdir()), "what was begun stays"
    monkeypatch.setattr("portanet._machine.available", lambda: 100)
    with pytest.raises(DataError, match=r"0\.1 GB .*free in CACHE\); make room .*another folder"):
        read(file, **settings, mapped=True)


def test_two_processes_at_once(folder: Path, tmp_path: Path) -> None:
    rows = RNG.integers(0, 256, (40_000, 4)).tolist()
    file = csv_file(tmp_path / "big.csv", "label,a,b,c,d", rows, (i % 5 for i in range(40_000)))
    code = f"import portanet; print(portanet.read({file!r}, mapped=True).fingerprint)"
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = {process.communicate()[0] for process in running}
    assert found == {f"{read(file, mapped=True).fingerprint}\n"}
    assert len(list(folder.iterdir())) == 1


def test_other_sources_are_read_as_ever(tmp_path: Path) -> None:
    assert not isinstance(read("mnist:test", mapped=True).x, np.memmap)
    np.savez(tmp_path / "a.npz", x=PIXELS, y=np.arange(23))
    assert not isinstance(source.read(str(tmp_path / "a.npz"), mapped=True).x, np.memmap)
