"""The page: the record in a template, with the chart library inside it."""

from __future__ import annotations

import secrets
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from portanet.errors import PortanetError
from portanet.storage.atomic import write
from portanet.storage.run_record import RunRecord, read_record


def available() -> bool:
    """Whether the packages that a report needs are installed; finding out imports neither."""
    return all(find_spec(name) for name in ("plotly", "jinja2"))


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder, from its `run.json` and `history.jsonl`, and return its path.

    The page is one file without any outside reference. An older report stays whole until the new one is.
    Raises PortanetError where a package is missing or the folder's files cannot be read or written.
    """
    _require_packages()
    return write_page(run_folder / "report.html", read_record(run_folder))


def write_page(path: Path, record: RunRecord) -> Path:
    """Write the report of a record to a file, and return its path; raises as `write_report` does."""
    _require_packages()
    # A lone surrogate is legal in JSON and not in UTF-8.
    return write(path, _render(record).encode("utf-8", "replace"))


def _require_packages() -> None:
    if not available():
        raise PortanetError("report needs plotly and jinja2: pip install 'portanet[report]'")


def _render(record: RunRecord) -> str:
    import jinja2
    from plotly.offline import get_plotlyjs

    from portanet.report import tables
    from portanet.report.charts import charts

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        record=record,
        charts=charts(record),
        tables=tables,
        settings={name: value for name, value in record.spec.items() if name != "layers"},  # they have their own table
        plotly=get_plotlyjs(),
        # Only the page's own scripts know this word, so text that slipped past the escaping cannot run.
        nonce=secrets.token_urlsafe(16),
    )
