"""Inputs that fuzzing has found, and what it starts from, held to its rule: an object, or a PortanetError, soon.

`nox -s fuzz` makes up inputs. One that breaks the rule is put here, under its reader, with what was wrong.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from portanet.errors import PortanetError
from portanet.nn import LAYERS, LOSSES
from portanet.optim import OPTIMIZERS, SCHEDULES
from portanet.training.callbacks import CALLBACKS

SCRIPT = Path(__file__).parent.parent / "scripts/fuzz.py"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


fuzz = script()

FOUND: dict[str, list[bytes]] = {name: [] for name in fuzz.READERS}


def test_every_setting_of_everything_that_a_file_may_name(tmp_path: Path) -> None:
    """Each in turn of a third of the odd kinds: a plan, or an error of one line. The fuzzer takes all."""
    hold, seen = fuzz.held(fuzz.READERS["config"], tmp_path), set()
    for number in range(len(LAYERS)):
        for place, (holder, key) in enumerate(fuzz.places(fuzz.every_table(number))):
            if (setting := f"{key} {holder[key]} of {_type(holder)}") not in seen:
                for odd in range(place % 3, len(fuzz.ODD), 3):
                    hold(bytes([0, number, place, odd]))
            seen.add(setting)
    named = {name for setting in seen for name in re.findall(r"'type': '(\w+)'", setting)}
    tables = (LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, CALLBACKS)
    assert named >= {name for known in tables for name, made in known.items() if isinstance(made, type)}


def _type(holder: Any) -> str:
    return str(holder.get("type")) if isinstance(holder, dict) else "a list"


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found(tmp_path: Path, name: str) -> None:
    for content in FOUND[name]:
        fuzz.held(fuzz.READERS[name], tmp_path)(content)


@pytest.mark.parametrize("name", fuzz.READERS)
def test_what_it_starts_from(tmp_path: Path, name: str) -> None:
    """Valid files, which the readers take; cut short anywhere they are held to the rule."""
    for content in fuzz.seeds()[name]:
        fuzz.READERS[name](content, tmp_path)
        for end in range(0, len(content), 1 + len(content) // 20):
            fuzz.held(fuzz.READERS[name], tmp_path)(content[:end])


@pytest.mark.parametrize("name", fuzz.refused())
def test_what_is_not_valid_that_it_starts_from(tmp_path: Path, name: str) -> None:
    for content in fuzz.refused()[name]:
        with pytest.raises(PortanetError):
            fuzz.READERS[name](content, tmp_path)
        fuzz.held(fuzz.READERS[name], tmp_path)(content)


def test_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(error: Exception) -> Any:
        def read(content: bytes, folder: Path) -> None:
            raise error

        return read

    fuzz.held(reader(PortanetError("no such column")), tmp_path)(b"")
    for error in (ValueError("of another kind"), PortanetError("two\nlines"), PortanetError("long" * 1000)):
        with pytest.raises((ValueError, AssertionError)):
            fuzz.held(reader(error), tmp_path)(b"")
    monkeypatch.setattr(fuzz, "SECONDS", 0)
    with pytest.raises(AssertionError, match=" s"):
        fuzz.held(lambda content, folder: None, tmp_path)(b"")
