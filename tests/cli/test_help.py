"""Help pages: commands of many options show them in groups."""

from __future__ import annotations

import re

import click
import pytest
from console import Call

from portanet.cli import _COMMANDS as COMMANDS
from portanet.cli import commands
from portanet.cli.groups import Grouped


@pytest.mark.parametrize("name", COMMANDS)
def test_many_options_stand_in_groups(cli: Call, name: str) -> None:
    command = commands.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    shown = {option.opts[0] for option in command.params if isinstance(option, click.Option) and not option.hidden}
    if len(shown) <= 10:
        return
    assert isinstance(command, Grouped), name
    page = cli(name, "--help").out
    for title in command.groups:
        assert f"\n{title}:\n" in page
    listed = re.findall(r"^  (-[-a-z]+)", page, re.MULTILINE)
    assert sorted(listed) == sorted({*shown, "-h"})
    known = [option for group in command.groups.values() for option in group]
    assert len(known) == len(set(known))


def test_the_names_of_activations_are_all_there() -> None:
    from portanet.cli.train import command
    from portanet.training.hidden import ACTIVATIONS

    [option] = [option for option in command.params if option.name == "activation"]
    assert set(ACTIVATIONS) <= set(re.findall(r"\w+", str(option.help)))  # type: ignore[attr-defined]
