"""A library error tells its remedy in Python's terms, and the command line in its own."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import portanet
from portanet.cli.remedies import _ARGUMENT, FLAGS, with_flags

PACKAGE = Path(portanet.__file__).parent


@pytest.mark.parametrize(
    ("remedy", "told"),
    [
        ("", ""),
        ("save it as UTF-8", "save it as UTF-8"),
        ("give a size, such as batch_size=128", "give a size, such as --batch-size 128"),
        ("use accumulate=1, or LayerNorm", "use --accumulate 1, or LayerNorm"),
        ("name it with label=NAME.", "name it with --label NAME."),
        ("give valid=..., or more", "give --valid, or more"),
        ("leave out label='species'", "leave out --label species"),
        ('leave out label="it\'s"', "leave out --label 'it'\"'\"'s'"),
        (r"leave out label='\x1b[2J'", r"leave out --label '\x1b[2J'"),
        (r"leave out label='a\'b)'", "leave out --label 'a'\"'\"'b)'"),
        ("name their shape, as with image=(1, 28, 28), or more", "name their shape, as with --image 1x28x28, or more"),
        ("overwrite it with force=True", "overwrite it with --force"),
        ('use task="regress"', "use --task regress"),
        ("write nesterov=True and units=3", "write nesterov=True and units=3"),
    ],
)
def test_arguments_become_options(remedy: str, told: str) -> None:
    assert with_flags(remedy) == told


OF_PYTHON = {"communicator", "examples", "loss"}  # which no option gives: a launcher, DATA and a configuration file do


def remedies() -> list[str]:
    """The text of every remedy in the library; what an f-string fills in is X."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "estimators":  # which the command line does not use
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "remedy":
                parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
                found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts))
    return found


def test_every_argument_of_a_remedy_has_an_option() -> None:
    named = {match[1] for remedy in remedies() for match in _ARGUMENT.finditer(remedy)}
    assert {"label", "valid", "batch_size"} <= named <= {*FLAGS, *OF_PYTHON}


def test_every_flag_is_an_option_of_some_command() -> None:
    commands = (import_module(f"portanet.cli.{name}").command for name in ("train", "evaluate", "predict"))
    options = {flag for command in commands for option in command.params for flag in option.opts}
    assert set(FLAGS.values()) <= options
