"""Numbers with a currency sign, a percent sign or a unit: $24,680, -1.200,50 €, 12 USD, (30 £), 20%, 5 km."""

from __future__ import annotations

import re

_CODES = (
    "AED|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NGN|NOK|NZD|PHP|PKR|PLN|"
    "RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_SIGN = rf"[A-Z]{{0,3}}[$¢£¤¥₠-⃀]|%|(?:{_CODES})(?![A-Za-z])|kr|zł|Kč"
_WORD = r"°?[^\W\d_]{1,12}[23²³]?\.?"
_NONE = r"(?!(?:st|nd|rd|th|e)$)(?<![\d.,](?=[A-Z]$))(?<!\. )"  # not units: 12A is a code, and "1. White" a list item
_UNIT = rf"{_NONE}(?:(?:sq|cu|fl)\.? )?{_WORD}(?:/{_WORD})?|°"
_DIGITS = r"[\d.,](?:[\d.,'\u2019\u00a0\u202f ]*[\d.,])?"
_SIGNED = re.compile(
    rf"\(?[+-]? ?(?:(?P<before>{_SIGN}) ?[+-]?{_DIGITS}|{_DIGITS}[ \u00a0\u202f]?(?P<after>{_SIGN}|{_UNIT}))\)?"
)


def sign_of(text: str) -> str:
    """The sign or unit before or after the digits of a text; "" if there is none, or other text."""
    found = _SIGNED.fullmatch(text.strip())
    return (found["before"] or found["after"]) if found else ""


def is_unit(sign: str) -> bool:
    """Whether a sign is a unit such as km, not a currency or percent sign."""
    return not re.fullmatch(_SIGN, sign)


def without_sign(text: str, sign: str) -> str:
    """A number's text without its sign, and with a minus in place of parentheses: -1,200 for ($1,200)."""
    text = text.strip()
    minus = "-" if text.startswith("(") and text.endswith(")") else ""
    text = text[1:-1] if minus else text
    if not minus and text[:1] in ("+", "-"):
        minus, text = text[0], text[1:]
    text = text.strip()
    if text.startswith(sign):
        text = text[len(sign) :]
    elif text.endswith(sign):
        text = text[: -len(sign)]
    return minus + text.strip()
