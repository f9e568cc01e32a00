"""Two runs that want one folder: one gets it, and the other leaves it alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from console import Call

from portanet.storage import lock
from portanet.storage.run_folder import RunFolder


@pytest.mark.parametrize("resume", [[], ["--resume"]], ids=["new", "resumed"])
def test_the_folder_of_a_run_that_has_written_nothing_yet(cli: Call, place: Path, resume: list[str]) -> None:
    with RunFolder.create(place / "race", "mlp").locked():
        found = cli("train", "flowers.csv", "--epochs", 1, "--out", "race", *resume)
        assert found.code == 1
        assert "in use" in found.err
        assert os.listdir("race") == [".lock"]


def test_a_run_that_ended_between_the_look_and_the_lock(
    cli: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder was empty when the second run looked, and holds a finished run when it gets the lock."""
    acquire = lock.acquire

    def late(path: Path) -> tuple[int, str | None]:
        (place / "race" / "model.safetensors").write_bytes(b"of the other run")
        return acquire(path)

    monkeypatch.setattr(lock, "acquire", late)
    found = cli("train", "flowers.csv", "--epochs", 1, "--out", "race")
    assert found.code == 1
    assert "race is not empty" in found.err
    assert os.listdir("race") == ["model.safetensors"]
    assert Path("race/model.safetensors").read_bytes() == b"of the other run"
