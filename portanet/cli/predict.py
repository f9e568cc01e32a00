"""portanet predict: a model's predictions as a CSV file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portanet._text import plain
from portanet.cli import options, reading
from portanet.cli.groups import Grouped
from portanet.cli.terminal import Screen, echo

if TYPE_CHECKING:
    from portanet.data import Dataset
    from portanet.training.model import TrainedModel

_FORMULA = ("=", "+", "-", "@", "\t")  # characters that begin a formula in a spreadsheet
_ROWS_AT_ONCE = 2**16  # that are predicted and held in memory


@click.command(cls=Grouped, groups={"Data": ("--label", *(f"--{name}" for name in reading.NAMES)), "Output": ()})
@click.argument("model", type=options.MODEL)
@click.argument("data", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), help="File to write; -: stdout.  [default: -]")
@click.option("--probabilities", is_flag=True, help="Add one column with the probability of each class.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@options.label("Label column of a table, which is left out; may be repeated.  [default: the model's]")
@click.option(
    "--id", "identifier", metavar="COLUMN", help="Column to begin the answers with.  [default: the table's identifier]"
)
@click.option(
    "--show", type=click.Path(path_type=Path), metavar="FILE.png", help="Write pictures as the network sees them."
)
@reading.options
@options.backend
@options.as_json
@options.debug
def command(
    model: Path, data: tuple[str, ...], out: Path | None, probabilities: bool, force: bool, label: Any,
    show: Path | None, identifier: str | None, backend: str, device: str | None, as_json: bool, **asked: Any,
) -> None:  # fmt: skip
    """Write a model's predictions to a CSV file.

    It holds File,Label for pictures, and ImageId,Label for other images, as Kaggle takes it. For a table it begins with
    the identifier under its own name, or with Row, the number; then comes the label under its name, or a column for
    each of several. With --json one object has them all, as "predictions".

    MODEL is a model.safetensors or the run folder that holds one. DATA is as for train, with or without labels, which
    are left out, as columns are that the model does not have; or pictures, and folders of them. A model of MNIST gets
    photographs as MNIST was made: light on black, fitted into 20 x 20, centred by mass.
    """
    from portanet import backends
    from portanet.cli import facts
    from portanet.data.cells import NUMBER
    from portanet.data.files import require_free
    from portanet.data.kaggle import write_answers
    from portanet.data.pictures.source import is_of_pictures
    from portanet.errors import ConfigError
    from portanet.storage.atomic import replacing
    from portanet.training.inputs.units import Unit
    from portanet.training.model import load
    from portanet.training.trained.measure import target_names

    out = None if out == Path("-") else out
    if out is not None and as_json:
        raise ConfigError("--json prints the answers on stdout; leave out --out.")
    for path in filter(None, (out, show)):
        require_free(path, force=force)
    run = load(model, backend=backends.choose(backend, device))
    if probabilities and not run.task.is_classification:
        raise ConfigError("--probabilities is for classes, and this model predicts numbers; leave it out.")
    settings = reading.arguments(reading.places(asked))
    source: Any = data[0] if len(data) == 1 else data
    rows = facts.read_for(run, source, label, labelled=False, id=identifier, **settings)
    ids = None if rows.ids is None else rows.ids.texts.tolist()
    for note in rows.notes:
        echo(f"portanet: {note}", err=True)
    classes = facts.class_names(run)
    targets = target_names(run)
    bounds = _bound_names(run, targets)

    def answers() -> Iterator[tuple[list[Any], Any]]:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            x: Any = rows.x[start : min(start + _ROWS_AT_ONCE, len(rows)), ...]
            predictions = run.predict(x, codes=True)
            if not run.task.is_classification:
                predictions = Unit.of_card(run.card).rounded(predictions, run.dtype)
            shares = run.probabilities(x) if probabilities else _bounds(run, x) if bounds else None
            texts = predictions.astype(str).tolist() if targets else run.task.texts(predictions, classes)
            yield texts, shares

    if show is not None:
        _show(show, run, rows, classes)
    blocks = answers()
    if as_json:
        named = ({} if ids is None else {"ids": ids}) | ({"targets": targets} if targets else {})
        options.print_json(_as_json(run, list(blocks), classes) | named)
        return
    first = next(blocks)  # errors come before anything is written
    identifier = rows.ids.name if rows.ids else "ImageId" if facts.are_images(rows) else "Row"
    if formulas := [name for name in classes if name[:1] in _FORMULA and not NUMBER.fullmatch(name)]:
        shown = f"{plain(formulas[0])!r}" + (f" and {len(formulas) - 1} more" if len(formulas) > 1 else "")
        echo(f"portanet: a spreadsheet would run the class {shown} as a formula; import the column as text", err=True)
    screen: Any = Screen() if sys.stdout.isatty() else sys.stdout.buffer
    with contextlib.nullcontext(screen) if out is None else replacing(out) as file:
        shares = classes if probabilities else ()
        write_answers(
            file, chain([first], blocks), identifier=identifier, ids=ids, classes=shares,
            columns=bounds, label_last=is_of_pictures(rows), targets=targets,
            label=run.card.title,
        )  # fmt: skip


def _show(path: Path, run: TrainedModel, rows: Dataset, classes: list[str]) -> None:
    """Write the first images as the network sees them, with the predictions below."""
    from portanet.cli import facts
    from portanet.data.pictures.decode import require_pillow
    from portanet.data.pictures.sheet import MOST, sheet
    from portanet.errors import ConfigError
    from portanet.storage.atomic import write

    if not (facts.are_images(rows) and run.card.pixels):
        raise ConfigError("--show is for images of pixels from 0 to 255; leave it out.")
    require_pillow("--show")
    x: Any = rows.x[: min(MOST, len(rows)), ...]
    write(path, sheet(x, run.task.texts(run.predict(x, codes=True), classes)))
    echo(f"portanet: {path} shows what the network sees", err=True)


def _bound_names(run: TrainedModel, targets: Sequence[str]) -> list[str]:
    """The column names of a model's intervals: lower and upper, after the target's name if there are several."""
    if len(run.card.levels) < 2:
        return []
    return [f"{name} {end}".lstrip() for end in ("lower", "upper") for name in targets or ("",)]


def _bounds(run: TrainedModel, x: Any) -> Any:
    """The lower and upper bounds of rows, (N, 2 K), with the decimals of predictions."""
    import numpy as np

    from portanet.training.inputs.units import Unit

    ends = run.intervals(x).reshape(len(x), 2, -1)
    return np.concatenate([Unit.of_card(run.card).rounded(ends[:, i], run.dtype) for i in range(2)], axis=1)


def _as_json(run: TrainedModel, blocks: list[tuple[list[Any], Any]], classes: list[str]) -> dict[str, Any]:
    """All predictions as JSON data: numbers stay numbers, and several outputs give a list for each row."""
    texts = [text for block, _ in blocks for text in block]
    if not run.task.is_classification:
        numbers = [float(text) if isinstance(text, str) else list(map(float, text)) for text in texts]
        bounds = [row for _, block in blocks if block is not None for row in block.tolist()]
        return {"rows": len(numbers), "predictions": numbers} | ({"intervals": bounds} if bounds else {})
    shares = [row for _, block in blocks if block is not None for row in block.tolist()]
    found: dict[str, Any] = {"rows": len(texts), "predictions": texts, "classes": classes}
    return found | ({"probabilities": shares} if shares else {})
