"""RunRecord: the content of run.json and history.jsonl."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from portanet.errors import DataError
from portanet.storage import atomic
from portanet.storage.fold_folder import name_a_fold
from portanet.storage.small_file import read_small

Object = dict[str, Any]

_LIMIT = 2**28  # bytes per file: about a million rows of history


@dataclass(frozen=True)
class RunRecord:
    """The record of a run. Every key is optional, so an interrupted run has a record too.

    command  the command line that repeats the run
    result   the scores, the number of steps and the seconds of the run
    spec     the settings, from TrainingSpec.to_dict
    places   the data sources, the backend and the like, in the form of the command line
    layers   each layer with its output shape and number of parameters
    history  the rows of history.jsonl
    """

    name: str
    preset: str | None = None
    command: str | None = None
    started: str | None = None
    result: Object = field(default_factory=dict)
    spec: Object = field(default_factory=dict)
    places: Object = field(default_factory=dict)
    data: Object = field(default_factory=dict)
    versions: Object = field(default_factory=dict)
    host: Object = field(default_factory=dict)
    layers: list[Object] = field(default_factory=list)
    history: list[Object] = field(default_factory=list)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json; the history is in a separate file."""
    content = {"run": record.name} | asdict(record)
    del content["name"], content["history"]
    atomic.write(folder / "run.json", json.dumps(content, indent=2) + "\n")


def read_record(folder: Path) -> RunRecord:
    """Read the record in `folder`; raises DataError that names the unreadable file and line."""
    path = folder / "run.json"
    run = _object(path, _text(path))
    return RunRecord(
        name=str(run.get("run") or folder.resolve().name),
        preset=_word(run, "preset"),
        command=_word(run, "command"),
        started=_word(run, "started"),
        result=_section(path, run, "result"),
        spec=_section(path, run, "spec"),
        places=_section(path, run, "places"),
        data=_section(path, run, "data"),
        versions=_section(path, run, "versions"),
        host=_section(path, run, "host"),
        layers=_layers(path, run),
        history=_history(folder / "history.jsonl"),
    )


def has_ended(folder: Path) -> bool:
    """Whether the run in `folder` has a record, and did not end at its time limit."""
    path = folder / "run.json"
    try:
        return _section(path, _object(path, _text(path)), "result").get("stopped") != "time limit"
    except DataError:
        return path.exists()


def _text(path: Path) -> str:
    try:
        return read_small(path, _LIMIT).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        remedy = name_a_fold(path.parent) or "name the folder of a run"
        raise DataError(f"{path} is missing; {remedy}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}.") from None


def _history(path: Path) -> list[Object]:
    # Not splitlines(): JSON strings may contain U+2028 and the like unescaped.
    lines = enumerate(_text(path).split("\n"), start=1)
    return [_object(path, line, first_line=number) for number, line in lines if line.strip()]


def _object(path: Path, text: str, first_line: int = 1) -> Object:
    try:
        value = json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {first_line + error.lineno - 1}: not JSON ({error.msg}).") from None
    except (RecursionError, ValueError):
        raise DataError(f"{path}, line {first_line}: not JSON that can be read.") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}, line {first_line}: expected a JSON object, got {type(value).__name__}.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 300:
        raise ValueError("larger than any float")
    return int(digits)


def _word(run: Object, key: str) -> str | None:
    return None if run.get(key) is None else str(run[key])


def _section(path: Path, run: Object, key: str) -> Object:
    value = run.get(key) or {}
    if not isinstance(value, dict):
        raise DataError(f'{path}: "{key}" must be a JSON object, got {type(value).__name__}.')
    return value


def _layers(path: Path, run: Object) -> list[Object]:
    value = run.get("layers") or []
    if not isinstance(value, list) or not all(isinstance(layer, dict) for layer in value):
        raise DataError(f'{path}: "layers" must be a list of JSON objects.')
    return value
