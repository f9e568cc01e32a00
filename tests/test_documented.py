"""Everything public says what each parameter is, what it returns and which errors it raises."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from types import FunctionType
from typing import Any, TypeGuard

import portanet
from portanet import errors, metrics, nn, optim

PACKAGES = (portanet, nn, optim, metrics)
WITH_METHODS = (
    portanet.Backend, portanet.Callback, portanet.Checkpoints, portanet.Dataset, portanet.TrainedModel,
    nn.Layer, nn.Loss, optim.Optimizer, optim.Schedule,
)  # fmt: skip


def is_ours(thing: Any) -> TypeGuard[FunctionType]:
    return isinstance(thing, FunctionType) and thing.__module__.startswith("portanet.")


def public() -> Iterator[tuple[str, Any]]:
    """Each public function and class, and the methods of the classes that people call or override."""
    for package in PACKAGES:
        for name in package.__all__:
            if name.startswith("MLP") and not find_spec("sklearn"):
                continue
            thing = getattr(package, name)
            if isinstance(thing, (type, FunctionType)):
                yield f"{package.__name__}.{name}", thing
    for made in WITH_METHODS:
        for name in dir(made):
            method = inspect.unwrap(getattr(made, name))
            function = getattr(method, "__func__", method)
            if is_ours(function) and (name == "__call__" or name[0] != "_"):
                yield f"{made.__name__}.{name}", function


PUBLIC = dict(public())
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if isinstance(thing, FunctionType)}


def documentation(thing: Any) -> str:
    """Its docstring; for a class, those of its bases too, which document what it inherits."""
    classes = thing.__mro__ if isinstance(thing, type) else (thing,)
    return "\n".join(inspect.cleandoc(part.__doc__ or "") for part in classes if part.__module__ != "builtins")


def parameters(thing: Any) -> list[str]:
    if isinstance(thing, type) and (getattr(thing, "_is_protocol", False) or thing is nn.TaskKind):
        return []  # it is not called
    return [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]


def described(text: str) -> list[str]:
    """The names of the aligned lines, `name   text` or `name, name   text`."""
    lines = re.findall(r"^(\w+(?:, \w+)*) {2,}\S", text, re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


def undocumented(thing: Any, text: str) -> list[str]:
    return [name for name in parameters(thing) if name not in described(text)]


def test_every_parameter_is_documented() -> None:
    missing = {name: undocumented(thing, documentation(thing)) for name, thing in PUBLIC.items()}
    assert {name: names for name, names in missing.items() if names} == {}


def test_functions_document_no_other_parameters() -> None:
    """A line stays behind where a parameter is renamed or removed."""
    extra = {name: set(described(documentation(thing))) - set(parameters(thing)) for name, thing in FUNCTIONS.items()}
    assert {name: names for name, names in extra.items() if names} == {}


def test_a_removed_line_is_seen() -> None:
    text = documentation(portanet.fit)
    for line in re.findall(r"^\w+ {2,}.*\n", text, re.MULTILINE):
        assert undocumented(portanet.fit, text.replace(line, "")) == [line.split()[0]]


def test_what_is_returned_is_documented() -> None:
    """By "Return ..." or by a noun phrase, "The share of ..."."""
    silent = []
    for name, function in FUNCTIONS.items():
        text = documentation(function)
        says = re.match(r"(The|A|An|Whether|How many) ", text) or re.search(r"\b[Rr]eturns?\b", text)
        if inspect.signature(function).return_annotation != "None" and not says:
            silent.append(name)
    assert silent == []


CANNOT_HAPPEN = {  # for a masked array, which parameters never are
    "TrainedModel.to_state_dict": {"DataError"},
    "portanet.Snapshots": {"DataError"},
}
ERRORS = {name for name, error in vars(errors).items() if isinstance(error, type)}


@cache
def definitions(module: str) -> dict[str, ast.AST]:
    """The functions and classes of a module, by qualified name."""
    nodes: dict[str, ast.AST] = {}

    def collect(body: list[ast.stmt], above: str) -> None:
        for node in body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                nodes[above + node.name] = node
                collect(node.body if isinstance(node, ast.ClassDef) else [], f"{above}{node.name}.")

    collect(ast.parse(inspect.getsource(sys.modules[module])).body, "")
    return nodes


def raised(thing: Any, depth: int = 1) -> set[str]:
    """The errors that its code raises, and those of the functions that it calls by name."""
    names: set[str] = set()
    for node in ast.walk(definitions(thing.__module__)[thing.__qualname__]):
        called = node.exc if isinstance(node, ast.Raise) else node
        name = called.func.id if isinstance(called, ast.Call) and isinstance(called.func, ast.Name) else ""
        if isinstance(node, ast.Raise):
            names |= {name} & ERRORS
        elif depth and is_ours(helper := vars(sys.modules[thing.__module__]).get(name)):
            names |= raised(inspect.unwrap(helper), depth - 1)
    return names


def test_every_error_is_documented() -> None:
    silent = {}
    for name, thing in PUBLIC.items():
        if thing in WITH_METHODS:  # each of its methods is here too
            continue
        text = documentation(thing)
        if unsaid := {error for error in raised(thing) if error not in text} - CANNOT_HAPPEN.get(name, set()):
            silent[name] = unsaid
    assert silent == {}
