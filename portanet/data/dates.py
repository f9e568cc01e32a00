"""Parsing dates and times in common formats, and encoding them as numbers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence

import numpy as np

from portanet._typing import HostArray
from portanet.storage.schema import CLOCK, FORMS, TIME

_TIME = (
    r"(?:[T ]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d{1,9})?)?"
    r"(?P<P> ?[AaPp]\.?[Mm]\.?)?(?P<Z> ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
)
_MONTH = r"(?P<b>[A-Za-z]{3})[a-z]*\.?"
_FORMS = {
    "year-month-day": r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})",
    "day.month.year": r"(?P<d>\d{1,2})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<y>\d{4}|\d{2})",
    "month/day/year": r"(?P<m>\d{1,2})(?P<s>[-/.])(?P<d>\d{1,2})(?P=s)(?P<y>\d{4}|\d{2})",
    "day month-name year": rf"(?:[A-Za-z]{{3,9}},? )?(?P<d>\d{{1,2}})[- ]{_MONTH}[- ,]+(?P<y>\d{{4}}|\d{{2}})",
    "month-name day year": rf"(?:[A-Za-z]{{3,9}},? )?{_MONTH} (?P<d>\d{{1,2}}),? (?P<y>\d{{4}})",
}
PATTERNS = {form: re.compile(pattern + _TIME) for form, pattern in _FORMS.items()}
_YEAR = r"(?P<y>1[5-9]\d\d|2[01]\d\d)"
PATTERNS["year-month"] = re.compile(rf"{_YEAR}[-/.](?P<m>\d{{1,2}})")
PATTERNS["month/year"] = re.compile(rf"(?P<m>\d{{1,2}})[-/.]{_YEAR}")
PATTERNS["month-name year"] = re.compile(rf"{_MONTH}[- ,]+{_YEAR}")
PATTERNS[CLOCK] = re.compile(
    r"(?P<H>\d{1,2})(?::(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d{1,9})?)?|\.(?P<M_>\d{2})\.(?P<S_>\d{2}))"
    r"(?P<P> ?[AaPp]\.?[Mm]\.?)?"
)
PATTERNS["yearmonthday"] = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})")
PATTERNS["unix seconds"] = re.compile(r"(?P<u>[+-]?\d{1,11})(?:\.0*)?")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EPOCH = datetime.datetime(1970, 1, 1)
LONGEST = 60  # characters
_TRIED = 50  # texts examined first

PATTERNS["datetime64"] = PATTERNS["year-month-day"]


def form_of(texts: Sequence[str], *, numbers: bool = False, asked: str = "") -> str:
    """The format that fits most texts, and at least nine of ten of them; "" if there is none.

    With `numbers` also whole numbers such as 20230101, and seconds since 1970. If no text decides the order of day and
    month, the month comes first with a slash, as in 1/2/2023, and the day with a point or a dash. `asked` is the only
    format to try.
    """
    sample = texts[:_TRIED]
    forms = [form for form in FORMS[:-1] if numbers or form not in ("yearmonthday", "unix seconds")]
    forms = [asked] if asked else forms
    forms = [form for form in forms if 10 * sum(parse(text, form) is not None for text in sample) >= 9 * len(sample)]
    if any("/" in text for text in sample) and "month/day/year" in forms:
        forms.sort(key=lambda form: form == "day.month.year")
    counts = {form: sum(parse(text, form) is not None for text in texts) for form in forms}
    best = max(counts, key=lambda form: counts[form], default="")
    least = 10 if best == CLOCK else 9  # of ten: a text such as 26:10 shows that they are durations
    if not best or 10 * counts[best] < least * len(texts):
        return ""
    if best == CLOCK:
        return best
    moments = (parse(text, best) for text in texts)
    timed = any(moment is not None and moment.time() != datetime.time() for moment in moments)
    return best + TIME if timed else best


_ORDERS = ("day.month.year", "month/day/year")


def other_order(texts: Sequence[str], form: str) -> str:
    """The format with day and month swapped, if all texts of this format fit that too; else ""."""
    order = form.removesuffix(TIME)
    other = _ORDERS[order == _ORDERS[0]]
    pairs = [(parse(text, order), parse(text, other)) for text in texts] if order in _ORDERS else []
    differ = any(one != two for one, two in pairs)
    return other if differ and all(two is not None for one, two in pairs if one is not None) else ""


def parse(text: str, form: str) -> datetime.datetime | None:
    """The date and time in a text of this format, without its time zone; None if it does not fit."""
    match = PATTERNS[form.removesuffix(TIME)].fullmatch(text.strip()) if len(text) <= LONGEST else None
    if match is None:
        return None
    part = match.groupdict()
    try:
        if part.get("u"):
            return EPOCH + datetime.timedelta(seconds=int(part["u"]))
        month = MONTHS.index(part["b"].lower()) + 1 if part.get("b") else int(part.get("m") or 1)
        hour = int(part.get("H") or 0)
        if part.get("P"):
            hour = hour % 12 + 12 * (part["P"].strip().lower()[0] == "p")
        minute, second = int(part.get("M") or part.get("M_") or 0), int(part.get("S") or part.get("S_") or 0)
        return datetime.datetime(year_of(part.get("y") or "1970"), month, int(part.get("d") or 1), hour, minute, second)
    except (ValueError, OverflowError):
        return None


def year_of(text: str) -> int:
    """The year; two digits mean 1969 to 2068, as in POSIX."""
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year < 69 else 1900)


def numbers(moments: Iterable[datetime.datetime | None], form: str) -> HostArray:
    """The `parts_of` each moment, as rows of an array."""
    rows = [parts_of(moment, form) for moment in moments]
    return np.array(rows, np.float64).reshape(len(rows), len(parts_of(None, form)))


def parts_of(moment: datetime.datetime | None, form: str) -> list[float]:
    """Year, month, weekday (0 is Monday), days since 1970-01-01, and the hour if the form has a time of day.

    They are NaN for a missing moment; a time of day alone gives only the hour.
    """
    places = slice(4, 5) if form == CLOCK else slice(5 if form.endswith(TIME) else 4)
    if moment is None:
        return ([np.nan] * 5)[places]
    days = (moment.date() - EPOCH.date()).days
    hour = moment.hour + moment.minute / 60 + moment.second / 3600
    return [moment.year, moment.month, moment.weekday(), days, hour][places]


def of_datetimes(values: HostArray) -> list[datetime.datetime | None]:
    """The moments in an array of NumPy's datetime64; None for NaT."""
    found: list[datetime.datetime | None] = values.astype("datetime64[s]").astype(object).tolist()
    return [moment if isinstance(moment, datetime.datetime) else None for moment in found]
