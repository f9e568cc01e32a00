"""What a person sees while a network trains: a live bar in a terminal, plain lines elsewhere, on stderr."""

from __future__ import annotations

import sys
from typing import Any

import click

from portanet.training.callbacks import Callback, Row


def progress(epochs: int, *, quiet: bool) -> Callback:
    """The callback that suits where stderr goes."""
    if quiet:
        return Callback()
    return Bar(epochs) if sys.stderr.isatty() else Lines(epochs)


class Lines(Callback):
    """One line for each logging point."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def log(self, row: Row) -> bool | None:
        click.echo(describe(row, self.epochs), err=True)
        return None


class Bar(Callback):
    """A bar with the time left and the latest figures."""

    def __init__(self, epochs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs = epochs
        self._bar = Progress(
            BarColumn(bar_width=12), TimeRemainingColumn(), TextColumn("left"), TextColumn("{task.description}"),
            console=Console(stderr=True),
        )  # fmt: skip

    def begin(self, steps: int) -> None:
        self._task = self._bar.add_task("", total=steps)
        self._bar.start()

    def advance(self, step: int) -> None:
        self._bar.update(self._task, completed=step)

    def log(self, row: Row) -> bool | None:
        self._bar.update(self._task, description=describe(row, self.epochs))
        return None

    def end(self) -> None:
        self._bar.stop()


def describe(row: dict[str, Any], epochs: int) -> str:
    """A row of the history in words."""
    words = [f"epoch {row['epoch']}/{epochs}", f"loss {row['loss']:.4f}", f"accuracy {row['accuracy']:.2%}"]
    if "valid_accuracy" in row:
        words.append(f"valid {row['valid_accuracy']:.2%}")
    return "  ".join(words)
