"""portanet train: from data to a run folder with a model, a history and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from portanet.cli import options

_EXAMPLES = """\b
Examples:
  portanet train                             98 % on MNIST, in a minute
  portanet train --preset classic            the article's network
  portanet train plants.csv --label species  a table with a text label
  portanet train --backend cupy              on a GPU
"""


@click.command(epilog=_EXAMPLES)
@click.argument("data", required=False, metavar="[DATA]")
@click.option("--preset", default="mlp", show_default=True, metavar="classic|mlp", help="Model and settings.")
@options.data
@options.backend
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--seed", type=options.Whole(0, 2**63 - 1), default=0, show_default=True, help="Of weights and order.")
@click.option("--epochs", type=options.Whole(), help="Passes over the data.")
@click.option("--batch-size", type=options.Whole(words=("full",)), metavar="N|full", help="Rows in a step; full: all.")
@click.option("--learning-rate", type=float, metavar="R", help="The schedule's highest rate.")
@click.option("--optimizer", metavar="NAME", help="sgd, momentum, nesterov, adam or adamw.")
@click.option("--valid", metavar="FRACTION|PATH", help="Share of the rows to hold out, or data; 0 for none.")
@click.option("--test", metavar="DATA", help="Data to report on once, at the end.")
@click.option("--workers", type=options.Whole(), help="Threads for NumPy; the result is the same.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/PRESET-N]")
@options.as_json
@click.option("--quiet", is_flag=True, help="Print nothing but errors and what --json asks for.")
@options.debug
def command(**settings: Any) -> None:
    """Train a network on images or a table.

    DATA is mnist (the default: 60,000 embedded digits), mnist:article (42,000 of them, the default of
    classic), a CSV file with a header, a folder of IDX files, or an .npz file.
    """
    from portanet.cli.training import train

    train(**settings)
