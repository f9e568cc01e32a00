"""portanet rerun: repeat a run, and compare the results."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portanet._settings import flat, to_dict
from portanet._text import plain
from portanet.cli import options
from portanet.cli.terminal import echo, say
from portanet.errors import ConfigError
from portanet.mpi import launcher

if TYPE_CHECKING:
    from portanet.cli.plans import Job
    from portanet.storage.run_record import RunRecord
    from portanet.training.spec import TrainingSpec

Pair = tuple[Any, Any]  # a value of the run, and that of its repetition


def _check_places(run: Path, places: Mapping[str, Any]) -> None:
    """Refuse a place that was changed by hand to a value that its option does not take."""
    from portanet.cli import reading
    from portanet.training.inputs.tasks import Classify, Multilabel, Regress

    tasks, image, workers = (Classify.name, Regress.name, Multilabel.name), places["image"], places["workers"]
    is_valid = {name: _is_text(places[name]) for name in places} | {
        **reading.are_valid(places),
        "label": _is_text(places["label"]) or _are_texts(places["label"]),
        "task": places["task"] in tasks,
        "image": image is None or (isinstance(image, list) and len(image) == 3 and all(map(_is_size, image))),
        "workers": workers is None or _is_size(workers),
        "folds": _is_fold(places["fold"], places["folds"]),
        "fold": _is_fold(places["fold"], places["folds"]),
    }
    for name, valid in is_valid.items():
        if not valid:
            raise ConfigError(f"{run / 'run.json'}: its {name} cannot be {places[name]!r}.")


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _is_fold(fold: Any, folds: Any) -> bool:
    return (fold is None and folds is None) or (_is_size(fold) and _is_size(folds) and fold <= folds)


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep the new run.")
@options.as_json
@options.debug
def command(run: Path, out: Path | None, as_json: bool) -> None:
    """Repeat a run and say whether it gives the same result.

    RUN is the folder of a run that has ended; its settings, backend and number of threads are taken from its
    run.json. Call it from the folder where the run was started, so that the data is found. Exits with 1 where the
    model or the history differs, and says in what.
    """
    from portanet.storage.atomic import file_digest
    from portanet.storage.run_record import read_record

    if launcher.size() > 1:
        raise ConfigError("rerun repeats a run in one process; call it without mpiexec or srun.")
    record = read_record(run)
    spec = _spec(run, record)
    with _place(out, resumable=record.places.get("fold") is None) as again:
        _train(run, record, spec, again)
        digests = tuple(file_digest(folder / "model.safetensors") for folder in (run, again))
        found = _differences(run, again)
        rows = len(read_record(again).history)
    equal = digests[0] == digests[1] and "history" not in found
    if as_json:
        kept = None if out is None else str(out)
        options.print_json({"run": str(run), "out": kept, "equal": equal, "sha256": digests, "differences": found})
    elif equal:
        echo(f"equal: the model has the same bytes (sha256 {digests[0]}) and the history the same {rows} rows")
    else:
        echo(f"different from {plain(run, None)}:")
        for line in _lines(found) or ["numbers only: another processor, or another BLAS, rounds in another way"]:
            echo(f"  {line}")
    sys.exit(0 if equal else 1)


def _spec(run: Path, record: RunRecord) -> TrainingSpec:
    """The settings in run.json; raises an error if they differ from those of the model beside it."""
    from portanet.storage.model_file import load_model
    from portanet.training.spec import TrainingSpec
    from portanet.training.stopping import LIMITED

    path = run / "run.json"
    if not record.spec or not record.places:
        remedy = f"repeat its command: {record.command}" if record.command else "it cannot be repeated"
        raise ConfigError(f"{path} has no settings; {remedy}.")
    if record.result.get("stopped") == LIMITED:
        raise ConfigError(
            f"{run} was stopped by its time limit at step {record.result.get('steps')}, and a repetition would train "
            f"to the end; resume it first: {record.command} --out {run} --resume"
        )
    model = load_model(run / "model.safetensors")
    for name, trained in (model.spec | {"layers": to_dict(model.model)["layers"]}).items():
        if record.spec.get(name) != trained:
            raise ConfigError(
                f"{path} was changed by hand: its {name} is {record.spec.get(name)!r}, and the model beside it was "
                f"trained with {trained!r}; restore the file."
            )
    try:
        return TrainingSpec.from_dict(record.spec)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


@contextlib.contextmanager
def _place(out: Path | None, *, resumable: bool) -> Iterator[Path]:
    """The folder of the new run; it is removed afterwards unless `out` names it, or it can be resumed."""
    from portanet.storage.run_folder import require_empty

    if out is not None:
        require_empty(out)
        yield out
        return
    above = Path(tempfile.mkdtemp(prefix="portanet-rerun-"))
    try:
        yield above / "run"
    except BaseException as error:
        if not (isinstance(error, SystemExit) and resumable):  # the message has said how to resume from this folder
            shutil.rmtree(above, ignore_errors=True)
        raise
    shutil.rmtree(above, ignore_errors=True)


def places_of(run: Path, record: RunRecord) -> dict[str, Any]:
    """The sources of a run's data and its backend; raises ConfigError for a record that was changed by hand."""
    from portanet.cli import plans, reading

    newer = ("classes", "folds", "fold", *reading.NAMES)  # keys that older records lack
    places = dict.fromkeys(newer) | record.places
    if missing := [name for name in plans.PLACES if name not in places]:
        raise ConfigError(f"{run / 'run.json'}: its places do not name {', '.join(missing)}.")
    _check_places(run, places)
    image = places["image"] and tuple(places["image"])
    return places | {"image": image}


def job_of(spec: TrainingSpec, places: dict[str, Any]) -> Job:
    """The job of the run, with its data read again."""
    from portanet.cli import plans

    base = plans.base_of(places)
    return plans.prepare(spec, places, plans.read_all(places, base, spec.valid), base)


def _train(run: Path, record: RunRecord, spec: TrainingSpec, out: Path) -> None:
    """Train again; the progress goes to stderr."""
    from portanet.cli import training

    places = places_of(run, record)
    chosen = training.choose(places, say)
    job = job_of(spec, places)
    try:
        words = shlex.split(record.command or "portanet train")
    except ValueError as error:
        raise ConfigError(f"{run / 'run.json'}: its command cannot be read ({error}).") from error
    repeat = f"and cannot be resumed; to repeat it: {shlex.join(['portanet', 'rerun', str(run)])}"
    again = None if places["fold"] is None else repeat  # train --resume would train all folds
    training.run_job(job, chosen, out, words, say, again=again)


def _differences(run: Path, again: Path) -> dict[str, dict[str, Pair]]:
    """The differences in data, versions, settings and scores, and the first different row of the history.

    Except versions and history, all are read from the models, whose digests reveal changes by hand.
    """
    from portanet.storage.model_file import load_model
    from portanet.storage.run_record import read_record

    records = [read_record(folder) for folder in (run, again)]
    models = [load_model(folder / "model.safetensors") for folder in (run, again)]
    settings = [flat(file.spec | {"layers": to_dict(file.model)["layers"]}) for file in models]
    steps = [{"steps": file.about.get("steps")} for file in models]
    found = {
        "data": _unequal(*(file.about.get("data", {}) for file in models)),
        "versions": _unequal(*(record.versions for record in records)),
        "settings": _unequal(settings[0] | steps[0], settings[1] | steps[1]),
        "scores": _unequal(*(file.about.get("scores", {}) for file in models)),
        "history": _first_unequal(*(record.history for record in records)),
    }
    return {kind: different for kind, different in found.items() if different}


def _unequal(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Pair]:
    names = [*before, *(name for name in now if name not in before)]
    pairs = {name: (before.get(name), now.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name != "seconds"}


def _first_unequal(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> dict[str, Pair]:
    """The first different row, with its number from 1 as "row"; or the numbers of rows."""
    for number, pair in enumerate(zip(before, now), start=1):
        if different := _unequal(*pair):
            return {"row": (number, number), **different}
    return _unequal({"rows": len(before)}, {"rows": len(now)})


def _lines(found: dict[str, dict[str, Pair]]) -> list[str]:
    """One line for each kind of difference."""
    lines = []
    for kind, pairs in found.items():
        words = [
            f"{plain(name)} {_short(now)}, was {_short(before)}"
            for name, (before, now) in pairs.items()
            if name != "row"
        ]
        row = f"from row {pairs['row'][0]} on, " if "row" in pairs else ""
        more = f" and {len(words) - 6} more" if len(words) > 6 else ""
        lines.append(f"{kind:10}{row}{'; '.join(words[:6])}{more}")
    return lines


def _short(value: Any) -> str:
    """A value in one line; of a fingerprint, the first characters."""
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else plain(value, 200)
