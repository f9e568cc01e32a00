"""What portanet train does, in order: read, choose, split, train, measure, write."""

from __future__ import annotations

import datetime
import math
import os
import platform
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from portanet import backend as backends
from portanet import data as readers
from portanet import parallel, report
from portanet.cli import facts, options
from portanet.cli.progress import progress
from portanet.data import Dataset
from portanet.data.split import holdout
from portanet.errors import ConfigError
from portanet.runs import RunFolder, need_empty
from portanet.training import presets
from portanet.training.callbacks import Callback, Row
from portanet.training.fit import fit
from portanet.training.presets import Preset
from portanet.training.run import Run

_SPLIT_SEED = 2026  # of the rows held out: its own, so that runs with other seeds are measured on the same rows


class _Keep(Callback):
    """Makes the run folder when training begins, and writes each row of the history to it as soon as it is there."""

    def __init__(self, out: Path | None, name: str) -> None:
        self.out, self.name = out, name

    def begin(self, steps: int) -> None:
        self.folder = RunFolder.create(self.out, self.name)

    def end(self) -> None:
        self.folder.drop_if_empty()

    def log(self, row: Row) -> bool | None:
        if not all(math.isfinite(value) for value in row.values()):
            raise ConfigError(f"the loss is not finite in epoch {row['epoch']}; try a smaller --learning-rate.")
        self.folder.append(row)
        return None


def train(
    *, data: str | None, preset: str, label: str | None, image: Any, valid: str | None, test: str | None,
    backend: str, device: str | None, dtype: Any, seed: int, workers: int | None, out: Path | None,
    as_json: bool, quiet: bool, **changes: Any,
) -> None:  # fmt: skip
    """Trains, writes the run folder and prints the result."""

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    plan = _changed(presets.preset(preset), **changes)
    source = plan.data if data is None else data
    if out is not None:
        need_empty(out)
    chosen = backends.choose(backend, device)
    why = chosen.reason.partition(";")[0]  # without the remedy, which portanet doctor tells
    say(f"{chosen.name} on {chosen.device}" + (f" (auto: {why})" if backend == "auto" else ""))
    whole = readers.read(source, label=label, image=image)
    whole.need_labels()
    training, validation = _split(whole, plan, valid, label)
    tests = None if test is None else facts.read_like(test, whole, label)
    model = plan.model(len(whole.classes), images=facts.are_images(whole))
    keep = _Keep(out, preset)
    say(f"{source}: {len(training)} rows to train on" + (f", {len(validation)} held out" if validation else ""))

    batches = 1 if plan.batch_size is None else -(-len(training) // plan.batch_size)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    run = fit(
        model, training.x, training.labels,
        valid=(validation.x, validation.labels) if validation else None,
        optimizer=plan.optimizer, schedule=plan.schedule(plan.learning_rate, plan.epochs * batches),
        epochs=plan.epochs, batch_size=plan.batch_size or "full", log_every=plan.log_every,
        backend=chosen, dtype=dtype, seed=seed, workers=workers,
        callbacks=[keep, progress(plan.epochs, quiet=quiet)],
    )  # fmt: skip
    folder = keep.folder
    result = {
        "run": str(folder.path), "model": str(folder.model), "preset": preset,
        "backend": chosen.name, "device": chosen.device, "dtype": dtype, "seed": seed,
        "steps": run.steps, "seconds": round(run.seconds, 3),
        "train_accuracy": run.history[-1]["accuracy"],
        "final_train_accuracy": run.evaluate(training.x, training.labels)["accuracy"],
        "valid_accuracy": run.history[-1].get("valid_accuracy"),
        "test_accuracy": run.evaluate(tests.x, tests.labels)["accuracy"] if tests else None,
    }  # fmt: skip
    _write(folder, run, training, label, result, started)
    if as_json:
        options.print_json(result)
    elif not quiet:
        _print(result)


def _changed(
    plan: Preset, *, optimizer: str | None, learning_rate: float | None, epochs: int | None, batch_size: Any
) -> Preset:
    """The preset with what the command line sets otherwise."""
    if optimizer is not None:
        chosen, usual_rate = presets.optimizer(optimizer)
        plan = replace(plan, optimizer=chosen, learning_rate=usual_rate)
    if learning_rate is not None:
        plan = replace(plan, learning_rate=learning_rate)
    if epochs is not None:
        plan = replace(plan, epochs=epochs)
    if batch_size is not None:
        plan = replace(plan, batch_size=None if batch_size == "full" else batch_size)
    return plan


def _split(whole: Dataset, plan: Preset, valid: str | None, label: str | None) -> tuple[Dataset, Dataset | None]:
    """The rows to train on and those to validate on: a share held out, or data of their own."""
    try:
        share = plan.valid if valid is None else float(valid)
    except ValueError:
        return whole, facts.read_like(str(valid), whole, label)
    if share == 0:
        return whole, None
    if not 0 < share < 1:
        raise ConfigError(f"--valid takes a share above 0 and below 1, or a path; got {valid}.")
    return holdout(whole, share, _SPLIT_SEED)


def _write(
    folder: RunFolder, run: Run, training: Dataset, label: str | None, result: dict[str, Any], started: str
) -> None:
    """The model, run.json and, where its packages are there, the report."""
    source = {"name": training.name, "samples": len(training), "fingerprint": training.fingerprint}
    accuracy = {name: value for name, value in result.items() if name.endswith("_accuracy")}
    run.facts |= {
        "classes": list(training.classes),
        "label": label,
        "columns": None if training.columns is None else list(training.columns),
        "data": source | {"name": _without_path(training.name)},
        "preset": result["preset"],
        "training": run.config | {"steps": run.steps} | accuracy,
    }
    run.save(folder.model)
    folder.write(
        {
            "run": folder.path.name,
            "preset": result["preset"],
            "command": _command(),
            "started": started,
            "result": result,
            "config": run.config,
            "data": source | {"classes": list(training.classes)},
            "layers": facts.layers(run.model, run.input_shape),
            "versions": facts.versions(run.backend.package),
            "host": {"platform": platform.platform(), "cores": parallel.cores(), "workers": run.workers},
        }
    )
    if report.available():
        report.write_report(folder.path)


def _without_path(name: str) -> str:
    """A source's own name: equal data gives equal models wherever it lies, and a model tells nobody's folders."""
    own = os.path.basename(os.path.abspath(name))
    return f"{own}/" if os.path.isdir(name) else own  # a folder called mnist is not the built-in mnist


def _command() -> str:
    """The command line that repeats this run."""
    context = click.get_current_context()
    words = ["portanet", "train", *([context.params["data"]] if context.params["data"] else [])]
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
        value = context.params.get(str(option.name))
        if given and isinstance(option, click.Option) and option.name not in ("out", "as_json", "quiet", "debug"):
            text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [option.opts[0], text]
    return shlex.join(words)


def _print(result: dict[str, Any]) -> None:
    """The result for people."""
    names = {
        "train_accuracy": "training accuracy, last logged",
        "final_train_accuracy": "training accuracy of the saved model",
        "valid_accuracy": "validation accuracy",
        "test_accuracy": "test accuracy",
    }
    for key, name in names.items():
        if result[key] is not None:
            click.echo(f"{name:38}{result[key]:.2%}")
    steps = "1 step" if result["steps"] == 1 else f"{result['steps']} steps"
    click.echo(f"{steps} in {result['seconds']:.1f} s; everything is in {result['run']}")
    if not report.available():
        click.echo("no report.html: pip install 'portanet[report]', then portanet report " + result["run"])
