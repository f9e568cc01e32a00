"""The machine: free memory, cores and BLAS libraries."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
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


class _OneThread:
    """The BLAS on one thread for as long as anybody uses it so, in any thread; then on as many as before."""

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
    """Make the next limit work: threadpoolctl 3.8 does nothing in any thread but the one that had set one."""
    for library in blas().lib_controllers:
        getattr(library, "clear_controlling_thread", lambda force: None)(force=True)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def blas() -> Any:
    """What threadpoolctl knows of the BLAS libraries in this process; looking takes milliseconds, so once."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
