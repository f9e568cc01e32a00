"""The machine: free memory, cores and BLAS libraries."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portanet import _cgroup

_UNKNOWN = 2**32  # where the system does not say


def available() -> int:
    """Bytes that new arrays may take: what the system counts as available, within the limit of a container."""
    sizes = [size for size in (_free(), _cgroup.memory_limit()) if size is not None]
    return min(sizes, default=_UNKNOWN)


def _free() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return None


class _OneThread:
    """The BLAS on one thread while any thread uses it so; then on as many as before."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limiter: Any = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                _let_any_thread_limit()
                self._limiter = blas().limit(limits=1, user_api="blas")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    _let_any_thread_limit()
                    self._limiter.restore_original_limits()


one_blas_thread = _OneThread()


def _let_any_thread_limit() -> None:
    """Make the next limit work: threadpoolctl 3.8 does nothing in any thread but the first one that set a limit."""
    for library in blas().lib_controllers:
        getattr(library, "clear_controlling_thread", lambda force: None)(force=True)


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> tuple[int, str]:
    """How many threads to compute with, and why: the least of the cores, the container's quota and OMP_NUM_THREADS."""
    limits = [(cores(), "the cores that this process may run on")]
    if (quota := _cgroup.cpu_quota()) is not None:
        limits.append((math.ceil(quota), f"the container's quota of {quota:.3g} cores"))
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # "4,2": 2 for nested ones
    if asked.isascii() and asked.isdecimal() and int(asked[:9]) > 0:
        limits.append((int(asked[:9]), "OMP_NUM_THREADS"))
    return min(limits, key=lambda pair: pair[0])


@functools.cache
def blas() -> Any:
    """The BLAS libraries in this process, as threadpoolctl finds them; cached, since looking takes milliseconds."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
