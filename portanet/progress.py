"""What a person sees while a network trains: a live bar in a terminal or a notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from portanet.training.callbacks import Callback, Row
from portanet.training.run import Run


class Progress(Callback):
    """Shows how far a training is, with its latest figures: `fit(..., callbacks=[Progress()])`.

    A bar where there is a terminal, or a notebook with ipywidgets; else one line for each row of the history.
    Everything goes to stderr.
    """

    def begin(self, run: Run, steps: int) -> None:
        self._epochs = int(run.config["epochs"])
        self._bar: Any = _bar() if _is_live() else None
        if self._bar is not None:
            self._task = self._bar.add_task("", total=steps, completed=run.steps)
            self._bar.start()

    def advance(self, step: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=step)

    def log(self, row: Row) -> bool | None:
        words = describe(row, self._epochs)
        if self._bar is None:
            print(words, file=sys.stderr, flush=True)
        else:
            self._bar.update(self._task, description=words)
        return None

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def describe(row: dict[str, Any], epochs: int) -> str:
    """A row of the history in words."""
    score = "accuracy" if "accuracy" in row else "r2"
    words = [f"epoch {row['epoch']}/{epochs}", f"loss {row['loss']:.4g}", f"{word(score)} {figure(score, row[score])}"]
    if f"valid_{score}" in row:
        words.append(f"valid {figure(score, row[f'valid_{score}'])}")
    return "  ".join(words)


def word(score: str) -> str:
    """A score's name as people write it."""
    return {"r2": "R2"}.get(score, score)


def figure(score: str, value: float) -> str:
    """A score as people read it: shares in percent."""
    return f"{value:.2%}" if score == "accuracy" else f"{value:.4f}"


def _is_live() -> bool:
    """Whether what is shown can be changed in place."""
    if "ipykernel" in sys.modules:
        return find_spec("ipywidgets") is not None
    return sys.stderr.isatty()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        BarColumn(bar_width=12), TimeRemainingColumn(), TextColumn("left"), TextColumn("{task.description}"),
        console=Console(stderr=True),
    )  # fmt: skip
