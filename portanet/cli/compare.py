"""portanet compare: the same steps on several backends, compared with NumPy in float64."""

from __future__ import annotations

import dataclasses
import sys

import click

from portanet.cli import options
from portanet.cli.groups import Grouped
from portanet.cli.terminal import echo

_GROUPS = {
    "Data": ("--label", "--image", "--rows"),
    "Steps": ("--preset", "--backends", "--dtype", "--steps", "--seed", "--tolerance"),
    "Output": (),
}


@click.command(cls=Grouped, groups=_GROUPS)
@click.argument("data", required=False, metavar="[DATA]")
@click.option("--backends", metavar="A,B,...", help="Backends to compare.  [default: all that work here]")
@click.option("--preset", default="mlp", show_default=True, metavar="classic|mlp", help="Model and optimizer.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--rows", type=click.IntRange(min=1), default=128, show_default=True, help="Rows in a step.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--tolerance", type=float, metavar="T", help="Largest relative difference to accept.")
@options.data
@options.as_json
@options.debug
def command(
    data: str | None, backends: str | None, preset: str, dtype: str, steps: int, rows: int, seed: int,
    tolerance: float | None, label: str | tuple[str, ...] | None, image: tuple[int, ...] | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare training steps on several backends with NumPy in float64.

    Every step starts again from NumPy's state, so what is shown is the difference of single steps. Exits with 1
    where a relative difference is above the tolerance: 1e-4 in float32, 1e-9 in float64, ten times that for the
    parameters, since Adam magnifies the rounding of tiny gradients.
    """
    from portanet import data as readers
    from portanet.backends import NAMES, choose
    from portanet.checks.compare import compare
    from portanet.errors import BackendError, ConfigError
    from portanet.nn import Sequential
    from portanet.storage.model_card import ModelCard
    from portanet.training import presets

    if isinstance(label, tuple):
        raise ConfigError("compare trains classifiers of one label; name one --label.")
    plan = presets.preset(preset)
    chosen = []
    for name in backends.split(",") if backends else NAMES:
        try:
            chosen.append(choose(name.strip()))
        except BackendError as error:
            if backends:
                raise
            echo(f"{name} is left out: {error}", err=True)
    dataset = readers.read(data or presets.data(preset), label=label, image=image)
    card = ModelCard(dataset.x.shape[1:], dtype, dataset.classes)
    model = Sequential(*plan.for_data(card).layers)
    found = compare(
        chosen, model, dataset.rows(slice(0, rows * steps)), optimizer=plan.optimizer, schedule=plan.schedule,
        batch_size=rows, steps=steps, seed=seed, dtype=dtype, tolerance=tolerance,
    )  # fmt: skip
    passed = all(side.passed for side in found)
    if as_json:
        rows_found = [dataclasses.asdict(side) | {"passed": side.passed} for side in found]
        options.print_json({"preset": preset, "steps": steps, "passed": passed, "backends": rows_found})
    else:
        echo("largest differences from numpy in float64, absolute and relative")
        echo(f"{'backend':9}{'device':9}{'dtype':9}{'loss':>20}{'gradient':>20}{'parameters':>20}")
        for side in found:
            figures = "".join(f"{a:10.1e}{r:10.1e}" for a, r in (side.loss, side.gradient, side.parameters))
            verdict = "" if side.passed else f"  above {side.tolerance:g}"
            echo(f"{side.backend:9}{side.device:9}{side.dtype:9}{figures}{verdict}")
    sys.exit(0 if passed else 1)
