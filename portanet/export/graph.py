"""Graph: a model as a list of standard operators, which each export format writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from portanet._typing import HostArray, Shape

OUTPUTS = ("label", "probabilities", "prediction", "lower", "upper")
"""The names of a model's outputs, which inputs must not have."""

_MOVES = ("Flatten", "Reshape")  # keep the type of their input


@dataclass(frozen=True)
class Node:
    """One call of an operator: `output = op(*inputs, **attributes)`.

    op          the name of an ONNX operator of opset 17: "Gemm", "Relu", ...
    inputs      names of values: the graph's input, constants, or outputs of nodes before it
    attributes  the operator's settings, as ONNX names them
    """

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


class Value(NamedTuple):
    """An input or output of a graph: its name, its NumPy dtype ("str" for text) and the shape of a row."""

    name: str
    dtype: str
    shape: Shape


@dataclass
class Graph:
    """Nodes in the order of computation, and the constants that they read.

    Values are named by the layer that computes them: "3.relu" is the output of child "3". All are float32, except those
    in `raw`, by dtype: pixels, ids and wide numbers, unchanged from the input. `layers` has pairs of
    a layer's path and its output, `about` descriptions of inputs and outputs.
    """

    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, HostArray] = field(default_factory=dict)
    raw: dict[str, str] = field(default_factory=dict)
    layers: list[tuple[str, str]] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def add(self, path: str, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node; return the name of its output."""
        output = self._unique(output or (f"{path}.{op.lower()}" if path else op.lower()))
        self.nodes.append(Node(op, inputs, output, attributes))
        if op in _MOVES and inputs[0] in self.raw:
            self.raw[output] = self.raw[inputs[0]]
        return output

    def as_float(self, path: str, value: str) -> str:
        """Return the value in float32."""
        return self.add(path, "Cast", value, to="float32") if value in self.raw else value

    def add_input(self, name: str, dtype: str, shape: Shape) -> str:
        """Declare an input of N rows; return its name, with a number appended if an output has the same name."""
        name = self._unique(f"{name}_2" if name in OUTPUTS else name)
        self.inputs.append(Value(name, dtype, shape))
        if dtype != "float32":
            self.raw[name] = dtype
        return name

    def constant(self, name: str, value: HostArray) -> str:
        """Add a constant; return its name."""
        name = self._unique(name)
        self.constants[name] = value
        return name

    def _unique(self, name: str) -> str:
        number, free = 1, name
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free
