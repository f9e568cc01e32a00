"""The command line called in this process, in a folder of small files with two trained models."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from console import Answer, Call, write_files

from portanet.cli import main


@pytest.fixture(scope="session")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, a table's model in `flowers` and an image model in `digits`, made once."""
    folder = tmp_path_factory.mktemp("cli")
    write_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, preset in (("flowers", "mlp"), ("digits", "classic")):
            with pytest.raises(SystemExit) as stop:
                main(["train", f"{name}.csv", "--preset", preset, "--backend", "numpy", "--out", name, "--quiet"])
            assert stop.value.code == 0
    broken = bytearray((folder / "flowers/model.safetensors").read_bytes())
    (folder / "cut.safetensors").write_bytes(broken[:300])
    broken[-5] ^= 1
    (folder / "flipped.safetensors").write_bytes(broken)
    return folder


@pytest.fixture
def place(_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files and models, and the current folder."""
    shutil.copytree(_store, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(place: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """`cli("train", "flowers.csv", "--json")` in `place`."""

    def call(*arguments: object) -> Answer:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        code = stop.value.code
        assert isinstance(code, int)
        return Answer(code, *capsys.readouterr())

    return call
