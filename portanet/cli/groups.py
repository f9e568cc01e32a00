"""A command whose help shows its options in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Grouped(click.Command):
    """`@click.command(cls=Grouped, groups={"Data": ("--label", ...), "Output": ()})`; the last group has the rest."""

    def __init__(self, *arguments: Any, groups: Mapping[str, Sequence[str]], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.groups = groups

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group."""
        records = {
            parameter.opts[0]: record
            for parameter in self.get_params(context)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)) is not None
        }
        named = [option for options in self.groups.values() for option in options]
        rest = [option for option in records if option not in named]
        *_, last = self.groups
        for title, options in self.groups.items():
            with formatter.section(title):
                rows = [*options, *(rest if title == last else [])]
                formatter.write_dl([records[option] for option in rows if option in records])
