"""Detecting the dialect of a text file from its first lines."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from portanet.data.cells import NUMBER, is_missing
from portanet.data.signs import sign_of, without_sign
from portanet.storage.schema import THOUSANDS, Dialect

_ROWS = 200
_LETTERS, _COLUMNS = 2**14, 1000  # characters and columns examined in a row
_SEPARATORS = (",", ";", "\t", "|", " ")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_THOUSANDS = {
    mark: re.compile(rf"[+-]?\d{{1,3}}(\{mark}\d{{3}})+(\{point}\d+)?") for mark, point in ((",", "."), (".", ","))
}
_GAPS = {mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}({mark}\d{{3}})+([.,]\d+)?") for mark in THOUSANDS}
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?|[+-]?\d+\.")
HASH = re.compile(r"#(?!N/A|[A-Z]+(?:/0)?[!?])")
"""The start of a line that may be a comment, but not of Excel's #DIV/0!, #REF! and the like."""
DECLARED = re.compile(r"\Asep=(.)(\r\n|\r|\n|\Z)")
"""A first line that names the separator, as Excel writes it."""


@dataclass(frozen=True)
class Asked:
    """The user's settings for a file; None means to detect it."""

    separator: str | None = None
    decimal: str | None = None
    header: bool | None = None
    encoding: str | None = None
    missing: tuple[str, ...] | None = None


def encoding_of(start: bytes) -> str:
    """The encoding of text with these first bytes: by byte-order mark, by zeros, or by trial; utf-8 by default."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    pairs = start[: len(start) // 2 * 2]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = pairs[offset::2].count(0)
        if len(pairs) >= 8 and 5 * zeros > 2 * len(pairs) and not pairs[1 - offset :: 2].count(0):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "utf-8" if b"\0" in start or _is_binary(start) else "cp1252"
    return "utf-8"


def _is_binary(start: bytes) -> bool:
    """Whether the first bytes include control characters, or bytes that do not occur in Western text."""
    return bool(re.search(rb"[\x01-\x08\x0e-\x1f\x81\x8d\x8f\x90\x9d]", start)) or not re.search(rb"[A-Za-z0-9]", start)


def dialect_of(text: str, encoding: str, asked: Asked, *, cut: bool) -> tuple[Dialect, list[list[str]]]:
    """The dialect of a file that begins with this text, and its first rows; `cut` means the last line is incomplete."""
    lines = list(io.StringIO(text, newline=""))
    lines = lines[: -1 if cut and len(lines) > 1 else None][: 4 * _ROWS] or [text]
    hashed = sum(bool(HASH.match(line)) for line in lines[1:])
    comments = 0 < hashed <= len(lines) // 2 or is_comment(lines[:2])
    kept = [line for line in lines if not (comments and HASH.match(line))]
    short = [line[:_LETTERS] for line in kept]
    separator = asked.separator or _separator(short)
    quote = _quote(short, separator)
    spaces = any(f"{separator} " in line for line in kept)
    dialect = Dialect(
        separator, quote=quote, encoding=encoding, missing=asked.missing, comments=comments, spaces=spaces
    )
    rows = list(_sample(kept, dialect))
    narrow = [row[:_COLUMNS] for row in rows]
    header = _has_header(narrow) if asked.header is None else asked.header
    decimal, thousands = _digits(narrow[header:], separator, asked.decimal)
    return replace(dialect, header=header, decimal=decimal, thousands=thousands), rows


def is_comment(lines: Sequence[str]) -> bool:
    """Whether the first line is a comment with #, not a header such as #id,name."""
    if not lines or not lines[0].startswith("#"):
        return False
    if len(lines) < 2:
        return True
    return not any(
        lines[0].count(separator) == lines[1].count(separator) > 0 and not lines[0].startswith("# ")
        for separator in _SEPARATORS[:-1]
    )


def split(lines: Iterable[str], dialect: Dialect, *, strict: bool = False) -> Any:
    """A csv.reader of the rows; raises csv.Error for a row that cannot be read."""
    if dialect.separator == " ":
        lines = (line.replace("\t", " ").strip(" ") for line in lines)
    spaces = dialect.separator != "\t"
    return csv.reader(
        lines, delimiter=dialect.separator, quotechar=dialect.quote, skipinitialspace=spaces, strict=strict
    )


def _sample(lines: Sequence[str], dialect: Dialect) -> Iterator[list[str]]:
    rows = split(lines, dialect)
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield [cell.strip() for cell in cells]
    except csv.Error:
        return


def _separator(lines: Sequence[str]) -> str:
    """The separator by which most rows have as many cells as the first row, and most cells are numbers."""
    scores = {separator: _score(lines, separator) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda separator: scores[separator])
    if best == "\t" and _are_runs(lines, scores[" "][1], scores["\t"][1]):
        return " "
    return best if scores[best] > (0.0, 0.0, 0) else ","


def _are_runs(lines: Sequence[str], spaced: float, tabbed: float) -> bool:
    """Whether runs of spaces and tabs separate the cells, by the share of numbers that each separator gives.

    This is the case if only the last cell follows a tab, or if some rows have two tabs in place of one.
    """
    if not tabbed:
        return spaced > 0.5
    return spaced >= tabbed and len(_widths(lines, " ")) == 1 < len(_widths(lines, "\t"))


def _score(lines: Sequence[str], separator: str) -> tuple[float, float, int]:
    rows = _rows(lines, separator)
    widths = Counter(len(cells) for cells in rows)
    if not rows or (width := max(widths, key=lambda width: (widths[width], width))) < 2:
        return 0.0, 0.0, 0
    alike = widths[width] / len(rows)
    if alike < 0.8 or (separator == " " and alike < 1 and len(rows[0]) not in (width, width - 1)):
        return 0.0, 0.0, 0
    cells = [cell for row in rows for cell in row if not is_missing(cell)]
    numbers = sum(_is_number(cell, separator) for cell in cells) / max(1, len(cells))
    if separator == " ":
        return (0.5, round(numbers, 2), width) if numbers > 0.3 else (0.0, 0.0, 0)
    lacks = max(0, width - len(rows[0]))  # one may be row names or a decimal comma; more are likely marks in numbers
    return (1.0, 0.9, 0.4)[min(lacks, 2)], round(numbers, 2), width


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    return list(_sample(lines[:_ROWS], Dialect(separator, quote=_quote(lines[:_ROWS], separator))))


def _widths(lines: Sequence[str], separator: str) -> set[int]:
    return {len(cells) for cells in _rows(lines, separator)}


def _is_number(cell: str, separator: str) -> bool:
    cell = _without_any_sign(cell)
    if NUMBER.fullmatch(cell) or any(pattern.fullmatch(cell) for pattern in _GAPS.values()):
        return True
    return separator != "," and bool(_DECIMAL_COMMA.fullmatch(cell) or _THOUSANDS["."].fullmatch(cell))


def _without_any_sign(cell: str) -> str:
    return without_sign(cell, sign) if (sign := sign_of(cell)) else cell


def _quote(lines: Sequence[str], separator: str) -> str:
    """The quote character: a single quote if it encloses more cells than the double quote does."""
    edge = re.escape(separator)
    between = [
        sum(len(re.findall(rf"(?:^|{edge}) *{quote}[^{quote}]*{quote} *(?={edge}|$)", line.strip())) for line in lines)
        for quote in ("'", '"')
    ]
    return "'" if between[0] > max(between[1], len(lines) // 2) else '"'


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it has no numbers, or counts up, and hardly repeats values below it."""
    if not rows:
        return True
    first, body = rows[0], rows[1:]
    numbers = [cell for cell in first if NUMBER.fullmatch(cell) or _DECIMAL_COMMA.fullmatch(cell)]
    if numbers:
        whole = [int(cell) for cell in numbers if cell.isdecimal() and len(cell) < 10]
        return len(numbers) == len(whole) > 1 and whole == list(range(whole[0], whole[0] + len(whole))) and whole[0] < 2
    if any(cell and is_missing(cell) for cell in first):
        return False
    columns = [[row[i] for row in body if i < len(row)] for i in range(len(first))]
    if not body or any(2 * sum(map(_is_value, column)) > len(column) > 0 for column in columns):
        return True
    again = sum(name in column for name, column in zip(first, columns))
    return 3 * again < len(first) or not again


def _is_value(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or _DECIMAL_COMMA.fullmatch(cell) or _DECIMAL_POINT.fullmatch(cell))


def _digits(rows: Sequence[Sequence[str]], separator: str, asked: str | None) -> tuple[str, str]:
    """The decimal and the thousands mark; if the user sets the decimal mark, the other one may mark thousands."""
    if gap := _gap(rows, separator):
        rows = [[cell.replace(gap, "") for cell in row] for row in rows]
        return _digits(rows, separator, asked)[0], gap
    cells = [_without_any_sign(cell) for row in rows for cell in row if "," in cell or "." in cell]
    commas = sum(bool(_THOUSANDS[","].fullmatch(cell)) for cell in cells)
    comma = sum(bool(_DECIMAL_COMMA.fullmatch(cell)) and not _THOUSANDS[","].fullmatch(cell) for cell in cells)
    both = sum(bool(_THOUSANDS["."].fullmatch(cell)) and "," in cell for cell in cells)
    point = sum(bool(_DECIMAL_POINT.fullmatch(cell)) and not _THOUSANDS["."].fullmatch(cell) for cell in cells)
    if asked == ",":
        points = [cell for cell in cells if "." in cell]
        return ",", "." if points and all(map(_THOUSANDS["."].fullmatch, points)) else ""
    if asked == ".":
        return ".", "," if commas and not comma else ""
    if (comma or both) and not point:
        grouped = both or any(map(_THOUSANDS["."].fullmatch, cells))
        return ",", "." if grouped else ""
    return ".", "," if commas else ""


def _gap(rows: Sequence[Sequence[str]], separator: str) -> str:
    """The space or apostrophe between thousands, if all cells of a column are numbers with it, else "".

    Digits with spaces that all have the same length, of at least nine, are phone numbers and the like.
    """
    for mark, pattern in _GAPS.items():
        if mark == separator or not any(mark in cell for row in rows for cell in row):
            continue
        for column in zip(*(row for row in rows if len(row) == len(rows[0])), strict=True):
            cells = [_without_any_sign(cell) for cell in column if not is_missing(cell)]
            marked = [cell for cell in cells if pattern.fullmatch(cell)]
            others = [cell for cell in cells if mark not in cell]
            alike = mark == " " and len(set(map(len, marked))) == 1 and len(marked[0]) > 9
            if marked and not alike and len(marked) + len(others) == len(cells) and all(map(_is_value, others)):
                return mark
    return ""


def told(dialect: Dialect) -> str:
    """The dialect in words, or "" if it is the usual one."""
    names = {"\t": "tabs", " ": "spaces", ",": "commas"}
    words = []
    if dialect.separator != ",":
        words.append(f"separated by {names.get(dialect.separator, repr(dialect.separator))}")
    if dialect.decimal == ",":
        words.append("decimal comma")
    if dialect.thousands:
        words.append(f"{'a space' if dialect.thousands.isspace() else repr(dialect.thousands)} between thousands")
    if dialect.quote != '"':
        words.append("quoted by '")
    if not dialect.header:
        words.append("no header: columns are numbered from 1")
    if dialect.comments:
        words.append("lines with # are comments")
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        words.append(dialect.encoding)
    return ", ".join(words)
