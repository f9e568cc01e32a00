"""portanet train: from data to a run folder with a model, a history and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from portanet.cli import options


class _BatchSize(click.ParamType[Any]):
    name = "N|full"

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        if isinstance(value, str) and not value.isdecimal() and value != "full":
            self.fail(f"{value!r} is neither a whole number nor 'full'.", param, context)
        return value if value == "full" else int(value)


@click.command()
@click.argument("data", required=False, metavar="[DATA]")
@click.option("--preset", default="mlp", show_default=True, metavar="classic|mlp", help="Model and settings.")
@options.data
@options.backend
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data.")
@click.option("--batch-size", type=_BatchSize(), help="Rows in a step, or full for all of them.")
@click.option("--learning-rate", type=float, metavar="R", help="The schedule's highest rate.")
@click.option("--optimizer", metavar="NAME", help="sgd, momentum, nesterov, adam or adamw.")
@click.option("--valid", metavar="FRACTION|PATH", help="Share of the rows to hold out, or data; 0 for none.")
@click.option("--test", metavar="DATA", help="Data to report on once, at the end.")
@click.option("--workers", type=click.IntRange(min=1), help="Threads for NumPy; the result is the same.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/PRESET-N]")
@options.as_json
@click.option("--quiet", is_flag=True, help="Print nothing but errors and what --json asks for.")
@options.debug
def command(**settings: Any) -> None:
    r"""Train a network on images or a table.

    DATA is mnist (the default: 60,000 embedded digits), mnist:article (42,000 of them, the default of
    classic), a CSV file with a header, a folder of IDX files, or an .npz file.

    \b
      portanet train                                   98 % of MNIST's test digits, in a minute or less
      portanet train --preset classic                  the article's network
      portanet train train.csv --label species         a table with a text label
      portanet train --backend cupy                    on a GPU
    """
    from portanet.cli.training import train

    train(**settings)
