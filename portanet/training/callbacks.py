"""What watches a training: told of its begin, its progress, its results and its end."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


class Callback:
    """Override what you need; every method does nothing by itself."""

    def begin(self, steps: int) -> None:
        """Training starts and will take this many steps."""

    def advance(self, step: int) -> None:
        """This many steps are done. Nothing is read from the device for it, so it may run a little ahead."""

    def log(self, row: Row) -> bool | None:
        """A row of the history is ready; return True to stop the training here."""

    def end(self) -> None:
        """Training is over, finished or not."""
