"""portanet summary: what is in a model file."""

from __future__ import annotations

from pathlib import Path

import click

from portanet.cli import options


@click.command()
@click.argument("model", type=options.MODEL)
@options.as_json
@options.debug
def command(model: Path, as_json: bool) -> None:
    """Show a model's layers, shapes and numbers of parameters."""
    from portanet.cli import facts
    from portanet.storage import model_file
    from portanet.training.summary import layers, table
    from portanet.training.tasks import Classify, task_named

    found, params, known = model_file.load_model(facts.folder_or_file(model))
    shape = tuple(known["input_shape"])
    if as_json:
        options.print_json({"model": str(model), "layers": layers(found, params, shape), **known})
        return
    click.echo(table(found, params, shape))
    click.echo(f"\ninput {' x '.join(map(str, known['input_shape']))}, {known['dtype']}")
    if classes := known.get("classes"):
        click.echo(f"classes {', '.join(classes)}")
    if not task_named(known.get("task") or Classify.name).is_classification:
        click.echo(f"predicts numbers: {known.get('label') or 'label'}")
    if "data" in known:
        click.echo(f"trained on {known['data']['name']} ({known['data']['samples']} rows)")
