"""Pages for notebooks: a run's curves, or its full report."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from portanet.errors import PortanetError
from portanet.report import curves
from portanet.report.page import assemble, require_packages, write_html
from portanet.storage.run_record import RunRecord


@dataclass(frozen=True, repr=False)
class Page:
    """An HTML page, which a notebook shows in a frame.

    height  of the frame, in pixels
    """

    title: str
    html: str
    height: int = 720

    def __repr__(self) -> str:
        return f"Page({self.title!r}: write_html(path) saves it)"

    def _repr_html_(self) -> str:
        frame = f'title="{escape(self.title)}" width="100%" height="{self.height}" style="border:0"'
        return f'<iframe srcdoc="{escape(self.html)}" {frame}></iframe>'

    def write_html(self, path: str | Path) -> Path:
        """Write the page to one file, which opens offline, and return its path; raises DataError if that fails."""
        return write_html(Path(path), self.html)


def figure(record: RunRecord) -> Page:
    """The curves of a report as a page.

    Raises PortanetError if jinja2 is missing or the record has no history.
    """
    require_packages("plot")
    charts = curves.charts(record)
    if not charts:
        raise PortanetError(
            "the history is empty: model files do not contain it.",
            remedy="plot the model that fit returns, or open report.html in the run's folder",
        )
    return Page(record.name, assemble(record.name, "", "", [("figure", {"charts": charts})]), 380)
