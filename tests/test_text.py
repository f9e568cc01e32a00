"""Text of others in messages: on one line, short, and said to be so."""

from __future__ import annotations

from portanet._text import listed


def test_a_long_list_ends_in_how_many_more_there_are() -> None:
    letters = "abcdefghijk"
    assert listed(letters[:0]) == ""
    assert listed(letters[:8]) == "a, b, c, d, e, f, g, h"
    assert listed(letters, repr) == "'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' and 3 more"


def test_what_is_listed_stays_on_one_line() -> None:
    assert "\n" not in listed(["first\nsecond"])
