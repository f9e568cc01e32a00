"""Text that others wrote, as a message or a terminal can show it."""

from __future__ import annotations


def plain(text: object, most: int | None = 40) -> str:
    """Return the text on one line, without what would command a terminal, and not longer than `most`."""
    shown = str(text)
    shown = shown if shown.isprintable() else repr(shown)[1:-1]
    return shown if most is None or len(shown) <= most else f"{shown[:most]}..."
