"""Codes such as 01067 in a text file, which would lose their leading zeros as numbers."""

from __future__ import annotations

import re
from pathlib import Path

from portanet.data.csv.text import opened
from portanet.storage.schema import Dialect

_BLOCK, _LONGEST = 2**20, 64  # characters: per block, and in a code that spans two blocks


def has_padded(path: str | Path, dialect: Dialect) -> bool:
    """Whether a cell of the file seems to be digits with a leading zero; part of a text cell may match too."""
    edges = {dialect.separator, dialect.quote, " ", "\t", "\n", "\r"}
    end = f"(?=[{re.escape(''.join(sorted(edges)))}])"
    # One pattern per delimiter: a literal first character is found ten times as fast as a character class.
    patterns = [re.compile(f"{re.escape(edge)}0[0-9]+{end}") for edge in sorted(edges)]
    with opened(path, dialect) as text:
        rest = "\n"
        while block := text.read(_BLOCK):
            if any(pattern.search(rest + block) for pattern in patterns):
                return True
            rest = block[-_LONGEST:]
    return any(pattern.search(f"{rest}\n") for pattern in patterns)
