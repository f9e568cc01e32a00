"""The configuration file: the options of `train` by name, and tables for settings of several values."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import click

from portanet.errors import ConfigError, DataError
from portanet.storage.small_file import read_small

_LIMIT = 1_000_000  # bytes
_DEEP = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}"""
)  # keys a.a.a..., which take quadratic memory

PATH = "portanet.config"  # the key of the file's path, to repeat the command

# Settings of several values, and the separator of these in an option.
_LISTS = {"class_weight": ",", "classes": ",", "freeze": ",", "hidden": ",", "image": "x"}

# Options about output, which are neither in a file nor in the command that repeats a run.
NOT_SETTINGS = (
    "print_config", "out", "json", "quiet", "debug", "resume", "no_trace", "time_limit", "help",
    "reduce", "rank_timeout",
)  # fmt: skip


def name_of(option: click.Parameter) -> str:
    """The name of an option in a file."""
    return option.opts[-1].lstrip("-").replace("-", "_")


def keys(command: click.Command) -> dict[str, str]:
    """The single-valued settings: the name in a file, and the command's parameter."""
    found = {}
    for option in command.params:
        if name_of(option) not in (*NOT_SETTINGS, "config"):
            found[name_of(option)] = str(option.name)
    return found


def take(context: click.Context, parameter: click.Parameter, path: Path | None) -> dict[str, Any]:
    """The file's tables; its single values become the defaults of the options, so that options override them.

    Raises ConfigError for a file that cannot be read, and for an unknown key.
    """
    if path is None:
        return {}
    context.meta[PATH] = path
    from portanet.training.spec import TABLES

    known, tables, defaults = keys(context.command), {}, {}
    for key, value in _read(path).items():
        if key in TABLES and (isinstance(value, (dict, list)) or key not in known):
            tables[key] = value
        elif key in known:
            defaults[known[key]] = _word(path, key, value)
        else:
            names = sorted({*known, *TABLES})
            close = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}."
            raise ConfigError(f"{path} has an unknown key {brief(key)}; {hint}")
    context.default_map = {**(context.default_map or {}), **defaults}
    return tables


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_small(path, _LIMIT).decode("utf-8")
        if _DEEP.search(content):
            raise RecursionError
        return tomllib.loads(content)
    except DataError as error:
        raise ConfigError(str(error)) from error
    except FileNotFoundError as error:
        raise ConfigError(f"the configuration file {path} does not exist.") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deep for a configuration.") from None
    except ValueError as error:  # from tomllib, or from int for a number of too many digits
        raise ConfigError(f"{path} is not TOML: {str(error).rstrip('.')}.") from error


def _word(path: Path, key: str, value: Any) -> Any:
    """A value in the form of an option, which then validates it."""
    if key in _LISTS and isinstance(value, list) and all(isinstance(entry, (str, int)) for entry in value):
        return _LISTS[key].join(map(str, value))
    if key == "class_weight" and isinstance(value, dict):
        value = ",".join(f"{name}={weight}" for name, weight in value.items())
    if key == "label":
        return _names(path, value)
    if key == "column" and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return value
    if key in ("calibrate", "coerce") and isinstance(value, bool):
        return value
    if isinstance(value, (dict, list, bool)) or value == "":
        raise ConfigError(f"{path}: {key} must be a word or a number, got {brief(value)}.")
    return str(value)


def _names(path: Path, value: Any) -> list[str]:
    """One column name, or several; column indices if the table has no header."""
    names = value if isinstance(value, list) else [value]
    if not names or not all(type(name) in (str, int) and name != "" for name in names):
        raise ConfigError(f"{path}: label must be a word or a number, or a list of them, got {brief(value)}.")
    return list(map(str, names))


def typed(name: str, value: Any) -> str:
    """The value of an option as it is typed."""
    return _LISTS[name].join(map(str, value)) if isinstance(value, tuple) else str(value)


def text(settings: dict[str, Any]) -> str:
    """Settings as a TOML file; those that are None are left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(settings))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(entry) for entry in value]
    return value
