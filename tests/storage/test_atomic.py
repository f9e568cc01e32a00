"""A file is the old one or the new one, whatever fails and whenever the power goes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import Disk, after_power_loss, failing_disks, files_in, fill

import portanet
from portanet.errors import DataError
from portanet.storage import atomic, unfinished

OLD, NEW, OLDER = b"old " * 100, b"new" * 333, b"older"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errno.ENOSPC, "No space left on device; free some space, or write elsewhere"),
        (errno.EDQUOT, "Disk quota exceeded; delete something, or write elsewhere"),
        (errno.EIO, "Input/output error; the disk may be failing; write elsewhere"),
        (errno.EROFS, "Read-only file system; write elsewhere"),
        (errno.EACCES, "Permission denied; change the permissions, or write elsewhere"),
    ],
)
@pytest.mark.parametrize("keep", [False, True])
def test_any_call_that_fails_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, message: str, keep: bool
) -> None:
    path, kept = tmp_path / "a", tmp_path / "a.old"

    def save(disk: Disk) -> None:
        fill(tmp_path, {"a": OLD, "a.old": OLDER})
        done = True
        try:
            atomic.write(path, NEW, keep=kept if keep else None)
        except DataError as failure:
            done = False
            assert str(failure) == f"cannot write {path}: {message}."
        assert path.read_bytes() == (NEW if done else OLD)
        assert kept.read_bytes() in ({OLD} if keep and done else {OLD, OLDER} if keep else {OLDER})
        assert sorted(os.listdir(tmp_path)) == ["a", "a.old"]

    assert failing_disks(monkeypatch, error, save) >= 6 + 2 * keep


@pytest.mark.parametrize("never", [(), ("link",)])
@pytest.mark.parametrize("keep", [False, True])
def test_power_may_fail_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool, never: tuple[str, ...]
) -> None:
    fill(tmp_path, before := {"a": OLD, "a.old": OLDER})
    monkeypatch.setattr(atomic, "os", disk := Disk(error=errno.EPERM, never=never))
    atomic.write(tmp_path / "a", NEW, keep=tmp_path / "a.old" if keep else None)
    assert files_in(tmp_path) == {"a": NEW, "a.old": OLD if keep else OLDER}
    found = {(state["a"], state["a.old"]) for state in after_power_loss(before, disk.calls)}
    assert found == ({(OLD, OLDER), (OLD, OLD), (NEW, OLD)} if keep else {(OLD, OLDER), (NEW, OLDER)})


def test_the_new_name_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once `write` is back, no power loss brings the old file back."""
    fill(tmp_path, before := {"a": OLD})
    monkeypatch.setattr(atomic, "os", disk := Disk())
    atomic.write(tmp_path / "a", NEW)
    assert disk.calls[-1] == ("sync folder",)
    *_, last = after_power_loss(before, disk.calls)
    assert last == {"a": NEW}


def test_kept_twice_is_one_file_with_two_names_no_longer(tmp_path: Path) -> None:
    """What a crash between the two renames leaves: both names on one file."""
    (tmp_path / "a").write_bytes(OLD)
    os.link(tmp_path / "a", tmp_path / "a.old")
    atomic.write(tmp_path / "a", NEW, keep=tmp_path / "a.old")
    assert files_in(tmp_path) == {"a": NEW, "a.old": OLD}


def test_what_was_not_there_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a.old").write_bytes(OLDER)
    atomic.write(tmp_path / "a", NEW, keep=tmp_path / "a.old")
    assert files_in(tmp_path) == {"a": NEW, "a.old": OLDER}


def test_what_cannot_be_read_back_does_not_take_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar(Disk):
        def write(self, descriptor: int, content: Any) -> int:
            return os.write(descriptor, bytes(len(content)))

    path = atomic.write(tmp_path / "a", OLD)
    monkeypatch.setattr(atomic, "os", Liar())
    with pytest.raises(DataError, match=r"cannot write .*read back .*; the disk may"):
        atomic.write(path, NEW)
    assert files_in(tmp_path) == {"a": OLD}


def test_a_system_that_writes_a_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Disk):
        def write(self, descriptor: int, content: Any) -> int:
            return super().write(descriptor, content[:7])

    monkeypatch.setattr(atomic, "os", Slow())
    assert atomic.write(tmp_path / "a", NEW).read_bytes() == NEW


def test_a_system_that_cannot_sync_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert atomic.sync_folder(tmp_path)
    assert not atomic.sync_folder(tmp_path / "absent")
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    assert not atomic.sync_folder(tmp_path)
    assert atomic.write(tmp_path / "a", NEW).read_bytes() == NEW


def test_a_write_cut_short_by_the_caller_keeps_the_old_file(tmp_path: Path) -> None:
    path = atomic.write(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path) as file:
        file.write(b"ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    """The one who ends last wins, whole; each has an unfinished file of its own."""
    contents = [bytes([number]) * 200_000 for number in range(4)]
    writers = [threading.Thread(target=atomic.write, args=(tmp_path / "a", content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "a").read_bytes() in contents
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_as_readable_as_any_other(tmp_path: Path, mask: int, mode: int) -> None:
    old = os.umask(mask)
    try:
        assert atomic.write(tmp_path / "a", b"").stat().st_mode & 0o777 == mode
    finally:
        os.umask(old)


TOKEN = "0123456789abcdef"

WRITER = """
import sys
from pathlib import Path
from portanet.storage import atomic, unfinished

with unfinished.new_folder(Path("b")), atomic.replacing(Path("a")) as file:
    file.write(b"half")
    print(flush=True)
    sys.stdin.read()
"""


def unfinished_in(folder: Path) -> list[str]:
    return sorted(name[:3] for name in os.listdir(folder) if name.endswith(".tmp"))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the midst of writing the file `a` and making the folder `b`."""
    environment = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, env=environment, **pipes) as process:
        process.stdout.readline()
        assert unfinished_in(tmp_path) == [".a.", ".b."]
        yield process
        process.kill()


def test_what_killed_processes_left_is_swept(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    stale = [f".a.{TOKEN}.tmp", f".b.{TOKEN}.tmp"]
    others = [f".c.{TOKEN}.tmp", f".a.{TOKEN}.tmp.x", ".a.x.tmp", f".aa.{TOKEN}.tmp"]
    for name in stale + others:
        (tmp_path / name).touch()
    writer.kill()
    writer.wait()
    atomic.write(tmp_path / "a", NEW, keep=tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == sorted(["a", *others])


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    """Whatever its number: in another container it may be one that no process has here."""
    atomic.write(tmp_path / "a", NEW)
    unfinished.sweep(tmp_path)
    assert unfinished_in(tmp_path) == [".a.", ".b."]
    writer.stdin.close()
    assert writer.wait() == 0
    assert files_in(tmp_path) == {"a": b"half"}


def test_where_locks_are_not_supported_age_decides(
    tmp_path: Path, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(unfinished.fcntl, "flock", refuse)
    stale = tmp_path / f".old.{TOKEN}.tmp"
    stale.touch()
    os.utime(stale, (1e9, 1e9))
    unfinished.sweep(tmp_path)
    assert unfinished_in(tmp_path) == [".a.", ".b."]
    assert atomic.write(tmp_path / "c", NEW).read_bytes() == NEW


def test_a_sweep_between_making_and_locking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer sees that its file is gone, and makes another one."""
    real, swept = unfinished.claim, []

    def late(descriptor: int, path: Path) -> bool:
        if len(swept) < 2:
            swept.append(path)
            unfinished.sweep(path.parent)
        return real(descriptor, path)

    monkeypatch.setattr(unfinished, "claim", late)
    with unfinished.new_folder(tmp_path / "b") as folder:
        atomic.write(tmp_path / "a", NEW)
        assert folder.is_dir()
    assert len(swept) == 2
    assert files_in(tmp_path) == {"a": NEW}


def test_a_name_that_is_taken_is_never_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter([TOKEN, "f" * 16])
    monkeypatch.setattr(unfinished.secrets, "token_hex", lambda _: next(tokens))
    monkeypatch.setattr(unfinished, "sweep", lambda *_: None)
    (tmp_path / f".a.{TOKEN}.tmp").symlink_to(tmp_path / "elsewhere")
    atomic.write(tmp_path / "a", NEW)
    assert sorted(os.listdir(tmp_path)) == [f".a.{TOKEN}.tmp", "a"]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*: No such file or directory"):
        atomic.write(tmp_path / "absent" / "a", b"")


def test_only_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "null"):
        with pytest.raises(DataError, match=f"cannot write .*{name}: .*regular file"):
            atomic.write(tmp_path / name, NEW)
    for folder in (tmp_path, Path(), Path("/")):
        with pytest.raises(DataError, match=r"cannot write .*: Is a directory"):
            atomic.write(folder, NEW)
    assert sorted(os.listdir(tmp_path)) == ["null", "pipe"]


def test_the_callers_own_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic.replacing(tmp_path / "a"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
