"""The parts of portanet.mpi that work without MPI: dealing shards, packing arrays, launchers, messages."""

from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from portanet import ConfigError, nn
from portanet.cli import main
from portanet.mpi import launcher
from portanet.mpi.notices import WAITING, verdict
from portanet.mpi.parcel import Parcel, form_of
from portanet.mpi.ranks import Ranks, as_ranks
from portanet.mpi.team import deal
from portanet.training.fit import fit

VARIABLES = (*launcher._SIZES, *launcher._RANKS)


@pytest.mark.parametrize(("count", "ranks"), [*itertools.product([1, 2, 7, 8, 100], [1, 2, 3, 8])])
def test_parts_are_dealt_evenly_in_order(count: int, ranks: int) -> None:
    dealt = deal(range(5, 5 + count), ranks)
    assert [number for part in dealt for number in part] == list(range(5, 5 + count))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert len(dealt[0]) >= 1


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("length", [1, 64, 1000])
def test_a_parcel_reads_back_the_arrays_written_to_it(length: int, ranks: int) -> None:
    """Two shards in one rank's outbox, as they arrive at each rank."""
    rng = np.random.default_rng(0)
    shards = [
        [rng.normal(size=length).astype(np.float32), np.asarray(rng.normal()), rng.integers(0, 9, 3).astype(np.int32)]
        for _ in range(2)
    ]
    parcel = Parcel(form_of(shards[0]), ranks)
    buffer, parts = parcel.outbox(2)
    for index, arrays in enumerate(shards):
        parcel.write(parts, index, arrays)
    assert buffer.nbytes == 2 * sum(map(parcel.width, range(ranks)))
    for index, (vector, *small) in enumerate(shards):
        received = [parcel.read(part[index]) for part in parts]
        assert np.concatenate([each[0] for each in received]).tobytes() == vector.tobytes()
        for each in received:
            assert [(a.dtype, a.shape, a.tobytes()) for a in each[1:]] == [
                (a.dtype, a.shape, a.tobytes()) for a in small
            ]


def place(rank: int) -> str:
    return f"rank {rank} (process {100 + rank} on node)"


@pytest.mark.parametrize(
    ("notices", "speaker", "facts"),
    [
        ({0: WAITING, 1: "no disk", 2: WAITING}, 1, ["rank 1 (process 101 on node) failed", "no disk"]),
        ({1: "no disk", 2: "no disk"}, 1, ["rank 1 ", "no disk"]),
        ({1: "no disk", 2: "no memory"}, 1, ["rank 1 ", "no disk", "rank 2 ", "no memory"]),
        ({0: WAITING, 2: WAITING}, 0, ["rank 1 (process 101 on node)", "30 s", "timeout=60"]),
        ({2: WAITING}, 2, ["rank 0 ", "rank 1 ", "30 s"]),
        ({0: WAITING, 1: WAITING, 2: WAITING}, 0, ["all 3 ranks", "30 s"]),
    ],
)
def test_one_rank_says_why_all_end(notices: dict[int, str], speaker: int, facts: list[str]) -> None:
    rank, text = verdict(notices, 3, 30.0, place)
    assert rank == speaker
    assert all(fact in text for fact in facts), text
    assert text.count("no disk") <= 1


@pytest.fixture
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "size", "follows"),
    [
        ({}, 1, False),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, 1, False),
        ({"PMI_SIZE": "4", "PMI_RANK": "0"}, 4, False),
        ({"PMI_SIZE": "4", "PMI_RANK": "3"}, 4, True),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, 2, True),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, 8, True),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 1, False),
        ({"PMI_SIZE": "many"}, 1, False),
    ],
)
def test_size_and_rank_come_from_the_launchers_variables(
    variables: dict[str, str], size: int, follows: bool, no_launcher: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        no_launcher.setenv(name, value)
    assert (launcher.size(), launcher.follows()) == (size, follows)


def test_without_mpi4py_several_processes_are_refused(
    no_launcher: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_launcher.setenv("OMPI_COMM_WORLD_SIZE", "2")
    no_launcher.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(SystemExit) as stop:
        main(["train"])
    assert stop.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert all(fact in line for fact in ("mpi4py", "portanet[mpi]", "mpich"))


def test_a_launcher_of_another_mpi_is_refused(no_launcher: pytest.MonkeyPatch) -> None:
    no_launcher.setenv("PMI_SIZE", "4")
    world = SimpleNamespace(Get_size=lambda: 1)
    no_launcher.setattr(
        launcher, "mpi", lambda: SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Open MPI v5\nmore")
    )
    with pytest.raises(ConfigError, match=r"4 processes.*sees 1.*Open MPI v5,.*mpiexec"):
        launcher.world()


@pytest.mark.parametrize("communicator", [True, 4, "world", SimpleNamespace()])
def test_other_objects_as_communicator_are_refused(communicator: Any) -> None:
    with pytest.raises(ConfigError, match=r"communicator=MPI\.COMM_WORLD"):
        fit(nn.Dense(2), np.ones((4, 2)), [0, 1, 0, 1], communicator=communicator)


COMMUNICATOR = SimpleNamespace(Ialltoallv=None, Get_rank=lambda: 0, Get_size=lambda: 1)


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({"reduce": "ordered"}, ["reduce", "'exact' or 'fast'", "'ordered'"]),
        ({"timeout": 0}, ["timeout", "above 0", "got 0"]),
        ({"timeout": "10m"}, ["timeout", "seconds", "'10m'"]),
        ({"timeout": True}, ["timeout", "True"]),
    ],
)
def test_invalid_settings_of_ranks_are_refused(settings: dict[str, Any], facts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        Ranks(COMMUNICATOR, **settings)
    assert all(fact in str(error.value) for fact in facts), error.value


def test_one_rank_trains_alone() -> None:
    assert as_ranks(None) is None
    assert as_ranks(COMMUNICATOR) is None
    assert as_ranks(Ranks(COMMUNICATOR)) is None
