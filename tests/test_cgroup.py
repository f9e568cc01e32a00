"""The processor time and the memory of a container, read from made-up control groups of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

import portanet
from portanet import _cgroup, _machine

V2 = "0::/user.slice/job.scope\n"
V1 = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n"


def made(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A root of control groups with these files, and the file that names those of the process."""
    for name, content in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "own").write_text(own)
    return folder / "cgroup", folder / "own"


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        (V2, {"user.slice/job.scope/cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"user.slice/job.scope/cpu.max": "max 100000\n"}, None),
        (V2, {"user.slice/job.scope/cpu.max": "400000 100000\n", "user.slice/cpu.max": "200000 100000\n"}, 2.0),
        (V2, {"user.slice/job.scope/cpu.max": "max 100000\n", "cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "300000 100000\n"}, 3.0),  # a namespace of its own
        ("0::/kubepods/pod1/of/the/host\n", {"cpu.max": "300000 100000\n"}, 3.0),  # none, but the mount is its own
        ("0::/../elsewhere\n", {"cpu.max": "300000 100000\n"}, 3.0),
        (V1, {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "250000",
              "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000"}, 2.5),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "25000", "cpu/docker/abc/cpu.cfs_period_us": "50000"}, 0.5),
        (V1, {"cpu/docker/cpu.cfs_quota_us": "100000", "cpu/docker/cpu.cfs_period_us": "100000",
              "cpu/docker/abc/cpu.cfs_quota_us": "-1", "cpu/docker/abc/cpu.cfs_period_us": "100000"}, 1.0),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "0"}, None),
        ("3:cpuset:/\n", {"cpuset/cpu.max": "100000 100000"}, None),
        (V2, {"cpu.max": "nonsense\n"}, None),
        (V2, {"cpu.max": ""}, None),
        ("", {"cpu.max": "100000 100000\n"}, None),
        ("not of this form\n", {}, None),
    ],
)  # fmt: skip
def test_quotas(tmp_path: Path, own: str, files: dict[str, str], quota: float | None) -> None:
    assert _cgroup.cpu_quota(*made(tmp_path, own, files)) == quota


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        (V2, {"user.slice/job.scope/memory.max": "max\n", "user.slice/memory.max": "4096\n"}, 4096),
        (V2, {"user.slice/job.scope/memory.max": "max\n"}, None),
        (V1, {"memory/docker/abc/memory.limit_in_bytes": "8192\n"}, 8192),
        (V1, {}, None),
    ],
)
def test_memory(tmp_path: Path, own: str, files: dict[str, str], limit: int | None) -> None:
    assert _cgroup.memory_limit(*made(tmp_path, own, files)) == limit


def test_without_control_groups(tmp_path: Path) -> None:
    assert _cgroup.cpu_quota(tmp_path / "none", tmp_path / "nothing") is None
    assert _cgroup.memory_limit(tmp_path / "none", tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("quota", "asked", "number", "why"),
    [
        (None, None, 8, "cores"), (1.5, None, 2, "quota of 1.5"), (0.2, None, 1, "quota of 0.2"),
        (12.0, None, 8, "cores"),
        (None, "3", 3, "OMP_NUM_THREADS"), (None, " 4,2", 4, "OMP_NUM_THREADS"), (2.0, "3", 2, "quota"),
        (4.0, "3", 3, "OMP_NUM_THREADS"), (None, "64", 8, "cores"), (None, "0", 8, "cores"), (None, "many", 8, "cores"),
        (None, "", 8, "cores"), (None, "-2", 8, "cores"), (None, "9" * 5000, 8, "cores"), (None, "٣", 8, "cores"),
    ],
)  # fmt: skip
def test_the_least_decides(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, asked: str | None, number: int, why: str
) -> None:
    monkeypatch.setattr(_machine, "cores", lambda: 8)
    monkeypatch.setattr(_cgroup, "cpu_quota", lambda: quota)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    found, reason = _machine.threads()
    assert found == number
    assert why in reason
    assert portanet.choose("numpy").threads() == number
    assert portanet.choose("numpy").threads(5) == 5
