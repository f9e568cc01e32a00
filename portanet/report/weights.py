"""The weights of the first layer as pictures, one for each unit or filter."""

from __future__ import annotations

import numpy as np

from portanet.report import png
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_BUDGET = 60_000  # bytes of all pictures, before compression
_SHOWN = 64
_SIDE = 64


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/weights.html.j2, the largest units first; None if weights are not pictures."""
    if evidence is None or evidence.filters is None:
        return None
    filters = evidence.filters.astype(np.float64)
    step = -(-max(filters.shape[2:]) // _SIDE)
    pictures = filters.mean(axis=1)[:, ::step, ::step]  # over the channels
    order = np.argsort(-np.square(filters).sum(axis=(1, 2, 3)), kind="stable")
    shown = order[: max(4, min(_SHOWN, _BUDGET // pictures[0].size))].tolist()
    return {
        "pictures": [(unit, png.as_uri(png.diverging(pictures[unit]), png.PALETTE)) for unit in shown],
        "units": len(filters),
        "coloured": filters.shape[1] > 1,
        "patch": " x ".join(map(str, filters.shape[2:])),
    }
