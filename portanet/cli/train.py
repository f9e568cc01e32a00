"""portanet train: from data to a run folder with a model, a history and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from portanet.cli import config, options, reading
from portanet.cli.groups import Grouped

_EXAMPLES = """\b
Examples:
  portanet train                             98 % on MNIST, in a minute
  portanet train --preset classic            the article's network
  portanet train --preset cnn                a convolutional network
  portanet train plants.csv --label species  a table with a text label
  portanet train houses.csv --label price --column zip=category
  portanet train houses.csv --label price --label area  both at once
  portanet train plants.csv --label species --folds 5  mean of five runs
  portanet train --backend cupy              on a GPU
  portanet train more.csv --from runs/mlp-1  start from a trained model
  portanet train --print-config > mine.toml  the settings, for --config
"""

_GROUPS = {
    "Data": (
        "--label", "--image", "--task", "--classes", "--class-weight", "--valid", "--test", "--folds", "--intervals",
        *(f"--{name}" for name in reading.NAMES),
    ),
    "Model": ("--preset", "--hidden", "--activation", "--dropout", "--from", "--freeze", "--dtype"),
    "Training": (
        "--epochs", "--batch-size", "--optimizer", "--learning-rate", "--metric", "--patience", "--calibrate",
        "--time-limit", "--resume", "--seed", "--accumulate", "--log-every", "--backend", "--device", "--workers",
        "--no-trace", "--reduce", "--rank-timeout",
    ),
    "Settings and output": ("--config", "--print-config", "--snapshots", "--out", "--json", "--quiet"),
}  # fmt: skip


@click.command(cls=Grouped, groups=_GROUPS, epilog=_EXAMPLES)
@click.argument("data", required=False, metavar="[DATA]")
@click.option(
    "--preset", metavar="classic|mlp|cnn|table", help="Model and settings.  [default: table for a table, else mlp]"
)
@click.option(
    "--hidden", type=options.Sizes(), help="Sizes of the hidden layers, such as 64,32.  [default: the preset's]"
)
@click.option(
    "--activation",
    metavar="NAME",
    help="relu, leaky_relu, elu, selu, gelu, silu, mish, sigmoid, tanh, softplus or identity, after hidden layers.",
)
@click.option("--dropout", type=float, metavar="R", help="Share of the values to drop after each hidden layer.")
@options.data
@reading.options
@click.option(
    "--task", type=click.Choice(["auto", "classify", "regress", "multilabel"]), default="auto", show_default=True,
    help="Learn the label as a class or a number; auto: text, and integers of up to 20 distinct values, are classes; "
    "several labels are numbers, or multi-label if all are yes and no.",
)  # fmt: skip
@options.backend
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option(
    "--seed",
    type=options.Whole(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed for weights, shuffling and noise.",
)
@click.option("--epochs", type=options.Whole(), help="Passes over the data.  [default: the preset's]")
@click.option(
    "--batch-size",
    type=options.Whole(words=("full", "auto")),
    metavar="N|full|auto",
    help="Rows in a step; full: all; auto: up to 256.  [default: the preset's]",
)
@click.option("--accumulate", type=options.Whole(), help="Compute each batch in N parts, to need less memory.")
@click.option("--learning-rate", type=float, metavar="R", help="The optimizer's rate.  [default: its own]")
@click.option(
    "--optimizer",
    metavar="NAME",
    help="sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam or lion; with its own learning rate.",
)
@click.option(
    "--classes", metavar="A,B,...|N",
    help="The classes by name, in their order, if some look like missing values; or how many, to confirm over 100.",
)  # fmt: skip
@click.option(
    "--class-weight", metavar="balanced|CLASS=WEIGHT,...", help="Class weights; balanced: inverse class frequency."
)
@click.option(
    "--valid", metavar="FRACTION|PATH", help="Fraction to hold out, or data; 0: none.  [default: the preset's]"
)
@click.option(
    "--metric", metavar="NAME",
    help="What --patience and the best epoch watch on validation rows: roc_auc, log_loss, f1, balanced_accuracy, "
    "average_precision, accuracy; rmse, mae, median_error, r2; or loss.",
)  # fmt: skip
@click.option(
    "--intervals",
    type=options.Share(),
    metavar="FRACTION",
    help="Also learn lower and upper bounds that hold this fraction of the numbers, such as 0.9.",
)
@click.option(
    "--calibrate/--no-calibrate", default=None,
    help="Scale the probabilities so that they fit the validation rows.  [default: the preset's]",
)  # fmt: skip
@click.option(
    "--patience",
    type=options.Whole(),
    help="Stop when the validation loss, or --metric, has not improved for N logged epochs.",
)
@click.option("--log-every", type=options.Whole(), help="Epochs from one line of the history to the next.")
@click.option("--test", metavar="DATA", help="Data to report on once, at the end.")
@click.option(
    "--folds", type=options.Whole(), metavar="K",
    help="Cross-validation: train K times, each time tested on another K-th of the rows; report mean and spread.",
)  # fmt: skip
@click.option(
    "--from",
    "start",
    type=options.MODEL,
    metavar="MODEL",
    help="Start from this trained model or run folder: its layers, columns and classes.",
)
@click.option("--freeze", metavar="NAME,...", help="With --from: layers that are not trained, by name as in summary.")
@click.option(
    "--time-limit",
    type=options.Seconds(),
    metavar="SECONDS",
    help="Stop after this time, such as 90, 5m or 1h; --resume continues.",
)
@click.option("--workers", type=options.Whole(), help="Threads for NumPy; the result is the same.")
@click.option(
    "--no-trace", "trace", flag_value=False, default=True, help="Do not trace steps; the result is the same.",
)  # fmt: skip
@click.option(
    "--reduce", type=click.Choice(["exact", "fast"]), default="exact", show_default=True,
    help="On many processes (mpiexec -n 4 portanet train ...): the bits of one process, or MPI's own sum.",
)  # fmt: skip
@click.option(
    "--rank-timeout", type=options.Seconds(), default="10m", show_default=True, metavar="SECONDS",
    help="On many processes: end all if one does not answer for this time.",
)  # fmt: skip
@click.option(
    "--config", "tables", type=click.Path(path_type=Path), metavar="FILE.toml", is_eager=True, callback=config.take,
    help="Settings from a file; options win over it.",
)  # fmt: skip
@click.option("--print-config", is_flag=True, help="Print the settings as a file for --config, and train nothing.")
@click.option(
    "--resume",
    is_flag=True,
    help="Resume the newest interrupted run of the preset, or the one in --out, with the same options.",
)
@click.option("--snapshots", is_flag=True, help="Keep the weights at some 40 points, to replay them: export --to html.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/PRESET-N]")
@options.as_json
@click.option("--quiet", is_flag=True, help="Print nothing but errors and what --json asks for.")
@options.debug
def command(**settings: Any) -> None:
    """Train a network on images or a table.

    DATA is mnist (the default: 60,000 embedded digits), mnist:article (42,000 of them, the default of
    classic), a CSV file with a header, a folder of IDX files, an .npz file,
    a folder with a folder of pictures for each class, or a CSV file with a column of their paths.
    """
    from portanet.cli.ranks import launched
    from portanet.cli.training import train

    with launched(settings.pop("reduce"), settings.pop("rank_timeout")) as ranks:
        train(ranks=ranks, **settings)
