"""Terminal output: printable lines only, even if files and names contain control characters."""

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
        print(plain(text, None), file=sys.stderr, flush=True)  # click.echo would bypass a progress bar


class Screen(io.BufferedIOBase):
    """A stand-in for the buffer of a terminal's stdout, which writes lines by `echo`."""

    def __init__(self) -> None:
        self._rest = b""

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        *lines, self._rest = (self._rest + bytes(content)).split(b"\n")
        if lines:
            echo(b"\n".join(lines).decode("utf-8", "replace"))
        return len(content)
