"""Class labels on the command line: named or counted by an option, summarised in a line, refused if too many."""

from __future__ import annotations

import csv

import numpy as np

from portanet._text import plain
from portanet.data import Dataset
from portanet.errors import ConfigError, DataError
from portanet.storage.class_kind import ClassKind

_SHOWN = 12  # in a line
_MANY = 100  # at most, integers that are classes without confirmation
_FEW = 20  # at least, classes of a label that may be an identifier


def names_in(option: str | None) -> tuple[str, ...] | None:
    """The names in A,B,C; None if the option is not given, or is a count."""
    if option is None or option.strip().isdecimal():
        return None
    names = tuple(name.strip() for name in next(csv.reader([option], skipinitialspace=True), []))
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise ConfigError(f"--classes takes the names of at least two classes, or how many there are; got {option!r}.")
    return names


def require_credible(data: Dataset, option: str | None) -> None:
    """Raise an error for a single class, or for implausibly many that no option confirms.

    Integers may be measurements, and a label that differs in most rows is likely an identifier.
    """
    count, label = len(data.classes), f"the label {data.label!r}" if data.label else "the label"
    confirmed = int(option) if option is not None and option.strip().isdecimal() else None
    if confirmed is not None and confirmed != count:
        raise ConfigError(f"--classes {confirmed} does not fit {data.name}, where {label} has {count} classes.")
    if not count or option is not None:
        return
    if count == 1:
        raise DataError(
            f"{data.name}: all {len(data)} rows are of the class {data.classes[0]!r}, so there is nothing to learn."
        )
    if ClassKind.of_names(data.classes) is ClassKind.INTEGER and count > _MANY:
        raise DataError(
            f"{data.name}: {label} holds {count:,} different integers, more than are taken for classes.",
            remedy=f'to predict numbers use task="regress"; to learn them as classes, classes={count}',
        )
    if count > max(_FEW, len(data) / 2):
        raise DataError(
            f"{data.name}: {label} has {count:,} different values in {len(data):,} rows, like an identifier.",
            remedy=f"name another column with label=NAME, or learn them as classes with classes={count}",
        )


def line(data: Dataset) -> str:
    """The classes in order, with their numbers of rows; of many classes, the first ones."""
    counts = np.bincount(data.require_targets(), minlength=len(data.classes))
    shown = [f"{plain(name)} {count:,}" for name, count in zip(data.classes[:_SHOWN], counts.tolist(), strict=False)]
    return f"{len(data.classes)} classes: {', '.join(shown)}{', ...' if len(data.classes) > _SHOWN else ''}"
