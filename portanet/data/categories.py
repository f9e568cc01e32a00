"""The codes of a column's categories."""

from __future__ import annotations

from collections.abc import Sequence

from portanet.data.labels import shortest


def codes_of(values: Sequence[str]) -> dict[str, int]:
    """The code of each category, from 1, by its text and by the shortest form of its number, such as 1067 for 01067.

    This recognises codes that a spreadsheet or a data frame has turned into numbers. The exact text takes precedence.
    """
    codes = {text: code for code, text in enumerate(values, 1)}
    return {shortest(text): code for text, code in reversed(codes.items())} | codes
