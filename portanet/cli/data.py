"""portanet data: describe tables; write MNIST in other formats."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from portanet.cli import options, reading
from portanet.cli.terminal import echo


@click.group(help="Describe a table's columns; write MNIST in other formats.")
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


@command.command(short_help="Show what the columns of a table hold.")
@click.argument("source", metavar="DATA")
@options.label("Label column, which is not an input; may be repeated.  [default: label]")
@reading.options
@options.as_json
@options.debug
def describe(source: str, label: str | tuple[str, ...] | None, as_json: bool, **asked: Any) -> None:
    """Show the kind of each column of a table, and which columns are left out and why.

    DATA is a text file, compressed or not, a Parquet file, or - for stdin. Nothing is trained.
    """
    from portanet.cli import facts
    from portanet.cli.kinds import lines
    from portanet.errors import DataError
    from portanet.storage.label import in_words

    rows = facts.read(source, label=label, task="auto", **reading.arguments(reading.places(asked)))
    if rows.table is None:
        raise DataError(f"{source} holds images {rows.x.shape[1:]}, and no table.")
    if as_json:
        columns = [asdict(column) for column in rows.table.columns]
        options.print_json({"rows": len(rows), "label": rows.label, "columns": columns, "notes": rows.notes})
        return
    echo(f"{rows.name}: {len(rows):,} rows" + (f", label {in_words(rows.label)}" if rows.label else ""))
    for line in lines(rows.table, rows.x):
        echo(line)
    for note in rows.notes:
        echo(note)
