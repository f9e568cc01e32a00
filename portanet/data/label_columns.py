"""The labels of a table's rows: text and numbers, as classes or targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from portanet._typing import HostArray
from portanet.data import columns
from portanet.data.cells import as_floats, is_gap, is_missing, number_of, quoted, signed_number
from portanet.data.checks import Check, label_check
from portanet.data.chunk import Chunk, Texts
from portanet.data.labels import either_remedy, encode, is_no_label, leave_out, require_labels, without_label
from portanet.data.request import Request, Source
from portanet.data.signs import without_sign
from portanet.errors import DataError
from portanet.storage.label import in_words, label_names
from portanet.storage.schema import Dialect

_CLASSES = 20  # integers with at most this many distinct values are classes, unless the task is given


class Labels:
    """The labels of rows: `codes` into their `texts`.

    With a single label column, rows without a label are left out: those with an empty cell, a text of `missing=`, or
    another text for a missing value. For classes `Absent.require_no_words` refuses the last.
    """

    def __init__(self, source: Source, request: Request) -> None:
        self.codes: list[HostArray] = []
        self.texts: dict[str, int] = {}
        self.absent = Absent()
        self._dialect, self._request = source.dialect, request
        self._all_wanted = not request.labelled or len(source.header.labels) != 1

    def add(self, chunk: Chunk, positions: Sequence[int]) -> Chunk:
        """Add the labels of the next rows, (N,) or (N, K), and return the rows to learn from."""
        if not self._all_wanted and not (present := self.present(chunk, positions, count=True)).all():
            chunk = chunk.where(present)
        codes = [self._codes(chunk.texts[position]) for position in positions]
        if codes:
            self.codes.append(codes[0] if len(codes) == 1 else np.stack(codes, axis=1))
        return chunk

    def present(self, chunk: Chunk, positions: Sequence[int], *, count: bool = False) -> HostArray:
        """Return a mask (N,) of the rows with a label; with `count` the others are counted."""
        if self._all_wanted:
            return np.ones(chunk.rows, bool)
        cells = chunk.texts[positions[0]]
        empty = np.array([*(self._is_empty(text.strip()) for text in cells.texts), True])[cells.codes]
        words = np.array([*(self._is_word(text.strip()) for text in cells.texts), False])[cells.codes]
        if count:
            self.absent.add(empty, words, cells)
        present: HostArray = ~(empty | words)
        return present

    def _is_empty(self, text: str) -> bool:
        return not text or (text.lower() in (self._dialect.missing or ()) and text not in (self._request.classes or ()))

    def _is_word(self, text: str) -> bool:
        if self._is_empty(text):
            return False
        absent = is_gap(text, self._dialect) if self._request.regress else is_missing(text)
        return absent and text not in (self._request.classes or ())

    def _codes(self, cells: Texts) -> HostArray:
        counts = np.bincount(cells.codes + 1, minlength=len(cells.texts) + 1).tolist()
        codes = [
            self.texts.setdefault(text, len(self.texts)) if count else -1
            for text, count in zip(cells.texts, counts[1:], strict=True)
        ]
        missing = self.texts.setdefault("", len(self.texts)) if counts[0] else -1
        return np.array([*codes, missing], np.int32)[cells.codes]

    def require(self, source: Source, request: Request, checks: Mapping[int, Check]) -> None:
        """Raise DataError with all faults if a label is missing, or is not a number in a regression."""
        wrong = label_check(request.regress, (), source.dialect)
        if request.regress is False:
            self.absent.require_no_words(source.name, request.classes)
        if request.regress and (found := next((words for text in self.texts if (words := wrong(text))), None)):
            raise source.explained(ValueError(f"a label: {found}"), checks, 0)
        if len(source.header.labels) > 1 and any(map(is_no_label, self.texts)):
            error = source.explained(ValueError("a label is missing"), checks, 0)
            error.remedy = error.remedy or "leave such rows out of the table, or learn each label alone"
            raise error
        if self.codes and len(source.header.labels) == 1 and not request.regress:
            require_labels(
                source.name, [text.strip() for text in self.texts], np.concatenate(self.codes), request.classes or ()
            )


@dataclass
class Absent:
    """Counts of the rows without a label. Rows are numbered from 1.

    count  the rows without a label among all `rows` so far; `first` is the first one
    words  the rows with a text for a missing value as their label; `first_word` is the first one, with the text `word`
    """

    rows: int = 0
    count: int = 0
    first: int = 0
    words: int = 0
    first_word: int = 0
    word: str = ""

    def add(self, empty: HostArray, words: HostArray, cells: Texts) -> None:
        """Count the next rows."""
        absent = empty | words
        if absent.any():
            self.first = self.first or self.rows + int(np.argmax(absent)) + 1
            self.count += int(absent.sum())
        if words.any():
            if not self.words:
                place = int(np.argmax(words))
                self.first_word, self.word = self.rows + place + 1, cells.texts[cells.codes[place]].strip()
            self.words += int(words.sum())
        self.rows += len(absent)

    def require_some(self, name: str) -> None:
        """Raise DataError if no row has a label."""
        if self.rows and self.count == self.rows:
            raise DataError(f"{name}: none of the {self.rows:,} rows has a label.")

    def require_no_words(self, name: str, classes: Sequence[str] | None) -> None:
        """Raise DataError for texts that may be a class or a missing value."""
        if self.words:
            remedy = leave_out(self.word) if classes else either_remedy(self.word)
            what = without_label(self.words, self.first_word)
            raise DataError(f"{name}: {what} ({quoted(self.word)}).", remedy=remedy)

    def told(self) -> list[str]:
        """A line with the number of rows left out; empty if there are none."""
        if not self.count:
            return []
        one = self.count == 1
        where = f"row {self.first}" if one else f"{self.count:,} rows, the first is row {self.first}"
        return [f"left out, as {'it has' if one else 'they have'} no label: {where}"]


def checks_of(source: Source, request: Request) -> dict[int, Check]:
    """The checks for the label columns, if labels are wanted."""
    check = label_check(request.regress, request.classes or (), source.dialect, some=len(source.header.labels) == 1)
    return dict.fromkeys(source.header.labels, check) if request.labelled else {}


def learned(
    source: Source, codes: HostArray, texts: Sequence[str], request: Request
) -> tuple[HostArray, tuple[str, ...], list[str]]:
    """Labels as a loss takes them, their classes, and a line on the task that was inferred, if none was given."""
    if codes.ndim == 2 and not request.regress:
        return _of_several(source, codes, texts, request)
    regress, why = request.regress, []
    numbers, signs = _without_signs(codes, texts, source.dialect)
    if regress is None and not source.header.image:
        regress, line = is_number_task(in_words(source.header.label), numbers, source.dialect)
        why = [line + signs]
    if not regress:
        return *encode(source.name, texts, codes, request.classes), why
    targets = targets_of(codes, numbers, source.dialect)
    if targets is None and signs:
        raise DataError(f"{source.name}: the labels are numbers{signs}, which is not one unit.", remedy="convert them")
    if targets is None:
        raise source.explained(ValueError("a label is not a number"), checks_of(source, request), 0)
    return targets, (), why


def _without_signs(codes: HostArray, texts: Sequence[str], dialect: Dialect) -> tuple[list[str], str]:
    """Labels without their signs, if each column has a single sign; and the signs, in words."""
    signs = [signed_number(text, dialect)[1] for text in texts]
    used = [
        {signs[code] for code in np.unique(column).tolist() if not is_gap(texts[code].strip(), dialect)}
        for column in codes.reshape(len(codes), -1).T
    ]
    known = sorted({sign or "no sign" for column in used for sign in column})
    are_numbers = all(sign or number_of(text, dialect) is not None or is_gap(text.strip(), dialect)
                      for sign, text in zip(signs, texts))  # fmt: skip
    line = f" in {', '.join(known)}" if any(signs) and are_numbers else ""
    if any(len(column) > 1 for column in used):
        return list(texts), line
    mark = {".": ",", ",": "."}[dialect.decimal]
    return [without_sign(text, sign).replace(mark, "") if sign else text for text, sign in zip(texts, signs)], line


def _of_several(
    source: Source, codes: HostArray, texts: Sequence[str], request: Request
) -> tuple[HostArray, tuple[str, ...], list[str]]:
    """Targets (N, K) of several labels: 1 for yes and 0 for no if all are yes/no, else numbers."""
    truths = np.array([columns.truth_of(text.strip()) for text in texts])
    names = ", ".join(map(quoted, label_names(source.header.label)))
    if truths[codes].all():
        line = f"{names} hold yes or no: learned as several classes at once"
        return (truths[codes] - 1).astype(np.float32), (), [line]
    plain, line = _without_signs(codes, texts, source.dialect)
    targets = None if request.yes_no else targets_of(codes, plain, source.dialect)
    if targets is not None:
        return targets, (), [f"{names} hold numbers{line}: learned as {codes.shape[1]} numbers"]
    numbers = [number_of(text, source.dialect) is not None for text in texts]
    fits = (truths > 0 if request.yes_no else np.array(numbers))[codes]
    if fits.all():
        raise DataError(f"{source.name}: a label is too large.")
    row, column = map(int, np.argwhere(~fits)[0])
    wanted = "yes or no" if request.yes_no else "numbers, or yes or no in each"
    raise DataError(
        f"{source.name}: row {row + 1}, column {quoted(source.names[source.header.labels[column]])} holds "
        f"{quoted(texts[codes[row, column]])}, and several labels at once are {wanted}.",
        remedy="learn a label of text alone, with one label=NAME",
    )


def is_number_task(name: str, texts: Sequence[str], dialect: Dialect) -> tuple[bool, str]:
    """Whether labels are learned as numbers if no task is given; and the task with the reason, in words."""
    values = [number_of(text, dialect) for text in texts if not is_gap(text.strip(), dialect)]
    numbers = {value for value in values if value is not None}
    if not values or len(numbers) == 0 or None in values:
        return False, f"{name} holds text: learned as a class"
    if not all(value.is_integer() for value in numbers):
        return True, f"{name} holds fractions: learned as a number"
    count = f"{len(numbers):,} distinct integer{'s' if len(numbers) > 1 else ''}"
    is_number = len(numbers) > _CLASSES
    return is_number, f"{name} holds {count}: learned as a {'number' if is_number else 'class'}"


def targets_of(codes: HostArray, texts: Sequence[str], dialect: Dialect) -> HostArray | None:
    """Labels as numbers to predict, or None if one is too large or not a number."""
    values = [number_of(text, dialect) for text in texts]
    if any(value is None for value in values):
        return None
    return as_floats(np.array(values, np.float64)[codes])
