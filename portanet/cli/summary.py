"""portanet summary: the layers of a model file."""

from __future__ import annotations

from pathlib import Path

import click

from portanet._text import plain
from portanet.cli import options
from portanet.cli.terminal import echo


@click.command()
@click.argument("model", type=options.MODEL)
@options.as_json
@options.debug
def command(model: Path, as_json: bool) -> None:
    """Show a model's layers, shapes and numbers of parameters."""
    from portanet.storage.label import in_words
    from portanet.training.model import load
    from portanet.training.trained.summary import layers, table

    run = load(model)
    card, about, shape = run.card, run.about, run.input_shape
    if as_json:
        found = {"model": str(model), "layers": layers(run.model, run.params, shape)}
        options.print_json(found | card.to_dict() | {"spec": run.spec.to_dict()} | about)
        return
    echo(table(run.model, run.params, shape))
    echo(f"\ninput {' x '.join(map(str, shape))}, {card.dtype}")
    if card.classes:
        echo(f"classes {', '.join(map(plain, card.classes))}")
    if not run.task.is_classification:
        unit = _unit(card.target_center, card.target_scale)
        echo(f"predicts numbers: {plain(in_words(card.label) or 'label', None)}{unit}")
    if "data" in about:
        echo(f"trained on {plain(about['data']['name'], None)} ({about['data']['samples']} rows)")


def _unit(center: tuple[float, ...], scale: tuple[float, ...]) -> str:
    """The unit of a single target as text; empty for several targets, or if it is not standardised."""
    if len(scale) != 1:
        return ""
    return f", learned as deviations of {scale[0]:.4g} from {center[0]:.10g}" if center[0] else f", over {scale[0]:.4g}"
