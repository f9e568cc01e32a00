"""The environment variables of MPI launchers (mpiexec, srun), and the only import of mpi4py."""

from __future__ import annotations

import os
from typing import Any

from portanet.errors import ConfigError

# Set by, in this order: MPICH, Intel MPI and Slurm's pmi2; Open MPI; MVAPICH; Slurm with PMIx or without MPI.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")


def size() -> int:
    """Return the number of processes that the launcher started; 1 without a launcher."""
    return max(1, _first(_SIZES))


def follows() -> bool:
    """Whether this is one of several processes, and not the first."""
    return size() > 1 and _first(_RANKS) > 0


def _first(names: tuple[str, ...]) -> int:
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.isascii() and value.isdecimal()), 0)


def mpi() -> Any:
    """Return the module mpi4py.MPI, whose import starts MPI. Raises ConfigError if it or an MPI library is missing."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ConfigError(
            f"several processes need mpi4py, which cannot be imported ({error})",
            remedy="pip install 'portanet[mpi]'; if the site has no MPI, also pip install mpich",
        ) from error
    except RuntimeError as error:  # mpi4py's wheel found no MPI library
        [line, *_] = str(error).splitlines() or ["no reason given"]
        raise ConfigError(
            f"mpi4py finds no MPI ({line})", remedy="load the site's module, or pip install mpich"
        ) from error
    return MPI


def world() -> Any:
    """Return the communicator of all processes. Raises ConfigError if mpi4py uses another MPI than the launcher."""
    library = mpi()
    communicator = library.COMM_WORLD
    if communicator.Get_size() != size():
        name = library.Get_library_version().partition("\n")[0].strip("\0 ")
        raise ConfigError(
            f"the launcher started {size()} processes, but mpi4py sees {communicator.Get_size()}: it uses {name}, "
            "and the launcher belongs to another MPI",
            remedy="use the mpiexec of mpi4py's MPI, or build mpi4py for the site's MPI: "
            "pip install --no-binary mpi4py mpi4py",
        )
    return communicator
