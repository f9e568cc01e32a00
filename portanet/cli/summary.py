"""portanet summary: the layers of a model file."""

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
    from portanet.training.tasks import Regress

    network, params, header = model_file.load_model(facts.folder_or_file(model))
    shape = tuple(header["input_shape"])
    if as_json:
        options.print_json({"model": str(model), "layers": layers(network, params, shape), **header})
        return
    click.echo(table(network, params, shape))
    click.echo(f"\ninput {' x '.join(map(str, header['input_shape']))}, {header['dtype']}")
    if classes := header.get("classes"):
        click.echo(f"classes {', '.join(classes)}")
    if header.get("task") == Regress.name:
        click.echo(f"predicts numbers: {header.get('label') or 'label'}")
    if "data" in header:
        click.echo(f"trained on {header['data']['name']} ({header['data']['samples']} rows)")
