"""A lint for mathematics that has to run on any array library: what it may call, as far as the source shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import array_api_strict

# Functions of the standard that copy to the host, wait for the device, or have a shape that depends on values.
SLOW_OR_UNEVEN = {
    "argwhere",
    "clip",
    "cumulative_prod",
    "from_dlpack",
    "nonzero",
    "repeat",
    "sign",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
}
LIBRARIES = {"numpy", "cupy", "torch", "jax", "array_api_compat", "array_api_extra"}
READERS = {
    "float",
    "int",
    "bool",
    "complex",
    "print",
    "repr",
    "str",
    "range",
    "list",
    "sum",
    "max",
    "min",
    "any",
    "all",
}
METHODS = {
    "any": "xp.any",
    "all": "xp.all",
    "argmax": "xp.argmax",
    "astype": "xp.astype",
    "copy": "xp.asarray(copy=True)",
    "cpu": "the backend",
    "dot": "@",
    "flatten": "xp.reshape",
    "get": "the backend",
    "item": "a 0-d array",
    "max": "xp.max",
    "mean": "xp.mean",
    "min": "xp.min",
    "numpy": "the backend",
    "ravel": "xp.reshape",
    "reshape": "xp.reshape",
    "std": "xp.std",
    "sum": "xp.sum",
    "take": "xp.take",
    "tolist": "the backend",
    "transpose": "xp.permute_dims",
    "view": "xp.astype",
}
KEYWORDS = {"out", "where", "initial", "mode", "stable", "order", "casting", "subok"}
CREATORS = {"arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros"}
STEP = {"forward", "backward", "update", "next_buffers"}


def standard_names() -> set[str]:
    """What a namespace holds by the standard of 2024.12, without its extensions and what `SLOW_OR_UNEVEN` lists."""
    with array_api_strict.ArrayAPIStrictFlags(api_version="2024.12", enabled_extensions=()):
        names = {name for name in dir(array_api_strict) if not name.startswith("_")}
    return names & set(array_api_strict.__all__) - {"linalg", "fft"} - SLOW_OR_UNEVEN


def findings(source: str, steps: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong in a file, as "line: what".

    Functions named in `steps` run inside a training step, as do forward, backward and update: there no call is
    allowed that could read an array.
    """
    tree = ast.parse(source)
    return sorted({f"{node.lineno}: {what}" for node, what in _findings(tree, STEP | steps)})


def _findings(tree: ast.Module, steps: set[str] | frozenset[str]) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    yield from _imports(tree)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        spaces = _namespaces(function)
        for node in ast.walk(function):
            yield from _name_of_namespace(node, spaces)
            yield from _call(node, spaces)
        if function.name in steps:
            yield from _reads(function)


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    typing_only = {
        id(inner)
        for node in tree.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in node.body
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] in LIBRARIES and id(node) not in typing_only:
                yield node, f"imports {name}; ask namespace(x)"


def _is_namespace_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "namespace"


def _namespaces(function: ast.FunctionDef) -> set[str]:
    """The local names that stand for a namespace; `xp` always does."""
    found = {"xp"}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = (
                    zip(target.elts, node.value.elts, strict=True)
                    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                    else [(target, node.value)]
                )
                found |= {t.id for t, value in pairs if isinstance(t, ast.Name) and _is_namespace_call(value)}
    return found


def _of_namespace(node: ast.AST, spaces: set[str]) -> bool:
    return _is_namespace_call(node) or (isinstance(node, ast.Name) and node.id in spaces)


def _name_of_namespace(node: ast.AST, spaces: set[str]) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(node, ast.Attribute) and _of_namespace(node.value, spaces) and node.attr not in standard_names():
        yield node, f"xp.{node.attr} is not for portable mathematics"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        for space in (argument for argument in node.args[:1] if _of_namespace(argument, spaces)):
            yield space, "getattr on a namespace hides the name"


def _call(node: ast.AST, spaces: set[str]) -> Iterator[tuple[ast.expr, str]]:
    if not isinstance(node, ast.Call):
        return
    of_namespace = isinstance(node.func, ast.Attribute) and _of_namespace(node.func.value, spaces)
    given = {keyword.arg for keyword in node.keywords}
    if of_namespace:
        for keyword in sorted(given & KEYWORDS, key=str):
            yield node, f"{keyword}= is not in the standard"
        if node.func.attr in CREATORS and not {"dtype", "device"} <= given:  # type: ignore[attr-defined]
            yield node, f"xp.{node.func.attr} without dtype= and device="  # type: ignore[attr-defined]
    elif isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and not _plain_dict_get(node):
        yield node, f".{node.func.attr}() is a method; take {METHODS[node.func.attr]}"


def _plain_dict_get(node: ast.Call) -> bool:
    """CuPy's .get() takes no argument, a dict's takes one."""
    return isinstance(node.func, ast.Attribute) and node.func.attr == "get" and bool(node.args)


def _reads(function: ast.FunctionDef) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What reads an array's value, or would if its argument is one. Shapes and settings are excepted."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            module = node.func.value if isinstance(node.func, ast.Attribute) else None
            of_math = isinstance(module, ast.Name) and module.id == "math"
            if (name in READERS or of_math) and not all(_of_shape(argument) for argument in node.args):
                yield node, f"{name or 'math.' + node.func.attr}() reads an array in a step"  # type: ignore[attr-defined]
        elif isinstance(node, (ast.If, ast.While, ast.IfExp, ast.Assert)) and not _of_settings(node.test):
            yield node, "a branch on an array waits for the device"
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Compare):
            yield node, "indexing by a mask has a shape that depends on values"
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and not _is_name(node.slice):
            yield node, "arrays cannot be assigned to in every library"
        elif isinstance(node, ast.Name) and node.id in ("np", "numpy"):
            yield node, "NumPy's scalars and arrays widen float32"


def _is_name(node: ast.expr) -> bool:
    """The key of a dict of arrays: a string, or a variable called name."""
    return (isinstance(node, ast.Constant) and isinstance(node.value, str)) or (
        isinstance(node, ast.Name) and node.id in ("name", "path")
    )


def _of_shape(node: ast.expr) -> bool:
    """Whether an argument is made of shapes, lengths, settings and constants."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("shape", "ndim") or (isinstance(node.value, ast.Name) and node.value.id == "self")
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("len", "range")
    if isinstance(node, ast.Subscript):
        return _of_shape(node.value)
    if isinstance(node, ast.BinOp):
        return _of_shape(node.left) and _of_shape(node.right)
    if isinstance(node, ast.IfExp):
        return _of_shape(node.body) and _of_shape(node.orelse)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in ("i", "index", "need_dx"))


def _of_settings(node: ast.expr) -> bool:
    """Whether a condition asks about settings, shapes, None, Python's types, or what a dict holds by name."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        return True
    if isinstance(node, ast.BoolOp):
        return all(map(_of_settings, node.values))
    if isinstance(node, ast.UnaryOp):
        return _of_settings(node.operand)
    if isinstance(node, ast.Compare):
        is_none = isinstance(node.ops[0], (ast.Is, ast.IsNot))
        is_held = isinstance(node.ops[0], (ast.In, ast.NotIn)) and isinstance(node.left, ast.Constant)
        by_name = is_held and isinstance(node.left.value, str)  # type: ignore[attr-defined]
        return is_none or by_name or all(map(_of_settings, [node.left, *node.comparators]))
    if isinstance(node, ast.Name):
        return node.id in ("train", "need_dx", "child_grads", "i")
    return _of_shape(node)
