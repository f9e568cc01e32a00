"""The explorer: a model as one HTML page, whose JavaScript runs the network with the embedded weights."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from portanet._typing import HostArray
from portanet.errors import ModelError
from portanet.export.graph import Graph
from portanet.export.packing import pack

_COMMON = (
    "tensors.js", "operators.js", "gradient.js", "network.js", "elements.js", "paint.js", "answers.js", "stages.js",
    "flow.js", "unit.js", "csv.js", "files.js", "replay.js",
)  # fmt: skip
_FOR_IMAGES = ("picture.js", "pad.js", "images.js")
_FOR_TABLES = ("cells.js", "fields.js", "curves.js", "regions.js", "tables.js")


def explorer_page(graph: Graph, facts: Mapping[str, Any], arrays: Mapping[str, HostArray]) -> str:
    """Return the text of the page; equal models give equal text.

    facts   the model's description, as JSON data
    arrays  further arrays, such as examples, by the names that the facts use

    All data are JSON in the page, never code: the content security policy allows the script by its hash, and no
    requests. Raises ModelError for an operator that the page does not support.
    """
    network, text = network_facts(graph, arrays)
    parts = _FOR_TABLES if "fields" in facts else _FOR_IMAGES
    script = "\n".join(['"use strict";', *map(_text, (*_COMMON, *parts, "main.js"))])
    style = _text("page.css")
    return Template(_text("page.html")).substitute(
        title=escape(str(facts["title"])), script=script, style=style, script_hash=_hash(script),
        style_hash=_hash(style), facts=_json({**facts, **network}), arrays=text,
    )  # fmt: skip


def network_facts(graph: Graph, arrays: Mapping[str, HostArray]) -> tuple[dict[str, Any], str]:
    """Return the graph as JSON data and all arrays as one text; raises as `explorer_page`."""
    if unknown := [node for node in graph.nodes if node.op not in operators()]:
        name = {value: path for path, value in graph.layers}.get(unknown[0].output, unknown[0].output)
        raise ModelError(f"the page cannot run {name}: it does not support the operator {unknown[0].op}.")
    entries, text = pack(graph.constants | dict(arrays))
    nodes = [
        {"op": node.op, "inputs": node.inputs, "output": node.output, "attributes": dict(node.attributes)}
        for node in graph.nodes
    ]
    values = {name: [value._asdict() for value in getattr(graph, name)] for name in ("inputs", "outputs")}
    return {**values, "values": dict(graph.layers), "nodes": nodes, "arrays": entries}, text


@cache
def operators() -> frozenset[str]:
    """Return the names of the operators that the page supports."""
    return frozenset(re.findall(r"^  ([A-Z]\w+): ", _text("operators.js"), re.MULTILINE))


def _text(name: str) -> str:
    return (files("portanet.export") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    """JSON that cannot end the script element, whatever names it contains."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
