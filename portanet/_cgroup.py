"""Container limits: processor time and memory, as the kernel's control groups set them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cpu_quota(root: Path = ROOT, own: Path = OWN) -> float | None:
    """How many cores' time this process and its group may take; None without a limit.

    root  where the control groups are mounted, version 1 or 2
    own   the file that names the groups of this process
    """
    quotas = []
    for folder in _groups("cpu", root, own):
        words = _words(folder / "cpu.max") or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        with contextlib.suppress(ValueError):  # "max" means unlimited, as does -1 in version 1
            quota, period = map(int, words)
            if quota > 0 and period > 0:
                quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit(root: Path = ROOT, own: Path = OWN) -> int | None:
    """How many bytes this process and its group may take; None without a limit."""
    limits = []
    for folder in _groups("memory", root, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(ValueError):
                [limit] = map(int, _words(folder / name))
                limits.append(limit)
    return min(limits, default=None)


def _groups(controller: str, root: Path, own: Path) -> Iterator[Path]:
    """The folders of the groups that this process is in, and of those above them, up to the root.

    Inside a container the path may be that of the host, which is not there; then the root is the container's group.
    """
    for line in _lines(own):
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        for base in [root / names, root / controller] if names else [root]:
            inner = base / path.strip().lstrip("/")
            yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(base))


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").splitlines()
    return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()
