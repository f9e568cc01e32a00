"""portanet gradcheck: every backward pass against finite differences of its forward pass."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from portanet.cli import options
from portanet.cli.terminal import echo


@click.command()
@click.argument("model", type=options.MODEL, required=False)
@click.argument("data", required=False, metavar="[DATA]")
@click.option("--rows", type=click.IntRange(min=1), default=4, show_default=True, help="Rows of DATA to use.")
@click.option("--elements", type=click.IntRange(min=1), default=100, show_default=True, help="Tried of each array.")
@click.option("--tolerance", type=float, default=1e-6, show_default=True, help="Largest relative error to accept.")
@options.backend
@options.as_json
@options.debug
def command(
    model: Path | None, data: str | None, rows: int, elements: int, tolerance: float,
    backend: str, device: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Check every gradient against finite differences, in float64.

    Without MODEL: one of each layer, and the losses. With it: the gradient of a trained model's loss for each of
    its arrays, on rows of DATA (mnist:test for a model of MNIST). Exits with 1 where an error is above the
    tolerance.
    """
    from portanet import backends

    chosen = backends.choose(backend, device)
    settings = {"backend": chosen, "elements": elements, "tolerance": tolerance}
    checks = list(_library(settings) if model is None else _model(model, data, rows, settings))
    passed = all(check.passed for _, check in checks)
    if as_json:
        found = [
            {"name": name, "passed": check.passed, "arrays": [dataclasses.asdict(array) for array in check.arrays]}
            for name, check in checks
        ]
        options.print_json({"backend": chosen.name, "passed": passed, "checks": found})
    else:
        width = max(len(name) for name, _ in checks)
        for name, check in checks:
            shown = [check.worst] if model is None else check.arrays  # for the library's layers only the worst error
            for array in shown:
                echo(f"{name:{width}}  {array.line(tolerance)}")
    sys.exit(0 if passed else 1)


def _library(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """One of each layer, and each loss."""
    import numpy as np

    from portanet.checks.gradcheck import EXAMPLES, LOSS_EXAMPLES, gradcheck

    rng = np.random.default_rng(0)
    for layer, shape in EXAMPLES:
        yield repr(layer), gradcheck(layer, rng.normal(size=(3, *shape)), **settings)
    for loss, labels in LOSS_EXAMPLES:
        yield repr(loss), gradcheck(loss, rng.normal(size=(3, 3)), labels=labels, **settings)


def _model(path: Path, data: str | None, rows: int, settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """A trained model and its loss, on the first rows of the data."""
    from portanet.checks.gradcheck import gradcheck
    from portanet.cli import facts
    from portanet.training.inputs.units import Unit
    from portanet.training.model import load

    run = load(path)
    found = facts.read_for(run, data or "mnist:test").rows(slice(0, rows))
    labels = Unit.of_card(run.card).numbers(found.require_targets())
    yield str(path), gradcheck(run.model, found.x, labels=labels, loss=run.loss, params=run.params, **settings)
