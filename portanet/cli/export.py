"""portanet export: a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portanet.cli import options
from portanet.cli.terminal import echo

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

_NAMES = {"onnx": "model.onnx", "python": "predict.py"}
_ROWS_AT_ONCE = 2**13  # of both answers, held in memory


@click.command()
@click.argument("model", type=options.MODEL)
@click.option(
    "--to", "form", type=click.Choice(tuple(_NAMES)), required=True,
    help="onnx: a graph for onnxruntime and others. python: one predict.py that needs NumPy alone.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: beside MODEL]")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--verify", metavar="DATA", help="Answer these rows with onnxruntime too, and show the differences.")
@options.debug
def command(model: Path, form: str, out: Path | None, force: bool, verify: str | None) -> None:
    """Write a model as a file that other programs run.

    MODEL is a model.safetensors or the run folder that holds one. DATA is as for predict.
    """
    from portanet.cli import facts
    from portanet.data.files import require_free
    from portanet.errors import ConfigError
    from portanet.training.model import load

    suffix = Path(_NAMES[form]).suffix
    out = out or facts.folder_or_file(model).with_name(_NAMES[form])
    if out.suffix != suffix:
        raise ConfigError(f"--to {form} writes a {suffix} file, and --out names {out}.")
    if verify is not None and form != "onnx":
        raise ConfigError("--verify runs ONNX files; use it with --to onnx.")
    require_free(out, force=force)
    run = load(model)
    run.save(out)
    echo(f"{out} ({out.stat().st_size:,} bytes)")
    if verify is not None:
        echo(_difference(run, out, facts.read_for(run, verify)))


def _difference(run: TrainedModel, path: Path, data: Any) -> str:
    """How far the answers of an ONNX file are from the model's."""
    import numpy as np

    from portanet.export.onnx import load_onnx

    answer, (name, dtype) = load_onnx(path), ("probabilities", "float32")
    if not run.task.is_classification:
        name, dtype = "prediction", "float64"
    model_answers = run.probabilities if run.task.is_classification else run.predict
    largest, differ = 0.0, 0
    for start in range(0, len(data), _ROWS_AT_ONCE):
        x: Any = data.x[start : min(start + _ROWS_AT_ONCE, len(data)), ...]
        outputs, expected = answer(np.asarray(x)), model_answers(x).astype(dtype)
        largest = max(largest, float(np.abs(outputs[name] - expected).max()))
        if run.task.is_classification:
            differ += int((outputs["label"] != run.predict(x)).reshape(len(x), -1).any(axis=1).sum())
    labels = f", {differ} labels differ" if run.task.is_classification else ""
    return f"{len(data)} rows: {name} differ by at most {largest:.3g}{labels}"
