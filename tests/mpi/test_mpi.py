"""Many processes on a real MPI: the bits of one process, and all end where one fails."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ranked

pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'portanet[mpi]' mpich")
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
if MPIEXEC is None:
    pytest.skip("there is no mpiexec: pip install mpich", allow_module_level=True)

SCRIPT = Path(ranked.__file__)
CSV = "flowers.csv"
TRAIN = ["train", CSV, "--preset", "mlp", "--hidden", "8", "--epochs", "3", "--batch-size", "32", "--accumulate", "5",
         "--backend", "numpy"]  # fmt: skip


def launch(size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments on `size` ranks."""
    command = [str(MPIEXEC), "-n", str(size), sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def results(size: int, name: str, folder: Path) -> list[dict[str, Any]]:
    """The result of a function of ranked.py on each rank."""
    done = launch(size, SCRIPT, name, folder)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of the same runs in this process."""
    folder = tmp_path_factory.mktemp("alone")
    full = ranked.digest(ranked.full_batch(folder), folder)
    usual = ranked.digest(ranked.train(), folder)
    return {
        "settings": usual, "untraced": usual, "threads": usual,
        "strict": ranked.digest(ranked.train(**ranked.FEW), folder),
        "one shard": ranked.digest(ranked.train(accumulate=1, **ranked.FEW), folder),
        "full batch": full, "many exchanges": full,
        "fast": np.asarray(ranked.train(**ranked.FEW).params["1"]["weight"]),
    }  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_any_number_of_ranks_gives_the_bits_of_one_process(alone: dict[str, Any], size: int, tmp_path: Path) -> None:
    """Model file and history, with dropout, validation and a short last batch of fewer shards than ranks."""
    for rank in results(size, "laws", tmp_path):
        np.testing.assert_allclose(rank.pop("fast"), alone["fast"], rtol=1e-4, atol=1e-6)
        assert rank == {name: value for name, value in alone.items() if name != "fast"}


def test_impossible_runs_are_refused_on_every_rank(tmp_path: Path) -> None:
    first, second, third = results(3, "refusals", tmp_path)
    said = first.pop("said")
    assert second.pop("said") == third.pop("said") == []
    assert first == second == third
    assert first["diverges"] == ranked.message(ranked.diverging)
    facts = {
        "not rowwise": ["ModelError", "BatchNorm", "LayerNorm"],
        "data": ["ConfigError", "rank 1", "process", "other rows or labels"],
        "settings": ["ConfigError", "rank 1", "seed 1, not 0"],
        "backend": ["ConfigError", "rank 1", "'strict', not 'numpy'"],
        "reduce": ["ConfigError", "rank 1", "'fast', not 'exact'"],
        "version": ["ConfigError", "rank 1", "numpy '1.0'"],
        "all fail": ["DataError", "5"],
        "diverges": ["DivergenceError", "step"],
        "weights": ["BackendError", "rank 1", "other weights", "step 3"],
    }
    for name, words in facts.items():
        assert all(word in first[name] for word in words), first[name]
    [line] = said
    assert "one shard, so 2 of 3 ranks are idle" in line


def test_a_stop_on_one_rank_stops_all_and_any_number_resumes(alone: dict[str, Any], tmp_path: Path) -> None:
    stopped = results(3, "interrupted", tmp_path)
    assert stopped == [{"stopped": "interrupted", "steps": stopped[0]["steps"]}] * 3
    assert 4 <= stopped[0]["steps"] < 9
    assert [rank["run"] for rank in results(2, "resumed", tmp_path)] == [alone["settings"]] * 2


def test_each_rank_reads_its_own_rows_of_a_memory_map(tmp_path: Path) -> None:
    first, second = results(2, "reading", tmp_path)[0]["rows"]
    for rows, others in zip(first, second, strict=True):
        assert not set(rows) & set(others)
        assert len({*rows, *others}) == len(ranked.X)
        assert abs(len(rows) - len(others)) < len(ranked.X) / 4


def test_an_error_on_one_rank_ends_all_with_its_message(tmp_path: Path) -> None:
    done = launch(3, SCRIPT, "fails", tmp_path)
    assert done.returncode == 1
    assert len(re.findall("only here", done.stderr)) == 1
    assert re.search(r"rank 2 \(process \d+ on .+\) failed", done.stderr)


def test_a_rank_that_hangs_is_named_and_ends_all(tmp_path: Path) -> None:
    done = launch(3, SCRIPT, "hangs", tmp_path)
    assert done.returncode == 1
    assert re.search(r"rank 2 \(process \d+ on .+\) did not answer for 2 s", done.stderr)
    assert "rank 0 (" not in done.stderr
    assert "rank 1 (" not in done.stderr


@pytest.fixture
def flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [[*row, "yes" if label else "no"] for row, label in zip(ranked.X.tolist(), ranked.LABELS, strict=True)]
    lines = [",".join(map(str, row)) for row in [["a", "b", "c", "d", "e", "f", "label"], *rows]]
    (tmp_path / CSV).write_text("\n".join([*lines, ""]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_saves_at_sigterm_and_resumes_to_the_same_bytes(flowers: Path) -> None:
    """SIGTERM reaches one rank alone; only rank 0 prints."""
    done = launch(2, SCRIPT, "terminated", *TRAIN, "--out", "two")
    assert done.returncode == 143, done.stderr
    assert done.stderr.count("interrupted, and saved") == 1
    assert re.search(r"2 ranks: processes \d+ \d+ on", done.stderr)
    resumed = launch(3, "-m", "portanet", *TRAIN, "--out", "two", "--resume", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    full = launch(2, "-m", "portanet", *TRAIN, "--out", "full", "--json")
    assert full.returncode == 0, full.stderr
    assert json.loads(full.stdout)["run"] == "full"
    assert len(re.findall(r"epoch \d/3 .* rows/s", full.stderr)) == 3
    files = [hashlib.sha256((flowers / run / "model.safetensors").read_bytes()).hexdigest() for run in ("two", "full")]
    assert files[0] == files[1]
