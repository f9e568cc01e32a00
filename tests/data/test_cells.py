"""What counts as a missing value, wherever it stands."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from portanet.data.cells import is_missing


@pytest.mark.parametrize("text", ["", "  ", "?", " NA ", "NaN", "nan", "null", "None", "N/A", "NaT", str(pd.NA)])
def test_missing(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["0", "-", "no", "North America", "none of them", "nano", "inf", "??"])
def test_present(text: str) -> None:
    assert not is_missing(text)


def test_what_pandas_takes_for_missing_is_missing() -> None:
    """But for how old compilers printed NaN."""
    assert {text for text in STR_NA_VALUES if not is_missing(text)} == {
        "-1.#IND",
        "-1.#QNAN",
        "1.#IND",
        "1.#QNAN",
        "#N/A N/A",
    }
