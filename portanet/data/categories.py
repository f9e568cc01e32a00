"""The codes of a column's categories."""

from __future__ import annotations

from collections.abc import Sequence

from portanet.data.labels import shortest


def codes_of(values: Sequence[str]) -> dict[str, int]:
    """The code of each category, from 1, by its text, and by its number's shortest form, as 1067 for 01067.

    So codes are known that a spreadsheet or a data frame has made numbers of, unless another category is that number.
    """
    codes = {text: code for code, text in enumerate(values, 1)}
    return {shortest(text): code for text, code in reversed(codes.items())} | codes
