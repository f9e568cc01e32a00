"""The machine: free memory, cores and BLAS libraries."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Any

_UNKNOWN = 2**32  # where the system does not say


def available() -> int:
    """Bytes that new arrays may take: what the system counts as available, within the limit of a container."""
    found = [size for size in (_free(), _limit()) if size is not None]
    return min(found, default=_UNKNOWN)


def _free() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return None


def _limit() -> int | None:
    """The limit of the container; None where there is none."""
    with contextlib.suppress(OSError, ValueError):  # without a limit the file says "max"
        return int(Path("/sys/fs/cgroup/memory.max").read_text())
    return None


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def blas() -> Any:
    """What threadpoolctl knows of the BLAS libraries in this process; looking takes milliseconds, so once."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
