"""portanet report: write a run's report again, or compare several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from portanet.cli import options
from portanet.cli.terminal import echo, say
from portanet.errors import ConfigError, PortanetError

if TYPE_CHECKING:
    from portanet.report.evidence import Evidence
    from portanet.storage.run_record import RunRecord


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write.  [default: RUN/report.html; for several, runs.html]"
)
@click.option("--force", is_flag=True, help="Replace the file that --out names, or runs.html, if it exists.")
@options.debug
def command(runs: tuple[Path, ...], out: Path | None, force: bool) -> None:
    """Write a run's report again, as one HTML file; of several runs, one that compares them side by side.

    RUN is the folder of a run. Its data is read again to show what the model answers, so call it from the
    folder where the run was started; where the data is gone, the report says so and shows the rest. The file
    opens offline.
    """
    from portanet.data.files import require_free
    from portanet.report.page import write_page, write_report
    from portanet.storage.run_record import read_record

    if len(runs) > 1:
        from portanet.report.beside import write_beside

        out = Path("runs.html") if out is None else out
        require_free(out, force=force)
        echo(write_beside(out, [read_record(run) for run in runs]))
        return
    if out is not None:
        require_free(out, force=force)
    [run] = runs
    record = read_record(run)
    evidence, note = _evidence(run, record)
    if note and record.result:
        say(f"portanet: {note}")
    echo(write_report(run, evidence, note) if out is None else write_page(out, record, evidence, note))


def _evidence(run: Path, record: RunRecord) -> tuple[Evidence | None, str]:
    """The model's predictions for the rows of the run, read again, or the reason why there are none."""
    from portanet.cli import outcome, rerun
    from portanet.training.model import load
    from portanet.training.spec import TrainingSpec
    from portanet.training.trained.report import evidence_of

    if not record.result:
        return None, ""
    try:
        job = rerun.job_of(TrainingSpec.from_dict(record.spec), rerun.places_of(run, record))
        if job.training.fingerprint != record.data.get("fingerprint"):
            raise ConfigError(f"{job.training.name} holds other rows than when the run was made")
        return evidence_of(load(run / "model.safetensors"), *outcome.shown_rows(job)), ""
    except PortanetError as error:
        return None, f"Nothing is measured here: {str(error).rstrip('.')}."
