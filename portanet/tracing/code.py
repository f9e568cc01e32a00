"""Generated straight-line Python code, with the objects that it refers to."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

from portanet.tracing.library import Statement, Var, real


class Code:
    """The body of a function `replay(a0, a1, ...)`, statement by statement."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._held: list[Any] = []  # functions, arrays and other objects used in the code
        self._names: dict[int, str] = {}

    def write(self, statement: Statement, results: list[Var] | None = None) -> None:
        """Add a call; its results are assigned to names."""
        function, args, kwargs = statement
        arguments = [self.tree(arg, self.value) for arg in args]
        arguments += [f"{name}={self.tree(arg, self.value)}" for name, arg in kwargs.items()]
        line = f"{self.value(function)}({', '.join(arguments)})"
        self._lines.append(f"{', '.join(result.name for result in results)} = {line}" if results else line)

    def name(self, name: str, value: str) -> None:
        """Add a variable with the value of an expression."""
        self._lines.append(f"{name} = {value}")

    def refuse(self, condition: str) -> None:
        """Add a return of None under a condition."""
        self._lines.append(f"if {condition}: return None")

    def value(self, value: Any) -> str:
        """The code of a value: a literal or a name."""
        if isinstance(value, Var):
            return value.name
        value = real(value)
        if value is None or type(value) in (bool, int, str):
            return repr(value)
        if (name := self._names.get(id(value))) is None:
            word = getattr(value, "__name__", "")
            taken = keyword.iskeyword(word) or word[1:2].isdigit() or word in ("replay", *self._names.values())
            plain = word.isidentifier() and not taken
            name = self._names[id(value)] = word if plain else f"c{len(self._held)}"
            self._held.append(value)
        return name

    def tree(self, tree: Any, leaf: Callable[[Any], str]) -> str:
        """The code of nested tuples, lists and dicts, given the code of each leaf."""
        if isinstance(tree, dict):
            return "{" + ", ".join(f"{self.value(name)}: {self.tree(own, leaf)}" for name, own in tree.items()) + "}"
        if not isinstance(tree, (tuple, list)):
            return leaf(tree)
        inside = "".join(f"{self.tree(own, leaf)}, " for own in tree)
        if hasattr(tree, "_fields"):
            return f"{self.value(type(tree))}({inside})"
        return f"[{inside}]" if isinstance(tree, list) else f"({inside})"

    def function(self, count: int, returned: str) -> tuple[Callable[..., Any], str]:
        """The function of `count` arguments that returns an expression, and its source."""
        body = "\n".join(f"        {line}" for line in [*self._lines, f"return {returned}"])
        arguments = ", ".join(f"a{position}" for position in range(count))
        source = (
            f"def code({', '.join(self._names.values())}):\n    def replay({arguments}):\n{body}\n    return replay\n"
        )
        scope: dict[str, Any] = {}
        exec(source, scope)
        return scope["code"](*self._held), source
