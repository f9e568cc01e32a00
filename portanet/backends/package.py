"""Importing an array library that may be missing or broken."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from portanet.errors import BackendError


def import_package(package: str, remedy: str) -> Any:
    """Return the module; raises BackendError with the remedy if it is missing or broken."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:  # a leftover folder of that name has no origin
        raise BackendError(f"{package} is not installed; {remedy}.", "installed")
    try:
        return importlib.import_module(package)
    except Exception as error:  # a broken installation can raise anything
        why = f"does not import ({first_line(error)})"
        raise BackendError(f"{package} is installed, but {why}; {remedy}.", "imports") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
