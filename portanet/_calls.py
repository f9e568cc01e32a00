"""Checks of calls: wrong arguments are refused in one line with the argument's name, its value, and what to write."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

from portanet import _peers
from portanet._settings import with_python_numbers
from portanet._text import shown
from portanet.errors import ConfigError, PortanetError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

# What a field of this annotation holds; its own class says the rest.
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("an integer", lambda value: isinstance(value, Integral) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool)),
    "bool": ("True or False", lambda value: isinstance(value, bool)),
    "str": ("a text", lambda value: isinstance(value, str)),
    "Initializer": (
        "a function such as he_uniform, without brackets",
        lambda value: callable(value) and not isinstance(value, type),
    ),
}
_KINDS["int | None"] = ("an integer", lambda value: value is None or _KINDS["int"][1](value))


def explain_calls(classes: Iterable[Any], error: type[PortanetError]) -> None:
    """Make these classes refuse unknown arguments, and settings of a wrong type, with `error`.

    NumPy numbers become Python's, and lists tuples, before the class sees them. Functions are not changed.
    """
    for made in classes:
        if isinstance(made, type) and "__init__" in vars(made):
            init: Any = vars(made)["__init__"]
            type.__setattr__(made, "__init__", _explained(made, init, error))


def explained(function: FunctionT) -> FunctionT:
    """Make a function refuse unknown arguments with a ConfigError that says what to write."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        require_call(function.__name__, signature, arguments, keywords)
        return function(*arguments, **keywords)

    result: Any = call
    return result


def prepares(function: FunctionT) -> FunctionT:
    """Make a layer's `fit`, which prepares preprocessing, redirect users who want to train to `portanet.fit`."""

    @functools.wraps(function)
    def call(self: Any, params: Any, *arguments: Any, **keywords: Any) -> Any:
        if not isinstance(params, dict) or len(arguments) + len(keywords) != 1:
            raise ConfigError(
                f"{type(self).__name__}.fit prepares preprocessing alone",
                remedy="to train write run = portanet.fit(model, x, labels)",
            )
        return function(self, params, *arguments, **keywords)

    result: Any = call
    return result


def _explained(made: type, init: Callable[..., None], error: type[PortanetError]) -> Callable[..., None]:
    signature = inspect.signature(init)
    fields = dataclasses.fields(made) if dataclasses.is_dataclass(made) else ()

    @functools.wraps(init)
    def call(self: Any, *arguments: Any, **keywords: Any) -> None:
        arguments = tuple(map(_plain, arguments))
        keywords = {key: _plain(value) for key, value in keywords.items()}
        name = type(self).__name__
        require_call(name, signature, (self, *arguments), keywords, error)
        try:
            init(self, *arguments, **keywords)
        except PortanetError:
            raise  # it names the bound
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            _require_kinds(self, fields, error)
            raise
        _require_kinds(self, fields, error)

    return call


def _plain(value: Any) -> Any:
    return value if dataclasses.is_dataclass(value) else with_python_numbers(value)  # a layer has converted its own


def require_call(
    name: str,
    signature: inspect.Signature,
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any],
    error: type[PortanetError] = ConfigError,
) -> None:
    """Raise `error` unless the arguments fit the signature; a `self` in it counts as given."""
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as fault:
        message, remedy = _fault(name, signature, arguments, keywords)
        raise error(message or f"{name}: {fault}", remedy=remedy) from None


def _fault(
    name: str, signature: inspect.Signature, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[str, str]:
    """Return what is wrong with a call, and what to write."""
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name not in ("self", "cls")]
    arguments = arguments[len(signature.parameters) - len(parameters) :]
    allowed = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL]
    by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if unknown := [word for word in keywords if word not in allowed]:
        word = unknown[0]
        value = shown(keywords[word])
        return f"{name} has no setting {word!r}, got {value}", _peers.argument(name, word, keywords[word], allowed)
    if len(arguments) > len(by_position) and len(parameters) == len(allowed):
        others = [other for other in allowed if other not in by_position]
        names = " and ".join(by_position) or ("nothing" if others else "no settings")
        takes = f"{name} takes {names}{' by position' if others else ''}"
        advice = f"write {', '.join(f'{other}=...' for other in others)}" if others else "leave the rest out"
        got = ", ".join(map(shown, arguments))
        return f"{takes}, got {name}({got})", _peers.call(name, arguments) or advice
    present = {*by_position[: len(arguments)], *keywords}
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name in {*allowed} - present:
            return f"{name} needs {parameter.name}", f"it takes {', '.join(allowed)}"
    twice = [word for word in keywords if word in by_position[: len(arguments)]]
    return (f"{name} got {twice[0]} twice", "give it once") if twice else ("", "")


def _require_kinds(made: Any, fields: Iterable[dataclasses.Field[Any]], error: type[PortanetError]) -> None:
    for field in fields:
        needed, is_right = _KINDS.get(str(field.type), ("", None))
        if is_right and field.init and not is_right(value := getattr(made, field.name, None)):
            raise error(f"{type(made).__name__} needs {needed} for {field.name}, got {shown(value)}.")
