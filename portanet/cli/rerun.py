"""portanet rerun: a run once more, beside the first."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from portanet.cli import config, options
from portanet.errors import ConfigError
from portanet.metrics import LOSS, METRICS

_SCORES = tuple(metric.key for metric in METRICS if metric is not LOSS)
Pair = tuple[Any, Any]  # what the run has, and what the repetition has


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep the new run, and its settings as DIR.toml."
)
@options.as_json
@options.debug
def command(run: Path, out: Path | None, as_json: bool) -> None:
    """Repeat a run and say whether it gives the same result.

    RUN is the folder of a run that has ended; its settings, backend and number of threads are taken from its
    run.json. Call it from the folder where the run was started, so that the data is found. Exits with 1 where the
    model or the history differs, and says in what.
    """
    from portanet.storage.atomic import file_digest

    settings = _settings(run)
    with _place(out) as (file, again):
        _train(run, settings, file, again)
        digests = tuple(file_digest(folder / "model.safetensors") for folder in (run, again))
        rows, found = _differences(run, again)
    equal = digests[0] == digests[1] and "history" not in found
    if as_json:
        kept = None if out is None else str(out)
        options.print_json({"run": str(run), "out": kept, "equal": equal, "sha256": digests, "differences": found})
    elif equal:
        click.echo(f"equal: the model has the same bytes (sha256 {digests[0]}) and the history the same {rows} rows")
    else:
        click.echo(f"different from {run}:")
        for line in _lines(found) or ["numbers only: another processor, or another BLAS, rounds in another way"]:
            click.echo(f"  {line}")
    sys.exit(0 if equal else 1)


def _settings(run: Path) -> dict[str, Any]:
    """The settings in run.json, as `train --print-config` prints them."""
    from portanet.report.record import read_record
    from portanet.storage.model_file import load_model

    record, path = read_record(run), run / "run.json"
    settings = json.loads(path.read_text(encoding="utf-8")).get("settings")
    if settings is None:
        remedy = f"repeat its command: {record.command}" if record.command else "it cannot be repeated"
        raise ConfigError(f"{path} has no settings, as an older portanet wrote it; {remedy}.")
    if not isinstance(settings, dict):
        raise ConfigError(f'{path}: "settings" must be a JSON object, got {type(settings).__name__}.')
    trained = load_model(run / "model.safetensors")[2].get("training", {})
    for name, value in trained.items():
        if name != "schedule" and name in settings and settings[name] != value:  # a schedule is written in two ways
            raise ConfigError(
                f"{path} was changed by hand: its {name} is {settings[name]!r}, and the model beside it was trained "
                f"with {value!r}; take the file as it was."
            )
    return settings


@contextlib.contextmanager
def _place(out: Path | None) -> Iterator[tuple[Path, Path]]:
    """Where the settings and the new run go. What is not to be kept goes again, unless a signal stops the training."""
    from portanet.storage.run_folder import require_empty

    if out is not None:
        require_empty(out)
        if (file := out.with_name(f"{out.name}.toml")).exists():
            raise ConfigError(f"{file} exists already.", remedy="choose another folder with out=FOLDER")
        yield file, out
        return
    above = Path(tempfile.mkdtemp(prefix="portanet-rerun-"))
    try:
        yield above / "settings.toml", above / "run"
    except SystemExit:  # the training has said how it can go on, from this folder
        raise
    except BaseException:
        shutil.rmtree(above, ignore_errors=True)
        raise
    shutil.rmtree(above, ignore_errors=True)


def _train(run: Path, settings: dict[str, Any], file: Path, out: Path) -> None:
    """What `portanet train` does with these settings; the progress goes to stderr, the result nowhere."""
    from portanet.cli import train
    from portanet.storage import atomic

    try:
        text = config.text(settings)
    except TypeError as error:  # TOML cannot hold it
        raise ConfigError(f"{run / 'run.json'}: its settings are no configuration ({error}).") from error
    atomic.write(file, text)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            train.command.main(["--config", str(file), "--out", str(out)], "portanet train", standalone_mode=False)
    except click.UsageError as error:
        raise ConfigError(f"{run / 'run.json'}: {error.format_message()}") from error
    except ConfigError as error:
        told = error.message.replace(str(file), f"the settings in {run / 'run.json'}")
        raise ConfigError(told, remedy=error.remedy) from error


def _differences(run: Path, again: Path) -> tuple[int, dict[str, dict[str, Pair]]]:
    """How many rows the history has, and what differs: data, versions, settings, scores, the first row that does.

    All but versions and history is read from the models, which nobody can change by hand without it being seen.
    """
    from portanet._settings import flat, to_dict
    from portanet.report.record import read_record
    from portanet.storage.model_file import load_model

    records = [read_record(folder) for folder in (run, again)]
    models = [load_model(folder / "model.safetensors") for folder in (run, again)]
    trained = [flat(facts.get("training", {}) | {"layers": to_dict(model)}) for model, _, facts in models]
    pairs = _unequal(*trained)
    found = {
        "data": _unequal(*(facts.get("data", {}) for *_, facts in models)),
        "versions": _unequal(*(record.versions for record in records)),
        "settings": {name: pair for name, pair in pairs.items() if not name.endswith(_SCORES)},
        "scores": {name: pair for name, pair in pairs.items() if name.endswith(_SCORES)},
        "history": _first_unequal(*(record.history for record in records)),
    }
    return len(records[1].history), {kind: different for kind, different in found.items() if different}


def _unequal(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Pair]:
    names = [*before, *(name for name in now if name not in before)]
    pairs = {name: (before.get(name), now.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name != "seconds"}


def _first_unequal(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> dict[str, Pair]:
    """The first row that differs, under "row" its number from 1; or how many rows there are."""
    for number, pair in enumerate(zip(before, now), start=1):
        if different := _unequal(*pair):
            return {"row": (number, number), **different}
    return _unequal({"rows": len(before)}, {"rows": len(now)})


def _lines(found: dict[str, dict[str, Pair]]) -> list[str]:
    """One line for each kind of difference."""
    lines = []
    for kind, pairs in found.items():
        words = [
            f"{name} {_short(now)}, was {_short(before)}" for name, (before, now) in pairs.items() if name != "row"
        ]
        row = f"from row {pairs['row'][0]} on, " if "row" in pairs else ""
        more = f" and {len(words) - 6} more" if len(words) > 6 else ""
        lines.append(f"{kind:10}{row}{'; '.join(words[:6])}{more}")
    return lines


def _short(value: Any) -> str:
    """A value in a line; a fingerprint by its beginning."""
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)
