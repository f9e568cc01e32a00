"""The explorer: a model as one HTML page, whose JavaScript runs the network on the weights inside."""

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

    facts   what it shows of the model, as JSON data
    arrays  what it shows besides the model's own arrays, such as examples, by names that the facts know

    Whatever comes from data is JSON in the page, and no code: the content security policy names the hash of the one
    script that may run, and allows no request. Raises ModelError for an operator that the page does not compute.
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
    """Return the graph as JSON data, and its arrays with others as the text that goes with it; raises as the page."""
    if unknown := [node for node in graph.nodes if node.op not in operators()]:
        name = {value: path for path, value in graph.layers}.get(unknown[0].output, unknown[0].output)
        raise ModelError(f"the page cannot run {name}: it has no operator {unknown[0].op}.")
    entries, text = pack(graph.constants | dict(arrays))
    nodes = [
        {"op": node.op, "inputs": node.inputs, "output": node.output, "attributes": dict(node.attributes)}
        for node in graph.nodes
    ]
    values = {name: [value._asdict() for value in getattr(graph, name)] for name in ("inputs", "outputs")}
    return {**values, "values": dict(graph.layers), "nodes": nodes, "arrays": entries}, text


@cache
def operators() -> frozenset[str]:
    """Return the names of the operators that the page computes."""
    return frozenset(re.findall(r"^  ([A-Z]\w+): ", _text("operators.js"), re.MULTILINE))


def _text(name: str) -> str:
    return (files("portanet.export") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    """JSON that ends no script, whatever the names in it."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
