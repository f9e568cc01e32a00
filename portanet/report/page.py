"""The page: sections, each with a template, in one file with style and script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from portanet.errors import PortanetError
from portanet.storage.atomic import write
from portanet.storage.run_record import RunRecord, read_record

if TYPE_CHECKING:
    from portanet.report.evidence import Evidence


def available() -> bool:
    """Whether the package that a report needs is installed; it is not imported."""
    return find_spec("jinja2") is not None


def write_report(run_folder: Path, evidence: Evidence | None = None, note: str = "") -> Path:
    """Write `report.html` into a run folder, from its `run.json` and `history.jsonl`, and return its path.

    The page is one file without external references. It replaces an older report atomically. Raises PortanetError if a
    package is missing or the folder's files cannot be read or written.

    evidence  the model's predictions on labelled rows; without any, the page says so
    note      why there are none
    """
    require_packages()
    return write_page(run_folder / "report.html", read_record(run_folder), evidence, note)


def write_page(path: Path, record: RunRecord, evidence: Evidence | None = None, note: str = "") -> Path:
    """Write the report of a record to a file, and return its path; raises as `write_report` does."""
    return write_html(path, page(record, evidence, note))


def write_html(path: Path, html: str) -> Path:
    """Write a page to a file and return its path."""
    # A lone surrogate is legal in JSON and not in UTF-8.
    return write(path, html.encode("utf-8", "replace"))


def page(record: RunRecord, evidence: Evidence | None = None, note: str = "") -> str:
    """The report of one run as HTML."""
    from portanet.report import calibration, columns, confusion, curves, errors, gallery, headline, rows, run, weights

    modules = (headline, curves, errors, confusion, calibration, gallery, columns, weights, rows, run)
    note = note or ("" if evidence else "The page was written without labelled rows, so it shows no predictions.")
    lead = f"Preset {record.preset}" if record.preset else "Custom model"
    if record.started:
        lead += f", started {_day(record.started)}"
    return assemble(record.name, lead, note if record.result else "", sections(modules, record, evidence))


def _day(started: str) -> str:
    """An ISO time in a readable form; other text unchanged."""
    try:
        return f"{datetime.fromisoformat(started):%-d %B %Y, %H:%M %Z}".strip()
    except ValueError:
        return started


def sections(modules: Sequence[ModuleType], *arguments: Any) -> list[tuple[str, Any]]:
    """The name and the content of each section that has any; its template has the same name."""
    contents = [(module.__name__.rpartition(".")[2], module.section(*arguments)) for module in modules]
    return [(name, content) for name, content in contents if content is not None]


def assemble(title: str, lead: str, note: str, contents: list[tuple[str, Any]]) -> str:
    """The page with these sections as HTML."""
    require_packages()
    style, script = (_asset(name) for name in ("style.css", "page.js"))
    readings = {c.key: {"points": c.reading, "title": c.title} for c in _charts(contents)}
    return str(
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title, lead=lead, note=note, sections=contents, style=style, script=script, filename=title[:80],
            readings=readings, allowed={"style": _digest(style), "script": _digest(script)},
        )
    )  # fmt: skip


def _charts(contents: list[tuple[str, Any]]) -> list[Any]:
    lists = [content.get("charts", [content["chart"]] if "chart" in content else []) for _, content in contents]
    return [chart for charts in lists for chart in charts]


@cache
def _environment() -> Any:
    import jinja2

    def text(name: str) -> str | None:
        file = files(__package__).joinpath("templates", name)
        return file.read_text(encoding="utf-8") if file.is_file() else None

    return jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=jinja2.FunctionLoader(text),
    )  # fmt: skip


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The hash by which the content security policy allows this text, and nothing that escaping has missed."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def require_packages(caller: str = "report") -> None:
    """Raise PortanetError unless the packages of a page are installed."""
    if not available():
        raise PortanetError(f"{caller} needs jinja2: pip install 'portanet[report]'")
