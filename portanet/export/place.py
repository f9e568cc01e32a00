"""Place: a layer's position in a model, and the graph that it is written to."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._typing import HostArray, Params, Shape
from portanet.export.graph import Graph


class Place:
    """A layer with its path, its arrays, the shape of an input row, and the graph that it is written to."""

    def __init__(self, graph: Graph, path: str, params: Params, shape: Shape) -> None:
        self.graph, self.path, self.params, self.shape = graph, path, params, shape

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node for this layer."""
        return self.graph.add(self.path, op, *inputs, **attributes)

    def floats(self, value: str) -> str:
        """Return the value in float32."""
        return self.graph.as_float(self.path, value)

    def is_wide(self, value: str) -> bool:
        """Whether the value is float64, and so are the layer's arrays."""
        return self.graph.raw.get(value) == "float64" and any(
            getattr(array, "dtype", None) == np.float64 for array in self.params.values()
        )

    def minus(self, value: str, center: HostArray) -> str:
        """Return a float64 value minus numbers, subtracted in float64, then in float32."""
        wide = self.graph.constant(self._named("offsets"), np.asarray(center, np.float64))
        return self.add("Cast", self.add("Sub", value, wide), to="float32")

    def constant(self, name: str, value: Any) -> str:
        """Add an array or a number as a float32 constant, named as in a model file."""
        array: HostArray = np.asarray(value, np.float32)
        return self.graph.constant(self._named(name), array)

    def array(self, name: str) -> str:
        """Add one of the layer's arrays as a constant."""
        return self.constant(name, self.params[name])

    def array_rows(self, name: str, start: int, count: int) -> str:
        """Add some rows of one of the layer's arrays as a constant."""
        return self.constant(name, self.params[name][start : start + count])

    def whole(self, name: str, value: HostArray) -> str:
        """Add integers as a constant."""
        return self.graph.constant(self._named(name), value.astype(np.int64))

    def columns(self, x: str, start: int, stop: int | None) -> str:
        """The columns of x (N, D) from `start` to before `stop`; without `stop` a single one, (N,)."""
        if stop is None:
            return self.add("Gather", x, self.whole("column", np.asarray(start)), axis=1)
        return self.add("Gather", x, self.whole("columns", np.arange(start, stop)), axis=1)

    def child(self, name: str, shape: Shape) -> Place:
        """Return the place of a child."""
        return Place(self.graph, self._named(name), self.params.get(name, {}), shape)

    def _named(self, name: str) -> str:
        """The name of an array or child of this layer, as in a model file."""
        return f"{self.path}.{name}" if self.path else name
