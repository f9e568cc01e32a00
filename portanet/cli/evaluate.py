"""portanet evaluate: how good a model is on labelled data."""

from __future__ import annotations

from pathlib import Path

import click

from portanet.cli import options


@click.command()
@click.argument("model", type=options.MODEL)
@click.argument("data", required=False, metavar="[DATA]")
@click.option("--label", metavar="COLUMN", help="Label column of a CSV.  [default: label]")
@options.backend
@options.as_json
@options.debug
def command(model: Path, data: str | None, label: str | None, backend: str, device: str | None, as_json: bool) -> None:
    """Measure a model's accuracy and loss on labelled data.

    MODEL is a model.safetensors or the run folder that holds one. DATA is as for train; without it, a model
    trained on MNIST is measured on mnist:test.
    """
    from portanet import backend as backends
    from portanet.cli import facts
    from portanet.errors import ConfigError
    from portanet.training.run import load

    run = load(model, backend=backends.choose(backend, device))
    trained_on = run.facts.get("data", {}).get("name", "data unknown")
    if data is None and trained_on not in ("mnist", "mnist:article"):
        raise ConfigError(f"name the data to evaluate on; this model was trained on {trained_on}.")
    found = facts.read_for(run, "mnist:test" if data is None else data, label)
    result = run.evaluate(found.x, found.need_labels())
    if as_json:
        options.print_json(result)
    else:
        click.echo(f"accuracy {result['accuracy']:.2%}  loss {result['loss']:.4f}  samples {result['samples']}")
