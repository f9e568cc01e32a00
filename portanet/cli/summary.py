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
    from portanet import checkpoint
    from portanet.cli import facts

    layers, _, known = checkpoint.load_model(facts.folder_or_file(model))
    rows = facts.layers(layers, tuple(known["input_shape"]))
    if as_json:
        options.print_json({"model": str(model), "layers": rows, **known})
        return
    table: list[tuple[str, ...]] = [("", "layer", "output", "parameters", "multiplications")]
    for row in rows:
        output = " x ".join(map(str, row["output_shape"]))
        table.append((row["name"], row["layer"], output, f"{row['parameters']:,}", f"{row['arithmetic']:,}"))
    totals = [sum(row[key] for row in rows) for key in ("parameters", "arithmetic")]
    table.append(("", "all", "", *(f"{total:,}" for total in totals)))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, layer, output, parameters, arithmetic in table:
        click.echo(
            f"{name:{widths[0]}}  {layer:{widths[1]}}  {output:{widths[2]}}  "
            f"{parameters:>{widths[3]}}  {arithmetic:>{widths[4]}}"
        )
    click.echo(f"\ninput {' x '.join(map(str, known['input_shape']))}, {known['dtype']}")
    if classes := known.get("classes"):
        click.echo(f"classes {', '.join(classes)}")
    if "data" in known:
        click.echo(f"trained on {known['data']['name']} ({known['data']['samples']} rows)")
