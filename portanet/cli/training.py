"""What portanet train does, in order: read, choose, split, train, measure, write."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from portanet import _machine, backends, report
from portanet.backends import Backend
from portanet.cli import config, facts, options, plans
from portanet.cli.plans import Job
from portanet.cli.signals import stopping
from portanet.metrics import Metric
from portanet.storage.history_file import HistoryFile
from portanet.storage.run_folder import RunFolder, require_empty
from portanet.training.callbacks import Callback, Row
from portanet.training.fit import fit
from portanet.training.model import TrainedModel
from portanet.training.progress import Progress
from portanet.training.resume import Checkpoints, Interrupted
from portanet.training.summary import layers


class _Keep(Callback):
    """Writes each row of the history to the run folder as soon as it is there."""

    def __init__(self, file: HistoryFile) -> None:
        self.file = file

    def begin(self, run: TrainedModel, steps: int) -> None:
        self.rows = run.history

    def log(self, row: Row) -> bool | None:
        self.file.update(self.rows)
        return None

    def end(self) -> None:
        if self.rows:
            self.file.finish(self.rows)


def train(
    *, out: Path | None, resume: bool, print_config: bool, as_json: bool, quiet: bool, workers: int | None,
    trace: bool, **settings: Any,
) -> None:  # fmt: skip
    """Trains, writes the run folder and prints the result."""

    def say(text: str) -> None:
        if not quiet:
            with contextlib.suppress(OSError):  # nobody reads it any more, which is no reason to stop
                print(text, file=sys.stderr, flush=True)  # through a bar that may be there, which click.echo goes past

    if out is not None and not resume:
        require_empty(out)
    chosen = backends.choose(settings["backend"], settings["device"], trace=trace)
    why = chosen.reason.partition(";")[0]  # without the remedy, which portanet doctor tells
    say(f"{chosen.name} on {chosen.device}" + (f" (auto: {why})" if settings["backend"] == "auto" else ""))
    job = plans.prepare(**settings)
    if print_config:
        click.echo(config.text(job.settings | {"workers": workers}), nl=False)
        return
    held_out = f", {len(job.validation)} held out" if job.validation else ""
    say(f"{job.source}: {len(job.training)} rows to train on{held_out}")
    for note in job.notes:
        say(note)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with _folder(out, settings["preset"], resume=resume, say=say) as folder:
        run = _fit(job, folder, chosen, workers, say, quiet=quiet)
        result = _result(job, run, folder)
        _write(job, run, folder, result, started)
    if as_json:
        options.print_json(result)
    elif not quiet:
        _print(result, run.task.metric)


@contextlib.contextmanager
def _folder(out: Path | None, name: str, *, resume: bool, say: Callable[[str], None]) -> Iterator[RunFolder]:
    """The run's folder, new or to be resumed, locked; a new one is removed again if nothing comes of it."""
    if resume:
        folder = RunFolder.open(out) if out is not None else RunFolder.unfinished(name)
        say(f"going on in {folder.path}")
    else:
        folder = RunFolder.create(out, name)
    with folder.locked() as note:
        if note:
            say(note)
        if not resume:
            require_empty(folder.path)  # another run may have had the folder, and the lock, since it was made
        try:
            yield folder
        finally:
            folder.drop_if_empty()


def _fit(
    job: Job, folder: RunFolder, chosen: Backend, workers: int | None, say: Callable[[str], None], *, quiet: bool
) -> TrainedModel:
    """The training; a signal lets it save where it stands, a second one does not wait for that."""
    checkpoints = Checkpoints(folder.path, say=say)
    history = HistoryFile(folder.history, say)
    plan, valid = job.plan, job.validation
    try:
        with stopping(checkpoints, say) as signals:
            return fit(
                job.model, job.training.x, job.training.labels,
                valid=(valid.x, valid.labels) if valid else None,
                loss=plan.loss, optimizer=plan.optimizer, schedule=plan.schedule, params=job.params,
                epochs=plan.epochs, batch_size=plan.batch_size or "full", log_every=plan.log_every,
                accumulate=plan.accumulate, backend=chosen, dtype=job.settings["dtype"], seed=job.settings["seed"],
                workers=workers, checkpoints=checkpoints,
                callbacks=[_Keep(history), *plan.callbacks, *([] if quiet else [Progress()])],
            )  # fmt: skip
    except Interrupted:
        command = shlex.join([*_command(), "--out", str(folder.path), "--resume"])
        with contextlib.suppress(OSError):
            click.echo(f"portanet: interrupted, and saved; to go on: {command}", err=True)
        raise SystemExit(128 + signals[0]) from None


def _result(job: Job, run: TrainedModel, folder: RunFolder) -> dict[str, Any]:
    score, names = run.task.metric.key, {"valid": job.validation, "test": job.tests}
    measured = {
        f"{name}_{score}": run.evaluate(data.x, data.labels)[score] if data else None for name, data in names.items()
    }
    return {
        "run": str(folder.path), "model": str(folder.model), "preset": job.settings["preset"],
        "backend": run.backend.name, "device": run.backend.device, "dtype": run.dtype, "seed": job.settings["seed"],
        "steps": run.steps, "seconds": round(run.seconds, 3),
        f"train_{score}": run.history[-1][score],
        f"final_train_{score}": run.evaluate(job.training.x, job.training.labels)[score],
        **measured,
    }  # fmt: skip


def _write(job: Job, run: TrainedModel, folder: RunFolder, result: dict[str, Any], started: str) -> None:
    """The model, run.json and, where its packages are there, the report."""
    training, settings = job.training, job.settings
    source = {"name": training.name, "samples": len(training), "fingerprint": training.fingerprint}
    scores = {name: value for name, value in result.items() if name.endswith(run.task.metric.key)}
    run.facts |= {
        "classes": list(training.classes),
        "label": settings["label"],
        "task": settings["task"],
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
            "command": shlex.join(_command()),
            "started": started,
            "result": result,
            "config": run.config,
            "settings": settings | {"backend": run.backend.name, "device": run.backend.device, "workers": run.workers},
            "data": source | {"classes": list(training.classes)},
            "layers": layers(run.model, run.params, run.input_shape),
            "versions": facts.versions(run.backend.package),
            "host": {"platform": platform.platform(), "cores": _machine.cores(), "workers": run.workers},
        }
    )
    if report.available():
        report.write_report(folder.path)


def _without_path(name: str) -> str:
    """A source's own name: equal data gives equal models wherever it lies, and a model tells nobody's folders."""
    own = os.path.basename(os.path.abspath(name))
    return f"{own}/" if os.path.isdir(name) else own  # a folder called mnist is not the built-in mnist


def _command() -> list[str]:
    """The words of the command line that repeats this run."""
    context = click.get_current_context()
    words = ["portanet", "train", *([context.params["data"]] if context.params["data"] else [])]
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
        value = context.params.get(str(option.name))
        if given and isinstance(option, click.Option) and config.name_of(option) not in config.OF_ONE_CALL:
            value = context.meta.get(config.PATH) if option.name == "tables" else value
            words += [option.opts[0], "x".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return words


def _print(result: dict[str, Any], metric: Metric) -> None:
    """The result for people."""
    names = {
        f"train_{metric.key}": f"training {metric.title}, last logged",
        f"final_train_{metric.key}": f"training {metric.title} of the saved model",
        f"valid_{metric.key}": f"validation {metric.title}",
        f"test_{metric.key}": f"test {metric.title}",
    }
    for key, name in names.items():
        if result[key] is not None:
            click.echo(f"{name:38}{metric.text(result[key])}")
    steps = "1 step" if result["steps"] == 1 else f"{result['steps']} steps"
    click.echo(f"{steps} in {result['seconds']:.1f} s; everything is in {result['run']}")
    if not report.available():
        click.echo("no report.html: pip install 'portanet[report]', then portanet report " + result["run"])
