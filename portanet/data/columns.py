"""Inferring the kind of each column of a table from its training rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from portanet._text import listed, plain
from portanet.data import dates
from portanet.data.cells import number_of, quoted
from portanet.data.signs import is_unit
from portanet.data.tally import MOST, Tally, names_an_id
from portanet.errors import ConfigError
from portanet.storage import schema as kinds
from portanet.storage.schema import Column, Dialect

_FEW_ROWS = 5  # with fewer rows, whole numbers that rise by one prove nothing
_FEW = 20  # with at most this many distinct values, a text column is always categories
_WORDS = 4  # mean number of words per cell from which a column is free text
_ASKED = "as asked"

TRUTHS = (("no", "n", "false", "f", "off", "0"), ("yes", "y", "true", "t", "on", "1"))
"""The texts of the kind yes/no, in lower case, in the order of its codes."""


def decide(name: str, tally: Tally, dialect: Dialect, forced: str | None = None) -> Column:
    """The column with its kind and the reason for it; `forced` is the kind that the user chose."""
    column = Column(name, gaps=tally.missing > 0)
    if forced is not None:
        return _forced(column, tally, forced)
    if not tally.present and tally.rows:
        return replace(column, kind=kinds.CONSTANT, why="it has no values")
    if tally.moments:
        return replace(column, kind=kinds.DATE, form=f"datetime64{kinds.TIME}")
    if tally.numbers == tally.present and not tally.holds_codes:
        return _number(column, tally)
    return _text(column, tally)


def _number(column: Column, tally: Tally) -> Column:
    if tally.low == tally.high and not tally.missing and tally.rows >= _FEW_ROWS:
        return replace(column, kind=kinds.CONSTANT, why=f"every value is {tally.low:g}")
    if tally.rows >= _FEW_ROWS and not tally.missing and tally.whole:
        if tally.rising and not (column.name.strip().lower().endswith("year") and 1000 <= tally.low < 3000):
            return replace(column, kind=kinds.ID, why=f"integers that rise by one from {tally.first:.0f}")
        if tally.is_id and tally.is_distinct:
            return replace(column, kind=kinds.ID, why="distinct integers under such a name")
    return replace(column, wide=tally.wide)


def _text(column: Column, tally: Tally) -> Column:
    texts = list(tally.texts)
    if len(texts) == 1 and not tally.missing and tally.rows >= _FEW_ROWS:
        return replace(column, kind=kinds.CONSTANT, why=f"every value is {quoted(texts[0])}")
    truths = tuple(sorted(texts, key=truth_of))
    if [truth_of(text) for text in truths] == [1, 2]:
        return replace(column, kind=kinds.YES_NO, values=truths)
    if tally.sign and not (is_unit(tally.sign) and tally.is_id and tally.is_distinct):
        return replace(column, sign=tally.sign, wide=tally.wide, why=f"in {tally.sign}")
    if _is_spoilt(tally) and not tally.holds_codes:
        return replace(column, wide=tally.wide, why="nine of ten cells are numbers")
    if form := dates.form_of(texts):
        return replace(column, kind=kinds.DATE, form=form, why=_doubt(column.name, texts, form))
    if tally.is_distinct and tally.present >= _FEW_ROWS:
        return replace(column, kind=kinds.ID, why=_in_detail("every value is different", tally))
    if tally.overflow or (len(texts) > _FEW and (2 * len(texts) > tally.present or _is_prose(tally))):
        shown = f"{len(texts):,}" if not tally.overflow else f"over {MOST:,}"
        why = f"{shown} different texts in {tally.present:,} cells"
        return replace(column, kind=kinds.TEXT, why=_in_detail(why, tally))
    return replace(column, kind=kinds.CATEGORY, values=in_order(tally.texts), why=_in_detail("", tally))


def _in_detail(why: str, tally: Tally) -> str:
    """`why`, with the reason why numbers in the column do not count: leading zeros, or different signs."""
    details = ["codes with leading zeros"] if tally.holds_codes else []
    all_numbers = 10 * (tally.signs.total() + tally.numbers) >= 9 * tally.present
    sign, count = next(iter(tally.signs.most_common(1)), ("", 0))
    if sign and (not is_unit(sign) or (all_numbers and 2 * count >= tally.present)):
        signs = [sign for sign, _ in tally.signs.most_common(3)] + ["no sign"] * (tally.numbers > 0)
        details.append(f"numbers in {', '.join(signs)}")
    return ", ".join(filter(None, [why, *details]))


def _doubt(name: str, texts: Sequence[str], form: str) -> str:
    """A hint on how to swap day and month if no date decides their order, else ""."""
    other = dates.other_order(texts, form)
    return f"{form}, though no row decides; for the other order kinds={ {name: other}!r}" if other else ""


def _is_spoilt(tally: Tally) -> bool:
    """Whether the column is numeric except for some text: at least nine of ten cells are numbers, of many values."""
    many = not tally.as_text or len(tally.texts) > _FEW or 2 * len(tally.texts) > tally.present
    return many and 10 * tally.numbers >= 9 * tally.present


def _is_prose(tally: Tally) -> bool:
    words = sum(text.count(" ") + 1 for text in tally.texts)
    return words >= _WORDS * len(tally.texts)


def in_order(texts: Iterable[str]) -> tuple[str, ...]:
    """Sorted categories: numbers by value, then other text alphabetically."""
    plain_marks = Dialect()

    def key(text: str) -> tuple[bool, float, str]:
        number = number_of(text, plain_marks)
        return number is None, 0.0 if number is None else number, text

    return tuple(sorted(texts, key=key))


def truth_of(text: str) -> int:
    """The code of the kind yes/no: 1 for a no, 2 for a yes, 0 for other texts."""
    lowered = text.lower()
    return next((code for code, words in enumerate(TRUTHS, 1) if lowered in words), 0)


def _forced(column: Column, tally: Tally, kind: str) -> Column:
    asked, kind = (kind, kinds.DATE) if kind in kinds.FORMS else ("", kind)
    column = replace(column, kind=kind, wide=tally.wide and kind == kinds.NUMBER, why=_ASKED)
    if kind == kinds.NUMBER and not (tally.numbers or tally.signs):
        raise ConfigError(f"the column {quoted(column.name)} holds no numbers.")
    if kind == kinds.NUMBER and tally.signs:
        return replace(column, sign=tally.signs.most_common(1)[0][0])
    if kind == kinds.CATEGORY:
        if not tally.texts:
            raise ConfigError(f"the column {quoted(column.name)} has no values.")
        if tally.overflow:
            raise ConfigError(f"the column {quoted(column.name)} has over {MOST:,} values, too many for categories.")
        return replace(column, values=in_order(tally.texts))
    if kind == kinds.DATE and not tally.moments:
        form = dates.form_of(list(tally.texts), numbers=True, asked=asked)
        if not form:
            example = next(iter(tally.texts), "")
            what = f"dates of the form {asked}" if asked else "dates"
            raise ConfigError(f"the column {quoted(column.name)} has no {what}: {quoted(example)} is not one.")
        return replace(column, form=form)
    return replace(column, form=f"datetime64{kinds.TIME}") if kind == kinds.DATE else column


def identifier(columns: Sequence[Column]) -> str | None:
    """The identifier column: the one chosen by the user, else by its name, else the first without missing cells."""
    ids = [column for column in columns if column.kind == kinds.ID and (column.why == _ASKED or not column.gaps)]
    best = min(ids, key=lambda column: (column.why != _ASKED, not names_an_id(column.name)), default=None)
    return None if best is None else best.name


def told(columns: Sequence[Column]) -> list[str]:
    """A line on the columns left out, and a line for each kind that is not plain, with the reasons."""
    lines: dict[str, list[str]] = {"left out": []}
    for column in columns:
        if column.parts and column.why in ("", _ASKED):
            continue
        title = f"taken as {column.kind}" if column.parts else "left out"
        lines.setdefault(title, []).append(f"{plain(column.name) or 'a column without a name'} ({column.why})")
    return [f"{title}: {listed(names, str)}" for title, names in lines.items() if names]
