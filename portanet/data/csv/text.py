"""Opening a table's file as text: decompressed, decoded, with its dialect."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from portanet._text import plain
from portanet.data.csv.dialect import DECLARED, HASH, Asked, dialect_of, encoding_of, split
from portanet.data.packed import read_so_far, unpacked
from portanet.errors import ConfigError, DataError
from portanet.storage.schema import Dialect, is_encoding

_LINE = 2**25  # characters per line, at most
_BLANKS = 100_000
_START, _SAMPLE, _LONGEST = 2**20, 2**16, 2**22  # bytes read to detect the encoding and the separator
_COMMENT = re.compile(rf"^{HASH.pattern}[^\r\n]*(\r\n|\r|\n|\Z)", re.MULTILINE)


class Text(io.TextIOWrapper):
    """Text that can peek at its next row, skips comments, and refuses NUL, at which C parsers would cut a cell.

    declared  the separator named by a first line such as `sep=;`, as Excel writes it; the line is skipped
    """

    _shown = ""
    _begun = False
    declared: str | None = None
    comments = False
    skipped = 0
    progress: Callable[[], tuple[int, int]]

    def next_row(self, dialect: Dialect) -> list[str]:
        """Peek at the cells of the next row that is not blank; empty at the end of the file."""
        lines: list[str] = []
        row = first_row(split((lines.append(line) or line for line in self), dialect))  # type: ignore[func-returns-value]
        self._shown = "".join(lines)
        return row

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return the next line, comments skipped; used for headers, first rows and fault reports."""
        while True:
            line = super().readline(_LINE)
            if "\0" in line:
                raise DataError(f"{self.name} holds NUL bytes; save it as UTF-8 text.")
            if len(line) == _LINE:
                raise DataError(f"{self.name} has a line of over {_LINE:,} letters; is it a table?")
            if not self._begun and (rest := self._without_declaration(line)) != line:
                line = rest
            elif not (self.comments and HASH.match(line)):
                return line
            self.skipped += 1

    def _without_declaration(self, text: str) -> str:
        self._begun = True
        if not (found := DECLARED.match(text)):
            return text
        self.declared = found[1]
        return text[found.end() :]

    def read(self, size: int | None = -1, /) -> str:
        text, self._shown = self._shown or super().read(size), ""
        if not self._begun:
            text = self._without_declaration(text)
        if "\0" in text:
            raise DataError(f"{self.name} holds NUL bytes; save it as UTF-8 text.")
        if self.comments and text and not text.endswith("\n"):
            text += super().readline(_LINE)
        return _COMMENT.sub("", text) or self.read(size) if self.comments and text else text


@contextlib.contextmanager
def opened(path: str | Path, dialect: Dialect) -> Iterator[Text]:
    """The text of a file; bytes that are invalid in its encoding become surrogates, which `is_text` detects."""
    with unpacked(path) as file:
        text = _text(file, dialect.encoding, str(path))
        text.comments = dialect.comments
        text.progress = lambda: read_so_far(file)
        yield text


def _text(file: BinaryIO, encoding: str, name: str) -> Text:
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
    return Text(_Named(file, name), encoding=encoding, errors=errors, newline="")


class _Named(io.BufferedIOBase):
    """A stream with the name of its file; closing it leaves the file open."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self.name = file, name

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        return self._file.read1(size) if hasattr(self._file, "read1") else self._file.read(size)


def find_dialect(path: str | Path, asked: Asked) -> tuple[Dialect, list[list[str]]]:
    """The dialect of the file, detected where the user does not set it, and its first rows."""
    if asked.encoding is not None and not is_encoding(asked.encoding):
        raise ConfigError(f"unknown encoding {plain(asked.encoding)!r}.", remedy='use one such as encoding="utf-8"')
    with unpacked(path) as file:
        start = file.read(_START)
        size = _SAMPLE
        while (cut := len(start) > size) and start.count(b"\n", 0, size) < 3 and size < _LONGEST:
            size *= 4
            start += file.read(max(0, size + 1 - len(start)))
        encoding = asked.encoding or encoding_of(start)
        if asked.encoding is None and start.isascii() and b"\0" not in start:
            blocks = iter(partial(file.read, _START), b"")
            encoding = encoding_of(next((block for block in blocks if not block.isascii()), start))
    reader = _text(io.BytesIO(start[:size]), encoding, str(path))
    text = reader.read()
    asked = replace(asked, separator=asked.separator or reader.declared)
    dialect, rows = dialect_of(text, encoding, asked, cut=cut)
    if text.strip() and not rows:
        raise DataError(f"{path} does not begin with a row of cells that can be read.")
    return dialect, rows


def first_row(rows: Iterable[list[str]]) -> list[str]:
    """The cells of the first row that is not blank; empty if there is none."""
    return next(without_blanks(rows), [])


def without_blanks(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield the rows that are not blank; raises csv.Error for too many consecutive blank rows."""
    blanks = 0
    for cells in rows:
        blanks = blanks + 1 if is_blank(cells) else 0
        if blanks > _BLANKS:
            raise csv.Error(f"over {_BLANKS:,} blank lines")
        if not blanks:
            yield cells


def is_blank(cells: list[str]) -> bool:
    """Whether a row is empty or only whitespace."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def settings(dialect: Dialect) -> dict[str, Any]:
    """The dialect as arguments of `pandas.read_csv`."""
    space = dialect.separator == " "
    return {
        "sep": r"\s+" if space else dialect.separator,
        "decimal": dialect.decimal,
        "quotechar": dialect.quote,
        "skipinitialspace": dialect.spaces and not space,
    }
