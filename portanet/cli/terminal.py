"""Terminal output: printable lines only, even where files and names hold control characters."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Any

import click

from portanet._text import plain


def echo(text: object = "", *, err: bool = False) -> None:
    """Print lines."""
    click.echo("\n".join(plain(line, None) for line in str(text).split("\n")), err=err)


def say(text: object) -> None:
    """Print one line on stderr; a closed stderr does not stop training."""
    with contextlib.suppress(OSError):
        print(plain(text, None), file=sys.stderr, flush=True)  # through a bar that may be there, which echo goes past


class Screen(io.BufferedIOBase):
    """Stands for the buffer of a stdout that is a terminal: its lines go there by `echo`."""

    def __init__(self) -> None:
        self._rest = b""

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        *lines, self._rest = (self._rest + bytes(content)).split(b"\n")
        if lines:
            echo(b"\n".join(lines).decode("utf-8", "replace"))
        return len(content)
