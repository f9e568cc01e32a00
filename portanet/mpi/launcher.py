"""The launcher of many processes, mpiexec or srun, told by its variables; and MPI itself, imported here alone."""

from __future__ import annotations

import os
from typing import Any

from portanet.errors import ConfigError

# Of MPICH, Intel MPI and Slurm's pmi2; Open MPI; MVAPICH; Slurm with PMIx or without an MPI: for the tasks of a step.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")


def size() -> int:
    """Return how many processes the launcher has started; 1 without a launcher."""
    return max(1, _first(_SIZES))


def follows() -> bool:
    """Whether this process is another than the first of several."""
    return size() > 1 and _first(_RANKS) > 0


def _first(names: tuple[str, ...]) -> int:
    given = (os.environ.get(name, "") for name in names)
    return next((int(number) for number in given if number.isascii() and number.isdecimal()), 0)


def mpi() -> Any:
    """Return the module mpi4py.MPI, which starts MPI. ConfigError where it is missing, or finds no MPI."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ConfigError(
            f"several processes need mpi4py, which cannot be imported ({error})",
            remedy="pip install 'portanet[mpi]'; without an MPI of the site also pip install mpich",
        ) from error
    except RuntimeError as error:  # the wheel of mpi4py found no library
        [line, *_] = str(error).splitlines() or ["no reason given"]
        raise ConfigError(
            f"mpi4py finds no MPI ({line})", remedy="load the site's module, or pip install mpich"
        ) from error
    return MPI


def world() -> Any:
    """Return the communicator of all the launcher's processes; ConfigError where mpi4py has another MPI than it."""
    library = mpi()
    communicator = library.COMM_WORLD
    if communicator.Get_size() != size():
        name = library.Get_library_version().partition("\n")[0].strip("\0 ")
        raise ConfigError(
            f"the launcher has started {size()} processes, and mpi4py sees {communicator.Get_size()}: it uses {name}, "
            "and the launcher is that of another MPI",
            remedy="start with the mpiexec of mpi4py's MPI, or build mpi4py for the site's: "
            "pip install --no-binary mpi4py mpi4py",
        )
    return communicator
