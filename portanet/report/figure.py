"""The curves of a run side by side in one Plotly figure, which a notebook shows and which can be saved."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from portanet.errors import PortanetError
from portanet.report.charts import charts
from portanet.storage.run_record import RunRecord

_AXIS = ("title", "tickformat", "hoverformat", "exponentformat", "dtick", "automargin")


def figure(record: RunRecord) -> Any:
    """A `plotly.graph_objects.Figure` of the report's curves.

    Raises PortanetError where Plotly is missing, or the record has no history.
    """
    if not find_spec("plotly"):
        raise PortanetError("plot needs plotly: pip install 'portanet[report]'")
    from plotly.subplots import make_subplots

    drawn = charts(record)
    if not drawn:
        raise PortanetError(
            "there is no history to plot: a model file keeps none.",
            remedy="plot the model that fit returns, or open report.html in the run's folder",
        )
    whole = make_subplots(rows=1, cols=len(drawn), subplot_titles=[chart["title"] for chart in drawn])
    for number, chart in enumerate(drawn, start=1):
        for line in chart["data"]:
            named = {"legendgroup": line["name"], "showlegend": number == 1 and len(chart["data"]) > 1}
            whole.add_trace(line | named, row=1, col=number)
        for update, axis in ((whole.update_xaxes, "xaxis"), (whole.update_yaxes, "yaxis")):
            given = chart["layout"][axis]
            update(row=1, col=number, **{name: given[name] for name in _AXIS if given.get(name) is not None})
    whole.update_layout(hovermode="x unified", height=360, margin={"l": 16, "r": 16, "t": 48, "b": 24})
    return whole
