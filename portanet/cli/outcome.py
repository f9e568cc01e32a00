"""The outcome of a run: measured, written into its folder, and printed."""

from __future__ import annotations

import os
import platform
import shlex
from typing import Any

import numpy as np

from portanet import _machine, report
from portanet._text import plain
from portanet.cli import facts
from portanet.cli.plans import Job
from portanet.cli.terminal import echo
from portanet.data import Dataset
from portanet.metrics import RMSE, Metric
from portanet.storage.run_folder import RunFolder
from portanet.storage.run_record import RunRecord, write_record
from portanet.training.model import TrainedModel
from portanet.training.trained.measure import measure, target_names
from portanet.training.trained.report import evidence_of
from portanet.training.trained.scores import baseline
from portanet.training.trained.summary import layers


def measured(job: Job, run: TrainedModel, folder: RunFolder) -> dict[str, Any]:
    """The scores, steps and seconds of the run, with the paths of its files."""
    score, names = run.task.metric.key, {"valid": job.validation, "test": job.tests}
    measures = {name: run.evaluate(data) if data else {} for name, data in names.items()}
    targets = {name: values.pop("targets") for name, values in measures.items() if "targets" in values}
    labels = job.training.require_targets()
    simple = {name: baseline(run.task, labels, data.require_targets()) if data else {} for name, data in names.items()}
    return {
        "run": str(folder.path), "model": str(folder.model), "preset": job.places["preset"],
        "backend": run.backend.name, "device": run.backend.device, "dtype": run.dtype, "seed": job.spec.seed,
        "steps": run.steps, "seconds": round(run.seconds, 3), "stopped": run.stopped,
        f"train_{score}": run.history[-1][score],
        f"final_train_{score}": _score(run, job.training),
        **{f"{name}_{score}": values.get(score) for name, values in measures.items()},
        "scores": measures,
        "baseline": simple,
        **_of_targets(job, run, names, targets),
    }  # fmt: skip


def _of_targets(job: Job, run: TrainedModel, rows: dict[str, Dataset | None], found: dict[str, Any]) -> dict[str, Any]:
    """The scores of each target, as in `found`, with its baseline; empty for a single target."""
    labels, names = job.training.require_targets(), target_names(run)
    simple = {
        name: {
            target: baseline(run.task, labels[:, [i]], data.require_targets()[:, [i]]) for i, target in enumerate(names)
        } for name, data in rows.items() if data
    }  # fmt: skip
    return {"targets": found, "targets_baseline": simple} if names else {}


def _score(run: TrainedModel, data: Dataset) -> float:
    """The task's own metric alone, which needs no extra memory."""
    with run.backend.session(run.dtype):
        return measure(run, *run.labelled(data))[run.task.metric.key]


def write(
    job: Job, run: TrainedModel, folder: RunFolder, command: list[str], result: dict[str, Any], started: str
) -> None:
    """Write the model, run.json and, if its packages are installed, the report."""
    training, preset = job.training, job.places["preset"]
    source = {"name": training.name, "samples": len(training), "fingerprint": training.fingerprint}
    scores = {name: value for name, value in result.items() if name.endswith(run.task.metric.key)}
    run.about = {
        "data": source | {"name": _without_path(training.name)}, "preset": preset, "steps": run.steps, "scores": scores,
    }  # fmt: skip
    run.save(folder.model)
    record = RunRecord(
        name=folder.path.name,
        preset=preset,
        command=shlex.join(command),
        started=started,
        result=result,
        spec=run.spec.to_dict(),
        places=job.places | {"backend": run.backend.name, "device": run.backend.device, "workers": run.workers},
        data=source | {"classes": list(training.classes)} | _sizes(job),
        versions=facts.versions(run.backend.package),
        host={"platform": platform.platform(), "cores": _machine.cores(), "workers": run.workers},
        layers=layers(run.model, run.params, run.input_shape),
    )
    write_record(folder.path, record)
    if report.available():
        rows, data = shown_rows(job)
        report.write_report(folder.path, evidence_of(run, rows, data))


def shown_rows(job: Job) -> tuple[str, Dataset]:
    """The rows that a report measures on: validation rows, else test rows, else training rows."""
    if job.validation is not None:
        return "validation", job.validation
    return ("test", job.tests) if job.tests is not None else ("training", job.training)


def _sizes(job: Job) -> dict[str, Any]:
    """The shape of a row, the rows of each class, and the numbers of validation and test rows."""
    training = job.training
    sizes: dict[str, Any] = {"shape": list(training.x.shape[1:])}
    if training.classes:
        sizes["counts"] = np.bincount(training.require_targets(), minlength=len(training.classes)).tolist()
    others = {"validation rows": job.validation, "test rows": job.tests}
    return sizes | {name: len(data) for name, data in others.items() if data is not None}


def _without_path(name: str) -> str:
    """A source's name without its folder: equal data give equal models, and a model does not reveal paths."""
    own = os.path.basename(os.path.abspath(name))
    return f"{own}/" if os.path.isdir(name) else own  # a folder called mnist is not the built-in mnist


def _beside(simple: dict[str, float], measures: dict[str, float], metric: Metric) -> str:
    """The score of the constant baseline on the same rows, in parentheses."""
    if not simple:
        return ""
    if RMSE.key not in simple:
        return f"  (always predicting the commonest class: {metric.text(simple[metric.key])})"
    errors = [RMSE.text(values[RMSE.key]) for values in (measures, simple)]
    return f"  (root mean squared error {errors[0]}; always predicting the mean: {errors[1]})"


def show(result: dict[str, Any], metric: Metric) -> None:
    """Print the result."""
    names = {
        f"train_{metric.key}": f"training {metric.title}, last logged",
        f"final_train_{metric.key}": f"training {metric.title} of the saved model",
        f"valid_{metric.key}": f"validation {metric.title}",
        f"test_{metric.key}": f"test {metric.title}",
    }
    for key, name in names.items():
        if result[key] is not None:
            rows = key.removesuffix(f"_{metric.key}")
            targets = result.get("targets", {}).get(rows, {})
            beside = _beside(result["baseline"].get(rows, {}), result["scores"].get(rows, {}), metric)
            echo(f"{name:38}{metric.text(result[key])}{f'  (mean of {len(targets)} targets)' if targets else beside}")
            for target, scores in targets.items():
                beside = _beside(result["targets_baseline"][rows][target], scores, metric)
                echo(f"  {plain(target):36}{metric.text(scores[metric.key])}{beside}")
    steps = "1 step" if result["steps"] == 1 else f"{result['steps']} steps"
    echo(f"{steps} in {result['seconds']:.1f} s; everything is in {result['run']}")
    if not report.available():
        echo("no report.html: pip install 'portanet[report]', then portanet report " + result["run"])
