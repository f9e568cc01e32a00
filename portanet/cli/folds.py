"""portanet train --folds: one run for each fold, tested on that fold, and the mean and spread of the scores."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portanet._text import plain
from portanet.backends import Backend
from portanet.cli import options
from portanet.cli.folder import locked_folder, to_resume
from portanet.cli.plans import Job
from portanet.cli.terminal import echo
from portanet.errors import ConfigError, DataError
from portanet.metrics import LOSS, METRICS, R2, Metric
from portanet.mpi.ranks import Ranks
from portanet.storage import atomic
from portanet.storage.fold_folder import FOLD, SUMMARY
from portanet.storage.run_record import RunRecord, has_ended, read_record
from portanet.training.cross_validation import Folds

Run = Callable[..., tuple[dict[str, Any], Metric]]
"""Trains a job in a folder, as `cli.training.run_job` does."""


@dataclass(frozen=True)
class Cut:
    """A cross-validation: the number of folds, the job of each by its number from 1, the preset and the command."""

    folds: int
    job_of: Callable[[int], Job]
    name: str
    command: list[str]


def require_foldable(places: Mapping[str, Any], time_limit: float | None, ranks: Ranks | None) -> None:
    """Raise ConfigError for options that cannot be combined with --folds."""
    if (folds := places["folds"]) < 2:
        raise ConfigError(f"--folds takes an integer of at least 2, got {folds}; leave it out for one run.")
    others = {
        "--test": (places["test"], "each fold is tested on its own rows"),
        "--valid DATA": (places["valid"], "hold out a fraction of the other rows instead, as with --valid 0.2"),
        "--from": (places["from"], "that model may have learned from the rows that a fold is tested on"),
        "--time-limit": (time_limit, "it is for one run"),
    }
    for option, (value, why) in others.items():
        if value is not None:
            raise ConfigError(f"{option} does not go together with --folds: {why}.")
    if ranks is not None:
        raise ConfigError("--folds trains in one process; call it without mpiexec or srun.")


def train_folds(
    cut: Cut, run: Run, out: Path | None, chosen: Backend, say: Callable[[str], None], *,
    resume: bool, quiet: bool, as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """Train the unfinished folds, write the summary and print the scores; settings are those of `run`."""
    results: list[dict[str, Any]] = []
    with locked_folder(out, f"{cut.name}-folds", resume=resume, say=say, of_folds=True) as folder:
        again = to_resume(cut.command, folder.path)
        for number in range(1, cut.folds + 1):
            place, job = folder.path / FOLD.format(number), cut.job_of(number)
            say(f"fold {number} of {cut.folds}: {len(job.tests or ())} rows to test on, in {place}")
            result = _finished(place, job) if resume else None
            if result is None:
                words = {"command": cut.command, "again": again, "say": say, "quiet": quiet, "notes": number == 1}
                result, _ = run(job, chosen, place, resume=resume and place.exists(), **words, **settings)
            results.append(result)
            if not quiet and not as_json:
                echo(_line(number, result))
        summary = _summary(cut, folder.path, results)
        atomic.write(folder.path / SUMMARY, json.dumps(summary, indent=2) + "\n")
    if as_json:
        options.print_json(summary)
    elif not quiet:
        _show(summary)


def _finished(place: Path, job: Job) -> dict[str, Any] | None:
    """The result of a finished fold, None if unfinished; raises ConfigError if it had other settings or rows."""
    if not has_ended(place):
        return None
    record = read_record(place)
    own = {"folds": record.places.get("folds"), "fold": record.places.get("fold"),
           "rows or labels": record.data.get("fingerprint"), "settings": record.spec}  # fmt: skip
    asked = {"folds": job.places["folds"], "fold": job.places["fold"], "rows or labels": job.training.fingerprint,
             "settings": json.loads(json.dumps(job.spec.to_dict()))}  # fmt: skip
    if other := [name for name, value in asked.items() if own[name] != value]:
        raise ConfigError(
            f"{place} was trained with other {other[0]} than are asked for now.",
            remedy="repeat the command as it was, or choose another folder with out=FOLDER",
        )
    return _checked(place, record)


def _checked(place: Path, record: RunRecord) -> dict[str, Any]:
    """The result in a record, if it has the entries of the summary."""
    for part in ("scores", "baseline"):
        scores = record.result.get(part)
        if not isinstance(scores, dict) or not _are_numbers(scores.get("test")):
            raise DataError(f"{place / 'run.json'} has no {part} of its test rows; remove {place} to train it again.")
    return record.result


def _are_numbers(scores: Any) -> bool:
    return isinstance(scores, dict) and bool(scores) and all(type(value) in (int, float) for value in scores.values())


def _summary(cut: Cut, place: Path, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread of the scores on the folds, as plain data."""
    scores = Folds((), tuple(result["scores"]["test"] for result in results))
    simple = Folds((), tuple(result["baseline"]["test"] for result in results))
    each = [result.get("targets", {}).get("test", {}) for result in results]
    targets = {
        name: {"mean": found.mean, "spread": found.spread}
        for name in each[0] for found in [Folds((), tuple(scores[name] for scores in each))]
    }  # fmt: skip
    return {
        "run": str(place), "command": shlex.join(cut.command), "folds": cut.folds, "mean": scores.mean,
        "spread": scores.spread, "baseline": simple.mean, **({"targets": targets} if targets else {}),
        "scores": list(scores.scores), "runs": [result["run"] for result in results],
        "seconds": sum(result["seconds"] for result in results),
    }  # fmt: skip


def _known(scores: Mapping[str, float]) -> list[Metric]:
    """The metrics of the scores, the task's own first."""
    return [metric for metric in METRICS if metric.key in scores]


def _line(number: int, result: dict[str, Any]) -> str:
    scores = result["scores"]["test"]
    first, *others = _known(scores)
    shown = [first, LOSS] if "targets" in result else [first, *others]  # errors of several targets have no common unit
    texts = [f"{metric.key} {metric.text(scores[metric.key])}" for metric in shown]
    return f"fold {number}  {'  '.join(texts)}  samples {scores['samples']}"


def _show(summary: dict[str, Any]) -> None:
    """Print mean and spread: of the task's own metric with its baseline, then of the others."""
    mean, spread = summary["mean"], summary["spread"]
    first, *others = _known(mean)
    simple = "always predicting the mean" if first is R2 else "always predicting the commonest class"
    beside = f"  ({simple}: {first.text(summary['baseline'][first.key])})"
    echo(f"{first.key} {_both(first, mean, spread)} over {summary['folds']} folds{beside}")
    for metric in others if "targets" not in summary else ():
        echo(f"{metric.key} {_both(metric, mean, spread)}")
    for name, found in summary.get("targets", {}).items():
        texts = [f"{metric.key} {_both(metric, found['mean'], found['spread'])}" for metric in _known(found["mean"])]
        echo(f"  {plain(name)}  {'  '.join(texts)}")
    echo(f"{summary['seconds']:.1f} s; everything is in {summary['run']}, the scores in {SUMMARY}")
    echo(f"to learn from all rows: {_on_all_rows(summary['command'])}")
    echo(f"or take the model of a fold: portanet predict {shlex.quote(summary['runs'][0])} DATA; also evaluate, report")


def _on_all_rows(command: str) -> str:
    """The same command without its folds."""
    words = shlex.split(command)
    if "--folds" not in words:
        return f"{command}, without the folds of its configuration file"
    place = words.index("--folds")
    return shlex.join([*words[:place], *words[place + 2 :]])


def _both(metric: Metric, mean: Mapping[str, float], spread: Mapping[str, float]) -> str:
    """The mean and the standard deviation of a score; for an error in a unit, the latter with two digits."""
    deviation = spread[metric.key]
    return f"{metric.text(mean[metric.key])} ± {f'{deviation:.2g}' if 'g' in metric.format else metric.text(deviation)}"
