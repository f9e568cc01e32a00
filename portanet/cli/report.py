"""portanet report: a run's report, written again."""

from __future__ import annotations

from pathlib import Path

import click

from portanet.cli import options
from portanet.cli.terminal import echo


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.debug
def command(run: Path) -> None:
    """Write a run's report again, as one HTML file.

    RUN is the folder of a run. The file opens offline.
    """
    from portanet.report import write_report

    echo(write_report(run))
