"""portanet export: a model for other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portanet.cli import options
from portanet.cli.terminal import echo, say
from portanet.errors import ConfigError, PortanetError

if TYPE_CHECKING:
    from portanet.data import Dataset
    from portanet.training.model import TrainedModel

_NAMES = {"onnx": "model.onnx", "python": "predict.py", "html": "explorer.html"}


@click.command()
@click.argument("model", type=options.MODEL)
@click.option(
    "--to", "form", type=click.Choice(tuple(_NAMES)), required=True,
    help="onnx: a graph for onnxruntime and others. python: one predict.py that needs NumPy alone. "
    "html: one page to play with the model, which opens from disk.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: beside MODEL]")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--verify", metavar="DATA", help="Answer these rows with onnxruntime too, and show the differences.")
@click.option(
    "--precision", type=click.Choice(["auto", "int8", "float16", "float32"]),
    help="Of the weights in the page; auto: int8 if the score stays within 0.1 points, else float16.  [default: auto]",
)  # fmt: skip
@click.option("--examples", metavar="DATA", help="Labelled rows to show in the page.  [default: those held out]")
@options.debug
def command(
    model: Path, form: str, out: Path | None, force: bool, verify: str | None, precision: str | None,
    examples: str | None,
) -> None:  # fmt: skip
    """Write a model as a file that other programs run.

    MODEL is a model.safetensors or the run folder that holds one. DATA is as for predict.
    """
    from portanet.cli import facts
    from portanet.data.files import require_free
    from portanet.storage.snapshots_file import read_snapshots
    from portanet.training.model import load

    suffix = Path(_NAMES[form]).suffix
    out = out or facts.folder_or_file(model).with_name(_NAMES[form])
    if out.suffix != suffix:
        raise ConfigError(f"--to {form} writes a {suffix} file, and --out names {out}.")
    if verify is not None and form != "onnx":
        raise ConfigError("--verify runs ONNX files; use it with --to onnx.")
    for name, option in (("--precision", precision), ("--examples", examples)):
        if form != "html" and option is not None:
            raise ConfigError(f"{name} is for --to html.")
    require_free(out, force=force)
    run = load(model)
    if form == "html":
        rows = _held_out(model) if examples is None else facts.read_for(run, examples)
        kept = read_snapshots(model) if model.is_dir() else None
        page = run.explore(out, examples=rows, precision=precision or "auto", snapshots=kept)
        echo(f"weights in {page.about['precision']}")
    else:
        run.save(out)
    echo(f"{out} ({out.stat().st_size:,} bytes)")
    if verify is not None:
        echo(_differences(run, out, verify))


def _held_out(model: Path) -> Dataset | None:
    """A run's held-out rows, or else its training rows, read again; None if they are gone."""
    from portanet.cli import rerun
    from portanet.storage.run_record import read_record
    from portanet.training.spec import TrainingSpec

    if not model.is_dir():
        return None
    try:
        record = read_record(model)
        job = rerun.job_of(TrainingSpec.from_dict(record.spec), rerun.places_of(model, record))
        learned = job.training.name
        return job.validation or replace(job.training, name=f"{learned}, its training data")
    except PortanetError as error:
        say(f"no examples in the page, which --examples DATA would give: {error}")
        return None


def _differences(run: TrainedModel, path: Path, source: str) -> str:
    """The differences between an ONNX file's outputs and the model's, as text."""
    from portanet.cli import facts
    from portanet.data.source import read_cells
    from portanet.export.files import takes_columns
    from portanet.training.trained.verify import differences

    cells = None
    if run.card.table is not None and takes_columns(run.card):
        if source == "-":
            raise ConfigError("--verify reads its rows twice, which stdin has once; name a file.")
        cells = read_cells(source, run.card.table, label=run.card.label)
    rows = facts.read_for(run, source, labelled=False)
    found = differences(run, path, rows, cells)
    differ = f"; {found.pop('label'):.0f} labels differ" if "label" in found else ""
    scale = run.card.target_scale if len(run.card.target_scale) == 1 else ()
    shares = [f" ({most / scale[0]:.1g} of the targets' deviation)" if scale else "" for most in found.values()]
    largest = ", of ".join(f"{name} {most:.3g}{share}" for (name, most), share in zip(found.items(), shares))
    return f"{len(rows):,} rows: the largest difference is of {largest}{differ}"
