"""What portanet train does, in order: read, choose, split, train, measure, write."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
from pathlib import Path
from typing import Any

import click

from portanet import backend as backends
from portanet import parallel, report
from portanet.cli import config, facts, options, plans
from portanet.data import Dataset
from portanet.errors import ConfigError
from portanet.progress import Progress, figure
from portanet.runs import RunFolder, need_empty
from portanet.training import presets
from portanet.training.callbacks import Callback, Row
from portanet.training.config import with_tables
from portanet.training.fit import fit
from portanet.training.run import Run, load
from portanet.training.summary import layers


class _Keep(Callback):
    """Makes the run folder when training begins, and writes each row of the history to it as soon as it is there."""

    def __init__(self, out: Path | None, name: str) -> None:
        self.out, self.name = out, name

    def begin(self, run: Run, steps: int) -> None:
        self.folder = RunFolder.create(self.out, self.name)

    def end(self) -> None:
        self.folder.drop_if_empty()

    def log(self, row: Row) -> bool | None:
        self.folder.append(row)
        return None


def train(
    *, data: str | None, preset: str, label: str | None, image: Any, task: str, valid: str | None, test: str | None,
    backend: str, device: str | None, dtype: Any, seed: int, start: Path | None, freeze: str | None,
    class_weight: str | None, workers: int | None, out: Path | None, tables: dict[str, Any], print_config: bool,
    as_json: bool, quiet: bool, **changes: Any,
) -> None:  # fmt: skip
    """Trains, writes the run folder and prints the result."""

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    if freeze is not None and start is None:
        raise ConfigError("--freeze names layers of a trained model; name that model with --from.")
    plan = plans.changed(with_tables(plans.for_task(presets.preset(preset), task), tables), **changes)
    source = plan.data if data is None else data
    if out is not None:
        need_empty(out)
    chosen = backends.choose(backend, device)
    why = chosen.reason.partition(";")[0]  # without the remedy, which portanet doctor tells
    say(f"{chosen.name} on {chosen.device}" + (f" (auto: {why})" if backend == "auto" else ""))
    base = None if start is None else load(start)
    whole = plans.read(source, label, image, task, base)
    whole.need_labels()
    training, validation = plans.split(whole, plan, valid, label, task)
    tests = None if test is None else facts.read_like(test, whole, label, task)
    model, params = plans.model(plan, training, base, freeze, seed)
    plan = plans.weighted(plan, class_weight, training)
    batches = 1 if plan.batch_size is None else -(-len(training) // plan.batch_size)
    schedule = plan.schedule(plan.learning_rate, plan.epochs * batches)
    if print_config:
        given = {"data": source, "label": label, "image": image, "test": test, "device": device}
        given |= {"backend": backend, "workers": workers, "from": None if start is None else str(start)}
        given |= {"valid": plan.valid if valid is None else valid}
        given |= {"preset": preset, "task": task, "dtype": dtype, "seed": seed, "freeze": freeze}
        given |= plans.settings(plan, model, plan.epochs * batches, fixed=start is not None)
        click.echo(config.text(given), nl=False)
        return
    keep = _Keep(out, preset)
    say(f"{source}: {len(training)} rows to train on" + (f", {len(validation)} held out" if validation else ""))
    if base is not None and params is not None and training.classes != tuple(facts.class_names(base)):
        say(f"the last layer starts anew, for {source}: {len(training.classes) or 'no'} classes")

    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    run = fit(
        model, training.x, training.labels,
        valid=(validation.x, validation.labels) if validation else None,
        loss=plan.loss, optimizer=plan.optimizer, schedule=schedule, params=params,
        epochs=plan.epochs, batch_size=plan.batch_size or "full", log_every=plan.log_every,
        accumulate=plan.accumulate, backend=chosen, dtype=dtype, seed=seed, workers=workers,
        callbacks=[keep, *plan.callbacks, *([] if quiet else [Progress()])],
    )  # fmt: skip
    folder, score = keep.folder, run.task.score
    result = {
        "run": str(folder.path), "model": str(folder.model), "preset": preset,
        "backend": chosen.name, "device": chosen.device, "dtype": dtype, "seed": seed,
        "steps": run.steps, "seconds": round(run.seconds, 3),
        f"train_{score}": run.history[-1][score],
        f"final_train_{score}": run.evaluate(training.x, training.labels)[score],
        f"valid_{score}": run.evaluate(validation.x, validation.labels)[score] if validation else None,
        f"test_{score}": run.evaluate(tests.x, tests.labels)[score] if tests else None,
    }  # fmt: skip
    _write(folder, run, training, label, task, result, started)
    if as_json:
        options.print_json(result)
    elif not quiet:
        _print(result, score)


def _write(
    folder: RunFolder, run: Run, training: Dataset, label: str | None, task: str, result: dict[str, Any], started: str
) -> None:
    """The model, run.json and, where its packages are there, the report."""
    source = {"name": training.name, "samples": len(training), "fingerprint": training.fingerprint}
    scores = {name: value for name, value in result.items() if name.endswith(run.task.score)}
    run.facts |= {
        "classes": list(training.classes),
        "label": label,
        "task": task,
        "columns": None if training.columns is None else list(training.columns),
        "data": source | {"name": _without_path(training.name)},
        "preset": result["preset"],
        "training": run.config | {"steps": run.steps} | scores,
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
            "layers": layers(run.model, run.params, run.input_shape),
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


def _print(result: dict[str, Any], score: str) -> None:
    """The result for people."""
    word = {"accuracy": "accuracy", "r2": "R2"}[score]
    names = {
        f"train_{score}": f"training {word}, last logged",
        f"final_train_{score}": f"training {word} of the saved model",
        f"valid_{score}": f"validation {word}",
        f"test_{score}": f"test {word}",
    }
    for key, name in names.items():
        if result[key] is not None:
            click.echo(f"{name:38}{figure(score, result[key])}")
    steps = "1 step" if result["steps"] == 1 else f"{result['steps']} steps"
    click.echo(f"{steps} in {result['seconds']:.1f} s; everything is in {result['run']}")
    if not report.available():
        click.echo("no report.html: pip install 'portanet[report]', then portanet report " + result["run"])
