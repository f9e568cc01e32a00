"""portanet data: MNIST in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click

from portanet.cli import options
from portanet.cli.terminal import echo


@click.group(help="Write MNIST in the formats of others.")
def command() -> None:
    """The commands below `portanet data`."""


@command.command(short_help="Write train.csv and test.csv for the Digit Recognizer.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the files if they exist.")
@options.debug
def kaggle(folder: Path, force: bool) -> None:
    """Write train.csv and test.csv as Kaggle's Digit Recognizer has them.

    train.csv holds the 42,000 digits of mnist:article, test.csv the 10,000 of mnist:test without labels.
    """
    from portanet.data.kaggle import write_kaggle

    for path in write_kaggle(folder, force=force):
        echo(path)
