"""How the run was set up and how it is repeated: layers, settings, versions, the command."""

from __future__ import annotations

from portanet.report import tables
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord


def section(record: RunRecord, evidence: Evidence | None = None) -> Object:
    """What templates/run.html.j2 shows."""
    settings = {name: value for name, value in record.spec.items() if name != "layers"}  # they have their own table
    folded = [("Settings", settings), ("Versions", record.versions)]
    return {
        "layers": tables.layers(record),
        "parameters": tables.parameters(record),
        "memory": tables.memory(record),
        "folded": [(title, tables.settings(content)) for title, content in folded if content],
        "command": record.command,
    }
