"""Progress display: a live bar in a terminal or a notebook, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from importlib import import_module
from typing import Protocol

from portanet._text import plain
from portanet.training.callbacks import Callback, Row
from portanet.training.model import TrainedModel
from portanet.training.trained.summary import describe


class Progress(Callback):
    """Shows the progress of a run, with its latest metrics: `fit(..., callbacks=[Progress()])`.

    A bar in a terminal and in a notebook; elsewhere lines of text: for the first row of the history, then for one row
    in each twentieth of the steps, and for the last. Except in a notebook, it writes to stderr; a closed stderr does
    not stop training.

    rows  the number of rows in an epoch, to show the rows per second of all processes too; 0: they are not shown
    """

    rows: int = 0

    def begin(self, run: TrainedModel, steps: int) -> None:
        self._epochs, self._metric = run.spec.epochs, run.task.metric
        self._steps, self._before = steps, (run.steps, run.seconds)
        self._view = _view(run.steps, steps)

    def advance(self, step: int) -> None:
        with contextlib.suppress(OSError):
            self._view.advance(step)

    def log(self, row: Row) -> bool | None:
        with contextlib.suppress(OSError):
            self._view.say(describe(row, self._epochs, self._metric) + self._speed(row))
        return None

    def _speed(self, row: Row) -> str:
        """The rows per second since the previous row of the history."""
        (step, seconds), self._before = self._before, (row["step"], row["seconds"])
        taken = self.rows * self._epochs * (row["step"] - step) / self._steps
        return f"  {taken / (row['seconds'] - seconds):,.0f} rows/s" if taken else ""

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._view.close()


class ReadProgress:
    """Shows the progress of reading: `with ReadProgress("rows.csv") as progress: read("rows.csv", progress=progress)`.

    Silent unless progress is reported, which does not happen for a file that is read at once.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown: _View | None = None

    def __enter__(self) -> ReadProgress:
        return self

    def __call__(self, done: int, size: int) -> None:
        if self._shown is None:
            self._shown = _view(0, size)
            self._shown.say(
                f"making a memory map of {plain(self._name, None)}, {size / 1e6:,.0f} MB, for now and later"
            )
        self._shown.advance(done)

    def __exit__(self, *error: object) -> None:
        if self._shown is not None:
            self._shown.close()


class _View(Protocol):
    """A display of progress."""

    def advance(self, step: int) -> None:
        """This many steps are done."""

    def say(self, text: str) -> None:
        """The latest metrics."""

    def close(self) -> None:
        """End the display."""


def _view(done: int, steps: int) -> _View:
    """The view for this notebook, terminal or file; `done` of the `steps` are already done."""
    if in_notebook():
        return _Notebook(done, steps)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return _Bar(done, steps)
    return _Lines(done, steps)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code; nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


_MOST_LINES = 20  # of a run, without the first


class _Lines:
    """A log file or a pipe: shows some of the rows, and the last."""

    def __init__(self, done: int, steps: int) -> None:
        self._step, self._steps, self._part, self._left = done, steps, -1, ""

    def advance(self, step: int) -> None:
        self._step = step

    def say(self, text: str) -> None:
        part = self._step * _MOST_LINES // self._steps if self._steps else _MOST_LINES
        if part > self._part:
            print(text, file=sys.stderr, flush=True)
        self._part, self._left = max(part, self._part), "" if part > self._part else text

    def close(self) -> None:
        if self._left:
            print(self._left, file=sys.stderr, flush=True)


_NARROW, _LEAST = 60, 10  # columns: the narrowest terminal with a bar, and the narrowest bar
_TIME, _FIGURES = 12, 58  # columns of the remaining time, and usually of the figures


class _Bar:
    """A terminal."""

    def __init__(self, done: int, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, Task, TextColumn, TimeRemainingColumn
        from rich.progress_bar import ProgressBar
        from rich.table import Column
        from rich.text import Text

        self._console = console = Console(stderr=True)
        widest = console.width

        class Bar(BarColumn):
            """A bar in the width that time and figures leave; it never grows again when they get shorter."""

            def render(self, task: Task) -> ProgressBar | Text:  # type: ignore[override]
                nonlocal widest
                if console.width < _NARROW:
                    return Text()
                widest = min(widest, console.width - _TIME - max(_FIGURES, len(task.description)))
                self.bar_width = max(_LEAST, widest)
                return super().render(task)

        self._bar = Progress(
            Bar(),
            TimeRemainingColumn(compact=True, table_column=Column(min_width=5, no_wrap=True)),
            TextColumn("left", table_column=Column(min_width=4, no_wrap=True)),
            TextColumn("{task.description}", markup=False),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=steps, completed=done)
        self._bar.start()

    def advance(self, step: int) -> None:
        self._bar.update(self._task, completed=step)

    def say(self, text: str) -> None:
        columns = self._console.width
        room = columns - _TIME - (_LEAST + 1 if columns >= _NARROW else 1)
        self._bar.update(self._task, description=text if len(text) <= room else f"{text[: room - 1]}…")

    def close(self) -> None:
        self._bar.stop()


class _Notebook:
    """The output of a cell, updated in place: it needs no widgets, and a saved notebook keeps its last state."""

    pause = 0.2  # seconds between two updates, at least

    def __init__(self, done: int, steps: int) -> None:
        self._begin, self._step, self._steps, self._text = done, done, steps, ""
        self._start = self._shown = time.monotonic()
        show = import_module("IPython.display").display
        self._handle = show(self._picture(), raw=True, display_id=True)

    def advance(self, step: int) -> None:
        self._step, now = step, time.monotonic()
        if now - self._shown >= self.pause:
            seconds = (now - self._start) / (step - self._begin) * (self._steps - step)
            self._handle.update(self._picture(f"{_clock(round(seconds))} left"), raw=True)
            self._shown = now

    def say(self, text: str) -> None:
        self._text = text

    def close(self) -> None:
        self._handle.update(self._picture(), raw=True)

    def _picture(self, left: str = "") -> dict[str, str]:
        text = "  ".join(filter(None, (f"{self._step:,} of {self._steps:,} steps", left, self._text)))
        bar = f'<progress value="{self._step}" max="{self._steps}"></progress>'
        return {"text/plain": text, "text/html": f'<div style="white-space: pre-wrap">{bar} {text}</div>'}


def _clock(seconds: int) -> str:
    """Seconds as minutes and seconds: 3:05 for 185."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
