"""The set-up of a run: layers, settings, versions, and the command that repeats it."""

from __future__ import annotations

from portanet.report import tables
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord


def section(record: RunRecord, evidence: Evidence | None = None) -> Object:
    """Return the content of templates/run.html.j2."""
    settings = {name: value for name, value in record.spec.items() if name != "layers"}  # layers have a table
    folded = [("Settings", settings), ("Versions", record.versions)]
    return {
        "layers": tables.layers(record),
        "parameters": tables.parameters(record),
        "memory": tables.memory(record),
        "folded": [(title, tables.settings(content)) for title, content in folded if content],
        "command": record.command,
    }
