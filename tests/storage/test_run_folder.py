"""The run folder: one process at a time, and nothing of anybody else's is touched."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import portanet
from portanet.errors import ConfigError, DataError
from portanet.storage import lock
from portanet.storage.run_folder import RunFolder, require_empty
from portanet.storage.run_record import RunRecord, write_record

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1])}
HOLDER = """
import sys, time
from pathlib import Path
from portanet.storage.run_record import RunRecord, write_record
from portanet.storage.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", "mlp")


@pytest.fixture
def holder(folder: RunFolder) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked the folder."""
    command = [sys.executable, "-c", HOLDER, str(folder.path)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_was_first(folder: RunFolder, holder: subprocess.Popen[str]) -> None:
    expected = (
        rf"run is in use by process {holder.pid}; wait until it ends, or choose another folder with out=FOLDER\.$"
    )
    with pytest.raises(ConfigError, match=expected), folder.locked():
        raise AssertionError("two have the lock")
    assert (folder.path / ".lock").exists()


def test_the_lock_ends_with_the_process(folder: RunFolder, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert os.listdir(folder.path) == [".lock"]
    require_empty(folder.path)
    with folder.locked() as note:
        assert note is None
        assert (folder.path / ".lock").read_text() == f"{os.getpid()}\n"
    assert os.listdir(folder.path) == []


def test_a_lock_is_for_one_at_a_time_in_one_process_too(folder: RunFolder) -> None:
    with folder.locked():
        for _ in range(2):
            with pytest.raises(ConfigError, match=f"in use by process {os.getpid()};"), folder.locked():
                raise AssertionError("two have the lock")
    with folder.locked():
        pass


def test_many_who_want_it_at_once(folder: RunFolder) -> None:
    """However they come and go, no two of them have it at the same time."""
    inside, most, had = 0, 0, 0
    guard = threading.Lock()

    def come_and_go() -> None:
        nonlocal inside, most, had
        for _ in range(100):
            try:
                with folder.locked():
                    with guard:
                        inside, had = inside + 1, had + 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
            except ConfigError:
                continue

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert had > 0
    assert os.listdir(folder.path) == []


def test_the_lock_is_left_when_the_block_fails(folder: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError), folder.locked():
        raise ZeroDivisionError
    with folder.locked():
        pass


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 10**6, b"-1\n"])
def test_a_lock_that_does_not_say_whose_it_is(folder: RunFolder, content: bytes) -> None:
    with folder.locked():
        (folder.path / ".lock").write_bytes(content)
        with pytest.raises(ConfigError, match="in use by another process;"), folder.locked():
            pass


def _link(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to("notes")
    elif kind == "dangling link":
        path.symlink_to("absent")
    elif kind == "hard link":
        os.link(path.with_name("notes"), path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("somebody's own\n")


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder", "file"])
def test_a_lock_that_is_not_ours_is_left_alone(folder: RunFolder, kind: str) -> None:
    notes, path = folder.path / "notes", folder.path / ".lock"
    notes.write_text("123\n")
    _link(path, kind)
    before = os.lstat(path)
    with (
        pytest.raises(DataError, match=r"cannot write .*\.lock: .*link") as error,
        folder.locked(),
    ):
        raise AssertionError("it has the lock")
    assert "move it away, or choose another folder" in str(error.value)
    assert notes.read_text() == "123\n"
    assert os.path.samestat(os.lstat(path), before)
    assert kind != "file" or path.read_text() == "somebody's own\n"
    assert not (folder.path / "absent").exists()


def test_a_lock_that_another_has_put_there_meanwhile_stays(folder: RunFolder) -> None:
    with folder.locked():
        _link(folder.path / ".lock", "file")
    assert (folder.path / ".lock").read_text() == "somebody's own\n"


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_where_locks_are_not_supported(folder: RunFolder, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with folder.locked() as note:
        assert note is not None
        assert f"run cannot be locked here ({os.strerror(error)})" in note
    assert os.listdir(folder.path) == []


def test_other_failures_are_data_errors(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(DataError, match=r"cannot write .*lock: No such file"), RunFolder(folder.path / "x").locked():
        pass
    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with pytest.raises(DataError, match=r"cannot write .*lock: Input/output error"), folder.locked():
        pass
    (folder.path / ".lock").unlink()
    (folder.path / ".lock").symlink_to("/dev/null")
    with pytest.raises(DataError, match=r"cannot write .*lock"), folder.locked():
        pass
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the opening and the locking the one who had it went away, and removed it."""
    real, removed = lock.fcntl.flock, []

    def flock(handle: int, how: int) -> None:
        real(handle, how)
        if not removed:
            removed.append((folder.path / ".lock").unlink())

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with folder.locked():
        assert (folder.path / ".lock").read_text() == f"{os.getpid()}\n"
    assert removed


def test_systems_without_flock(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", None)
    path = folder.path / ".lock"
    with folder.locked() as note:
        assert note is None
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(ConfigError, match=rf"process {os.getpid()}; wait .*; if that has ended, delete .*\.lock\."):
            folder.locked().__enter__()
    assert not path.exists()


def test_a_run_folder_is_opened(folder: RunFolder, tmp_path: Path) -> None:
    assert RunFolder.open(folder.path) == folder  # killed before it wrote anything
    (folder.path / "notes.txt").touch()
    with pytest.raises(ConfigError, match=r"run is not a run folder: .*model\.safetensors, checkpoint\."):
        RunFolder.open(folder.path)
    folder.history.touch()
    assert RunFolder.open(folder.path) == folder
    with pytest.raises(ConfigError, match=r"run folder .*absent does not exist"):
        RunFolder.open(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"history\.jsonl is a file, not a run folder"):
        RunFolder.open(folder.history)


def test_an_unreadable_folder(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"cannot look into .*run: Permission denied"):
        RunFolder.open(folder.path)


def test_a_folder_with_nothing_but_a_lock_is_dropped(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "mlp")
    with folder.locked():
        folder.drop_if_empty()
    assert not folder.path.exists()


def test_a_folder_of_the_users_own_stays(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    folder = RunFolder.create(tmp_path / "run", "mlp")
    with folder.locked():
        folder.drop_if_empty()
    assert os.listdir(tmp_path / "run") == []


def test_who_does_not_get_the_lock_removes_nothing(tmp_path: Path) -> None:
    """The folder may still be empty: the run that has the lock has not written its first file yet."""
    other = RunFolder.create(tmp_path / "run", "mlp")  # made by the one that will be too late
    with RunFolder.create(tmp_path / "run", "mlp").locked():
        for late in (other, RunFolder.open(tmp_path / "run")):
            with pytest.raises(ConfigError, match="in use"), late.locked():
                pass
        assert os.listdir(tmp_path / "run") == [".lock"]


def test_a_folder_that_the_run_before_has_removed_is_made_again(tmp_path: Path) -> None:
    late = RunFolder.create(tmp_path / "run", "mlp")
    late.path.rmdir()
    with late.locked():
        late.history.touch()
    assert os.listdir(tmp_path / "run") == ["history.jsonl"]


def test_the_folders_above_that_were_made_for_it_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for out in (None, Path("mine/a/b"), tmp_path / "mine/a/b"):
        folder = RunFolder.create(out, "mlp")
        with folder.locked():
            folder.drop_if_empty()
        assert os.listdir() == ["mine"]
        assert os.listdir("mine") == []


def test_folders_above_that_hold_something_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (RunFolder.create(None, "mlp") for _ in range(2))
    with first.locked():
        first.drop_if_empty()
    assert os.listdir("runs") == ["mlp-2"]
    with second.locked():
        second.drop_if_empty()
    assert os.listdir("runs") == []  # it was there when the second began


def test_a_folder_with_a_result_is_kept(folder: RunFolder) -> None:
    with folder.locked():
        folder.history.touch()
        folder.drop_if_empty()
        assert sorted(os.listdir(folder.path)) == [".lock", "history.jsonl"]
    assert os.listdir(folder.path) == ["history.jsonl"]


def test_folders_are_numbered_and_never_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [RunFolder.create(None, "mlp").path.name for _ in range(3)] == ["mlp-1", "mlp-2", "mlp-3"]
    with pytest.raises(ConfigError, match="is not empty"):
        RunFolder.create(tmp_path, "mlp")


def test_the_record_is_replaced_as_a_whole(folder: RunFolder) -> None:
    write_record(folder.path, RunRecord(name="a", result={"a": 1}))
    write_record(folder.path, RunRecord(name="b", spec={"seed": 2}, history=[{"step": 1}]))
    record = json.loads((folder.path / "run.json").read_text())
    assert (record["run"], record["result"], record["spec"]) == ("b", {}, {"seed": 2})
    assert "history" not in record
    assert os.listdir(folder.path) == ["run.json"]
