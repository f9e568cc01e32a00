"""The state of a training on disk: it comes back equal, one of two is always whole, and hostile files are refused."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from faults import Disk, after_power_loss, failing_disks, files_in, fill
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import portanet
from portanet.errors import CheckpointError, ConfigError, DataError
from portanet.nn import Dense
from portanet.storage import atomic, safetensors_file
from portanet.storage.model_card import ModelCard
from portanet.storage.model_file import load_model, save_model
from portanet.storage.snapshot import read_snapshot, write_snapshot

LAST, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
TREES: list[dict[str, Any]] = [{"step": i, "flat": np.arange(5.0) + i, "best": [math.inf, i]} for i in range(4)]


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal, to the type and the bits."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        a = a.astype(a.dtype.newbyteorder("="))
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return type(a) is type(b) and bool(a == b)


def number_of(tree: dict[str, Any]) -> int:
    """Which of TREES this is."""
    (found,) = [i for i, known in enumerate(TREES) if same(known, tree)]
    return found


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"a": {}, "b": [], "c": [[]], "": {"": None}},
        {"whole": [0, -1, 2**53 + 1, 2**64, -(2**200)], "yes": [True, False, None]},
        {"real": [0.1, -0.0, 1e-310, 1.7e308, math.inf, -math.inf, math.nan]},
        {"text": ["", "é", "\0", "\n", "\udc80", '"', "NaN"]},
        {"$array": "0", "$float": {"$float": "nan"}, "$": [{"$array": 1}], "$$array": {"$$": 2}},
        {"__metadata__": np.zeros(2), "format": np.ones(1), "a/b": {"c": np.ones(2)}, "a": {"b/c": np.ones(3)}},
        {"a\\": np.ones(1), "a\\/": {"\udc80": np.zeros(1), "é": np.ones(1), "\\udc80": np.ones(3)}},
        {"scalar": np.array(3.5), "empty": np.zeros((3, 0, 2)), "fortran": np.arange(6).reshape(2, 3).T},
        {"back": np.arange(6)[::-2], "big": np.arange(3, dtype=">i4"), "nan": np.array([np.nan, np.inf, -0.0])},
        {"types": [np.ones(2, kind) for kind in "?bBhHiIqQefd"]},
        {"tuple": (1, (2, np.ones(1)))},
        {str(i): np.full(3, i) for i in range(30)},
    ],
    ids=lambda tree: "-".join(list(tree)[:2]).encode("ascii", "replace").decode() or "nothing",
)  # fmt: skip
def test_it_comes_back(tmp_path: Path, tree: dict[str, Any]) -> None:
    write_snapshot(tmp_path, tree)
    found, note = read_snapshot(tmp_path)
    assert same(tree, found)
    assert note is None
    assert os.listdir(tmp_path) == [LAST]


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ARRAYS = hnp.arrays(st.sampled_from(["?", "u8", "f2", ">f8"]), hnp.array_shapes(min_dims=0, max_dims=2, min_side=0))
ANY = st.recursive(PLAIN | ARRAYS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@given(st.dictionaries(st.text(), ANY))
@settings(derandomize=True, max_examples=30)
def test_any_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_snapshot(folder, tree)
    assert same(tree, read_snapshot(folder)[0])


def test_arrays_that_come_back_can_be_written_to(tmp_path: Path) -> None:
    write_snapshot(tmp_path, {"a": np.zeros(3)})
    read_snapshot(tmp_path)[0]["a"][:] = 1


def test_equal_trees_give_equal_bytes(tmp_path: Path) -> None:
    weight = np.arange(6.0).reshape(2, 3)
    trees = [
        {"a": 1, "b": {"x": weight, "y": (1, 2)}, "c": np.ones(3)},
        {"c": np.ones(3), "b": {"y": [1, 2], "x": np.asfortranarray(weight)}, "a": 1},
    ]
    contents = []
    for tree in trees:
        write_snapshot(tmp_path, tree)
        contents.append((tmp_path / LAST).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": {1: 2}}, r"cannot hold dict at a: \{1: 2\}"),
        ({"a": [np.float32(1)]}, "cannot hold float32 at a.0"),
        ({"a": np.int64(1)}, "cannot hold int64 at a"),
        ({"a": np.zeros(1, complex)}, "cannot hold ndarray at a"),
        ({"a": np.zeros(1, np.longdouble)}, "cannot hold ndarray at a"),
        ({"a": np.array([None])}, "cannot hold ndarray at a"),
        ({"a": b"x"}, "cannot hold bytes at a"),
        ({"a": {1}}, "cannot hold set at a"),
        ({1: 2}, "at its top"),
    ],
)
def test_what_it_cannot_hold(tmp_path: Path, tree: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        write_snapshot(tmp_path, tree)
    assert os.listdir(tmp_path) == []


def test_more_than_the_reader_would_take_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_file, "_HEADER_LIMIT", 1000)
    with pytest.raises(ConfigError, match=r"settings of \d+ bytes are too many for a file"):
        write_snapshot(tmp_path, {"a": "x" * 1000})
    assert os.listdir(tmp_path) == []


def written(folder: Path, *numbers: int) -> dict[str, bytes]:
    """The files of a folder with these of TREES, one after the other."""
    fill(folder, {})
    for number in numbers:
        write_snapshot(folder, TREES[number])
    return files_in(folder)


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    before = written(tmp_path, 0)
    after = written(tmp_path, 0, 1, 2)
    assert sorted(after) == [PREVIOUS, LAST]
    assert number_of(read_snapshot(tmp_path)[0]) == 2
    fill(tmp_path, {LAST: after[PREVIOUS]})
    assert number_of(read_snapshot(tmp_path)[0]) == 1
    assert sorted(before) == [LAST]


@pytest.mark.parametrize("damaged", [b"", b"x", None])
def test_the_one_before_is_taken_where_the_last_is_damaged(tmp_path: Path, damaged: bytes | None) -> None:
    content = written(tmp_path, 0, 1)
    fill(tmp_path, {name: data for name, data in (content | {LAST: damaged}).items() if data is not None})
    tree, note = read_snapshot(tmp_path)
    assert number_of(tree) == 0
    assert note is not None
    assert "checkpoint.previous.safetensors" in note
    assert ("does not exist" if damaged is None else "cannot be read") in note
    assert "\n" not in note


def test_a_damaged_one_does_not_take_the_place_of_a_whole_one(tmp_path: Path) -> None:
    content = written(tmp_path, 0, 1)
    damaged = bytearray(content[LAST])
    damaged[-1] ^= 1
    fill(tmp_path, {PREVIOUS: content[PREVIOUS], LAST: bytes(damaged)})
    write_snapshot(tmp_path, TREES[2])
    assert files_in(tmp_path)[PREVIOUS] == content[PREVIOUS]
    assert number_of(read_snapshot(tmp_path)[0]) == 2


@pytest.mark.parametrize("content", [{}, {LAST: b"x"}, {PREVIOUS: b"x"}, {LAST: b"x", PREVIOUS: b"y"}])
def test_none_that_is_whole(tmp_path: Path, content: dict[str, bytes]) -> None:
    fill(tmp_path, content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors") as caught:
        read_snapshot(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_flipped_bit_and_no_cut_goes_unnoticed(tmp_path: Path) -> None:
    content = written(tmp_path, 0)[LAST]
    for place in range(0, len(content), 3):
        flipped = content[:place] + bytes([content[place] ^ 1 << place % 7]) + content[place + 1 :]
        for damaged in (flipped, content[:place]):
            (tmp_path / LAST).write_bytes(damaged)
            with pytest.raises(CheckpointError, match=LAST):
                read_snapshot(tmp_path)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_any_call_that_fails_leaves_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    before = written(tmp_path, 0, 1)

    def save(disk: Disk) -> None:
        fill(tmp_path, before)
        try:
            write_snapshot(tmp_path, TREES[2])
        except DataError as failure:
            assert str(failure).startswith(f"cannot write {tmp_path}/checkpoint")
            assert os.strerror(error) in str(failure)
            assert number_of(read_snapshot(tmp_path)[0]) == 1
        else:
            assert number_of(read_snapshot(tmp_path)[0]) == 2
        assert read_snapshot(tmp_path)[1] is None
        assert sorted(os.listdir(tmp_path)) == [PREVIOUS, LAST]

    assert failing_disks(monkeypatch, error, save) >= 8


@pytest.mark.parametrize("never", [(), ("link",)], ids=["links", "no links"])
@pytest.mark.parametrize("numbers", [(), (0,), (0, 1)])
def test_power_may_fail_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...], never: tuple[str, ...]
) -> None:
    before = written(tmp_path, *numbers)
    monkeypatch.setattr(atomic, "os", disk := Disk(error=errno.EPERM, never=never))
    write_snapshot(tmp_path, TREES[2])
    monkeypatch.undo()
    whole = {*before.values(), (tmp_path / LAST).read_bytes()}
    seen = set()
    for state in after_power_loss(before, disk.calls):
        assert {content for name, content in state.items() if name[0] != "."} <= whole
        fill(tmp_path, state)
        if not numbers and LAST not in state:
            continue
        tree, note = read_snapshot(tmp_path)
        assert note is None
        seen.add(number_of(tree))
    assert seen == {*numbers[-1:], 2}


def test_a_model_file_and_power_that_may_fail_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {("weight",): np.ones((3, 2)), ("bias",): np.zeros(2)}
    card = ModelCard((3,), "float64")
    save_model(tmp_path / "m", Dense(2), arrays, card, {}, {})
    before = files_in(tmp_path)
    monkeypatch.setattr(atomic, "os", disk := Disk())
    save_model(tmp_path / "m", Dense(2), arrays | {("bias",): np.ones(2)}, card, {}, {})
    monkeypatch.undo()
    seen = set()
    for state in after_power_loss(before, disk.calls):
        fill(tmp_path, state)
        seen.add(float(load_model(tmp_path / "m").params["bias"][0]))
    assert seen == {0.0, 1.0}


WRITER = """
import sys
from pathlib import Path
import numpy as np
from portanet.storage.snapshot import write_snapshot
number = 0
while True:
    write_snapshot(Path(sys.argv[1]), {"number": number, "state": np.full(50_000, number)})
    number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("wait", [0.0, 0.013, 0.031])
def test_a_process_may_be_killed_at_any_time(tmp_path: Path, wait: float) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], env=environment, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        for _ in range(3):
            told = int(run.stdout.readline())
        time.sleep(wait)
        run.send_signal(signal.SIGKILL)
        told = max(told, *map(int, run.stdout.read().split()), 0)
    tree, note = read_snapshot(tmp_path)
    assert note is None
    assert tree["number"] >= told - 1
    assert np.array_equal(tree["state"], np.full(50_000, tree["number"]))
    write_snapshot(tmp_path, {})
    assert sorted(os.listdir(tmp_path)) == [PREVIOUS, LAST]


def test_models_and_snapshots_are_not_mixed_up(tmp_path: Path) -> None:
    written(tmp_path, 0)
    with pytest.raises(CheckpointError, match="not a model"):
        portanet.load(tmp_path / LAST)
    save_model(tmp_path / LAST, Dense(2), {}, ModelCard((3,)), {}, {})
    with pytest.raises(CheckpointError, match=r"no run to resume: 'tree'"):
        read_snapshot(tmp_path)


@pytest.mark.parametrize(
    "tree",
    [
        None,
        7,
        "x",
        [],
        {"$float": "nan"},
        {"$array": "/a"},
        {"a": {"$array": "/b"}},
        {"a": {"$array": ["/a"]}},
        {"a": {"$float": "one"}},
        {"a": {"$float": {}}},
    ],
)
def test_trees_that_cannot_be(tmp_path: Path, tree: Any) -> None:
    """Files whose checksum is right, and whose content is not."""
    atomic.write(tmp_path / LAST, safetensors_file.encoded({"tree": tree}, {"/a": np.zeros(2)}))
    message = "no run to resume, but a ndarray" if tree == {"$array": "/a"} else "no run to resume"
    with pytest.raises(CheckpointError, match=message) as caught:
        read_snapshot(tmp_path)
    assert "\n" not in str(caught.value)


def test_any_reader_reads_the_arrays(tmp_path: Path) -> None:
    write_snapshot(tmp_path, {"optimizer": {"mean": np.ones(3)}, "parts": [np.zeros(2)]})
    arrays = safetensors.numpy.load_file(tmp_path / LAST)
    assert sorted(arrays) == ["/optimizer/mean", "/parts/0"]
    with safetensors.safe_open(tmp_path / LAST, "numpy") as file:
        assert json.loads(file.metadata()["portanet"])["tree"]["optimizer"] == {"mean": {"$array": "/optimizer/mean"}}
