"""The steps of `portanet train`: read the data, choose the preset, split, train, measure, write."""

from __future__ import annotations

import contextlib
import datetime
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from portanet import backends
from portanet.backends import Backend
from portanet.cli import config, kinds, options, outcome, overrides, plans, reading, terminal
from portanet.cli.folder import locked_folder, to_resume
from portanet.cli.folds import Cut, require_foldable, train_folds
from portanet.cli.plans import Job
from portanet.cli.ranks import lead, leads, read_in_turn, sharing
from portanet.cli.signals import stopping
from portanet.cli.terminal import echo
from portanet.metrics import Metric
from portanet.mpi.ranks import Ranks
from portanet.storage.history_file import HistoryFile
from portanet.storage.run_folder import RunFolder, require_empty
from portanet.storage.snapshots_file import write_snapshots
from portanet.training import presets
from portanet.training.callbacks import Callback, Row
from portanet.training.checkpoints import Checkpoints
from portanet.training.fit import fit_spec
from portanet.training.loop.together import own_device
from portanet.training.model import TrainedModel
from portanet.training.progress import Progress
from portanet.training.snapshots import Snapshots
from portanet.training.stopping import INTERRUPTED, LIMITED, Stop

_COLUMNS = 19  # shown with their kinds, at most


class _Keep(Callback):
    """Writes each row of the history to the run folder as soon as it is ready."""

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
    trace: bool, time_limit: float | None, folds: int | None = None, ranks: Ranks | None = None,
    snapshots: bool = False, **settings: Any,
) -> None:  # fmt: skip
    """Train, write the run folder and print the result."""

    def say(text: str) -> None:
        if not quiet:
            terminal.say(text)

    if out is not None and not resume:
        lead(ranks, lambda: require_empty(out))
    start, valid, class_weight = settings.pop("start"), settings["valid"], settings.pop("class_weight")
    names = ("data", "label", "classes", "image", "test", "freeze", "backend", "device")
    places = {name: settings.pop(name) for name in names} | {"preset": settings["preset"], "task": settings["task"]}
    places |= reading.places(settings)
    places |= {"from": None if start is None else str(start), "valid": None if overrides.is_share(valid) else valid}
    places |= {"folds": folds, "fold": None}
    if folds is not None:
        require_foldable(places, time_limit, ranks)
    if places["data"] is None:
        places["data"] = presets.data(places["preset"])
    chosen = choose(places, say, trace=trace)
    if ranks:
        say(str(ranks))
    if ranks and places["device"] is None:
        chosen = own_device(ranks, chosen)
    if places["from"] is not None:
        overrides.require_no_layers(settings)
    places["task"] = settings["task"] = overrides.task_named_by(settings, places["classes"])
    base = plans.base_of(places)
    share = overrides.share_held_out(settings)
    whole = read_in_turn(ranks, places, lambda: plans.read_all(places, base, share))
    if places["preset"] is None:
        places["preset"] = settings["preset"] = presets.default(
            whole, None if base is None else base.about.get("preset", "")
        )
        if whole.table is not None:
            say(f"preset {places['preset']}, the default for {'this model' if base else 'tables'}")
    places["task"] = settings["task"] = plans.task_for(places["task"], whole)

    def job_of(fold: int | None = None) -> Job:
        changed = places | {"workers": workers, "fold": fold}
        return plans.prepare(overrides.spec_of(**settings), changed, whole, base, class_weight)

    if folds is not None and not print_config:
        train_folds(
            Cut(folds, job_of, places["preset"], _command()), run_job, out, chosen, say,
            resume=resume, quiet=quiet, as_json=as_json, snapshots=snapshots,
        )  # fmt: skip
        return
    job = job_of()
    if print_config:
        click.echo(config.text(job.settings()), nl=False)
        return
    result, metric = run_job(
        job, chosen, out, _command(), say, resume=resume, quiet=quiet, time_limit=time_limit, ranks=ranks,
        snapshots=snapshots,
    )  # fmt: skip
    if as_json:
        options.print_json(result)
    elif not quiet:
        outcome.show(result, metric)


def choose(places: dict[str, Any], say: Callable[[str], None], *, trace: bool = True) -> Backend:
    """The backend that the options name."""
    chosen = backends.choose(places["backend"], places["device"], trace=trace)
    why = chosen.reason.partition(";")[0]  # without the remedy, which portanet doctor shows
    say(f"{chosen.name} on {chosen.device}" + (f" (auto: {why})" if places["backend"] == "auto" else ""))
    return chosen


def run_job(
    job: Job, chosen: Backend, out: Path | None, command: list[str], say: Callable[[str], None], *,
    resume: bool = False, quiet: bool = False, time_limit: float | None = None, ranks: Ranks | None = None,
    snapshots: bool = False, again: str | None = None, notes: bool = True,
) -> tuple[dict[str, Any], Metric]:  # fmt: skip
    """Train and write the run folder; return the result and its metric.

    again  the command that resumes after an interruption; by default that of this run
    notes  whether to print the notes on columns and settings
    """
    kept = Snapshots() if snapshots else None
    held_out = f", {len(job.validation)} held out" if job.validation else ""
    say(f"{job.places['data']}: {len(job.training)} rows to train on{held_out}")
    table = job.training.table
    for note in [*(kinds.lines(table, job.training.x, _COLUMNS, learned=True) if table else ()), *job.notes]:
        if notes:
            say(note)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with locked_folder(out, job.places["preset"], resume=resume, say=say, ranks=ranks) as folder:
        watchers: list[Callback] = [] if quiet else [Progress()]
        watchers += [kept] if kept else []
        again = again or to_resume(command, folder.path)
        run = _fit(job, folder, chosen, again, say, watchers=watchers, stop=Stop(time_limit), ranks=ranks)
        with sharing(run, ranks):
            result = outcome.measured(job, run, folder)
        if leads(ranks):
            if kept:
                write_snapshots(folder.path, kept.kept)
            outcome.write(job, run, folder, command, result, started)
    return result, run.task.metric


def _fit(
    job: Job, folder: RunFolder, chosen: Backend, again: str, say: Callable[[str], None], *,
    watchers: list[Callback], stop: Stop, ranks: Ranks | None,
) -> TrainedModel:  # fmt: skip
    """Train the run; a signal saves it after the current step and stops, a second one stops at once."""
    checkpoints = Checkpoints(folder.path, say=say)
    history = HistoryFile(folder.history, say)
    with stopping(stop, say) as signals:
        run = fit_spec(
            job.spec, job.model, job.training, valid=job.validation, params=job.params, backend=chosen,
            workers=job.places["workers"], checkpoints=checkpoints,
            watchers=[*([_Keep(history)] if leads(ranks) else []), *watchers], stop=stop,
            ranks=ranks,
        )  # fmt: skip
    if run.stopped == INTERRUPTED:
        with contextlib.suppress(OSError):
            echo(f"portanet: interrupted, {again}", err=True)
        raise SystemExit(128 + (signals[0] if signals else signal.SIGTERM))  # another rank may have received the signal
    if run.stopped == LIMITED:
        say(f"the time limit stopped the run at step {run.steps}, {again}")
    return run


def _command() -> list[str]:
    """The command line that repeats this run, as a list of arguments."""
    context = click.get_current_context()
    words = ["portanet", "train", *([context.params["data"]] if context.params["data"] else [])]
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
        value = context.params.get(str(option.name))
        if given and isinstance(option, click.Option) and config.name_of(option) not in config.NOT_SETTINGS:
            value = context.meta.get(config.PATH) if option.name == "tables" else value
            for each in (value or ()) if option.multiple and not isinstance(value, str) else [value]:
                name = option.opts[0] if value or not option.secondary_opts else option.secondary_opts[0]
                words += [name, *([] if option.is_flag else [config.typed(config.name_of(option), each)])]
    return words
