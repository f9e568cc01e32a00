"""The cache makes things faster and can break nothing: two at once, damage, a folder that cannot be written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet.data import mnist, read
from portanet.data.memmap import cache
from portanet.data.memmap.cache import CacheError, kept


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of the package that were unpacked."""
    names: list[str] = []
    unpack = mnist._read

    def counted(name: str) -> Any:
        names.append(name)
        return unpack(name)

    monkeypatch.setattr(mnist, "_read", counted)
    return names


IMAGES = "t10k-images-idx3-ubyte.gz"


def test_the_digits_are_unpacked_once(folder: Path, unpacked: list[str]) -> None:
    first, again = read("mnist:test"), read("mnist:test")
    assert unpacked.count(IMAGES) == 1
    assert np.array_equal(first.x, again.x)
    assert first.x.flags.writeable
    assert first.x.flags.c_contiguous
    assert first.fingerprint == again.fingerprint
    first.x[:] = 0  # what a caller does with his array stays his own
    assert np.array_equal(read("mnist:test").x, again.x)
    assert unpacked.count(IMAGES) == 1
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["t10k-images.npy"]
    assert cache.size() == 7_840_128


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[5_000_000] ^= 1
    path.write_bytes(data)


def _planted(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [
        _flipped,
        _planted,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff{"),
        lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    ],
    ids=["flipped", "planted", "cut", "empty", "header", "folder", "pipe", "device"],
)
def test_damage_is_made_good(folder: Path, unpacked: list[str], damage: Any) -> None:
    expected = read("mnist:test").fingerprint
    [file] = folder.rglob("*.npy")
    damage(file)
    assert read("mnist:test").fingerprint == expected
    assert read("mnist:test").fingerprint == expected
    assert unpacked.count(IMAGES) == 2


def test_without_a_cache(folder: Path, unpacked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("a file where the folder should be")
    assert len(read("mnist:test")) == 10_000
    assert unpacked.count(IMAGES) == 1
    monkeypatch.delenv("PORTANET_CACHE")
    monkeypatch.setattr(cache, "folder", lambda: Path("/proc/portanet"))
    assert len(read("mnist:test")) == 10_000


@pytest.mark.parametrize("call", ["replace", "mkdir", "listdir"])
def test_every_failure_does_without(monkeypatch: pytest.MonkeyPatch, folder: Path, call: str) -> None:
    def fail(*arguments: Any, **settings: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    assert len(read("mnist:test")) == 10_000
    monkeypatch.undo()
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_two_processes_at_once(folder: Path) -> None:
    code = "import portanet; print(portanet.read('mnist:test').fingerprint)"
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {process.communicate()[0] for process in running}
    assert found == {f"{read('mnist:test').fingerprint}\n"}
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["t10k-images.npy"]


def test_the_second_of_two_takes_what_the_first_has_made() -> None:
    """Another process finishes while we are at work; a folder does not take the place of one that is there."""

    def find(place: Path) -> str | None:
        return (place / "who").read_text() if (place / "who").exists() else None

    def make(place: Path) -> None:
        if make_other:
            make_other.pop()
            kept("things/one", find, lambda other: (other.mkdir(), (other / "who").write_text("other"))[0])
        place.mkdir()
        (place / "who").write_text("own")

    make_other = [True]
    assert kept("things/one", find, make) == "other"
    (cache.folder() / "things/one/who").unlink()
    (cache.folder() / "things/one/junk").touch()
    assert kept("things/one", find, make) == "own"
    assert [path.name for path in (cache.folder() / "things").iterdir()] == ["one"]


def test_what_the_dead_left_is_swept(folder: Path) -> None:
    left = folder / "mnist" / ".train-images.npy.0123456789abcdef.tmp"
    left.mkdir(parents=True)
    (left / "part").touch()
    read("mnist:test")
    assert not left.exists()


def test_a_full_disk_is_seen_before(folder: Path) -> None:
    folder.mkdir()
    cache.require_room(folder / "x", 1)
    with pytest.raises(CacheError, match=r"^only [0-9.]+ GB are free in .*cache$"):
        cache.require_room(folder / "x", 2**60)


def test_the_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    read("mnist:test")
    assert (folder / "mnist").stat().st_mode & 0o077 == 0
    monkeypatch.delenv("PORTANET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    if sys.platform == "linux":
        assert cache.folder() == Path("/somewhere/portanet")
