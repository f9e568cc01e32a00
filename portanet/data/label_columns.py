"""The labels of a table's rows: text and numbers as classes or targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from portanet._typing import HostArray
from portanet.data import columns
from portanet.data.cells import as_floats, number_of
from portanet.data.checks import Check, label_check
from portanet.data.chunk import Texts
from portanet.data.labels import encode, require_labels
from portanet.data.request import Request, Source
from portanet.storage.schema import Dialect

_CLASSES = 20  # whole numbers of so many values are classes, unless the task is named


class Labels:
    """The labels of rows: `codes` of their `texts`."""

    def __init__(self) -> None:
        self.codes: list[HostArray] = []
        self.texts: dict[str, int] = {}

    def add(self, cells: Texts) -> None:
        codes = [self.texts.setdefault(text, len(self.texts)) for text in cells.texts]
        missing = self.texts.setdefault("", len(self.texts)) if (cells.codes < 0).any() else -1
        self.codes.append(np.array([*codes, missing], np.int32)[cells.codes])

    def require(self, source: Source, request: Request, checks: Mapping[int, Check]) -> None:
        """DataError with all faults where a label is missing, or not a number where such are to be predicted."""
        wrong = label_check(request.regress, (), source.dialect)
        if request.regress and (found := next((words for text in self.texts if (words := wrong(text))), None)):
            raise source.explained(ValueError(f"a label: {found}"), checks, 0)
        if self.codes and not request.regress:
            require_labels(
                source.name, [text.strip() for text in self.texts], np.concatenate(self.codes), request.classes or ()
            )


def checks_of(source: Source, request: Request) -> dict[int, Check]:
    """What may be wrong with the cells of the label column, if labels are wanted."""
    label = source.header.label
    if label is None or not request.labelled:
        return {}
    return {label: label_check(request.regress, request.classes or (), source.dialect)}


def learnt(
    source: Source, codes: HostArray, texts: Sequence[str], request: Request
) -> tuple[HostArray, tuple[str, ...], list[str]]:
    """Labels as a loss takes them, their classes, and a line that says which task they make where it is not named."""
    regress, why = request.regress, []
    if regress is None and not source.header.image:
        regress, line = is_number_task(str(source.header.label_name), texts, source.dialect)
        why = [line]
    if not regress:
        return *encode(source.name, texts, codes, request.classes), why
    targets = targets_of(codes, texts, source.dialect)
    if targets is None:
        raise source.explained(ValueError("a label is not a number"), checks_of(source, request), 0)
    return targets, (), why


def is_number_task(name: str, texts: Sequence[str], dialect: Dialect) -> tuple[bool, str]:
    """Whether labels are learnt as numbers where no task is named; and which it is, and why, in words."""
    values = [number_of(text, dialect) for text in texts if not columns.is_gap(text.strip(), dialect)]
    numbers = {value for value in values if value is not None}
    if not values or len(numbers) == 0 or None in values:
        return False, f"{name} holds text: learnt as a class"
    if not all(value.is_integer() for value in numbers):
        return True, f"{name} holds fractions: learnt as a number"
    count = f"{len(numbers):,} value{'s' if len(numbers) > 1 else ''}"
    is_number = len(numbers) > _CLASSES
    return is_number, f"{name} holds integers of {count}: learnt as a {'number' if is_number else 'class'}"


def targets_of(codes: HostArray, texts: Sequence[str], dialect: Dialect) -> HostArray | None:
    """Labels as numbers to predict, or None where one is not a number, or too large."""
    values = [number_of(text, dialect) for text in texts]
    if any(value is None for value in values):
        return None
    return as_floats(np.array(values, np.float64)[codes])
