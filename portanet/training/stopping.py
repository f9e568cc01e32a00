"""Stopping a run before its last step: Ctrl-C, or a time limit."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from numbers import Real
from typing import Any

from portanet.errors import ConfigError

FINISHED, EARLY, INTERRUPTED, LIMITED, DIVERGED = (
    "finished", "early stopping", "interrupted", "time limit", "diverged",
)  # fmt: skip
"""Why a run ended, as `TrainedModel.stopped` says it."""

_AGAIN = 2.0  # seconds in which a second Ctrl-C ends the program, even if the first has already ended the run


class Stop:
    """Decides between steps whether the run should end.

    time_limit   seconds from now after which it should end; None: no limit
    interrupted  whether the run was asked to end; set it to ask

    Raises ConfigError for a time limit that is not a number above 0.
    """

    _last = -math.inf  # time of the latest interruption

    def __init__(self, time_limit: float | None = None) -> None:
        if time_limit is not None and not (
            isinstance(time_limit, Real) and not isinstance(time_limit, bool) and 0 < time_limit < math.inf
        ):
            raise ConfigError(f"time_limit must be a number of seconds above 0, such as 60, got {time_limit!r}.")
        self.interrupted = False
        self._end = math.inf if time_limit is None else time.monotonic() + float(time_limit)

    @property
    def reason(self) -> str:
        """The reason to end the run here; empty if there is none."""
        if self.interrupted:
            return INTERRUPTED
        return LIMITED if time.monotonic() >= self._end else ""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block, Ctrl-C asks the run to end, and a second one raises KeyboardInterrupt.

        Does nothing outside the main thread, and if the program has its own handler, or ignores Ctrl-C.
        """
        is_ours = threading.current_thread() is threading.main_thread()
        if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number: int, frame: Any) -> None:
        if self.interrupted or time.monotonic() - Stop._last < _AGAIN:
            raise KeyboardInterrupt
        self.interrupted, Stop._last = True, time.monotonic()
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # stderr is closed, or being written to
            words = "fit ends after this step and returns the model so far; Ctrl-C again raises KeyboardInterrupt"
            print(f"portanet: {words}", file=sys.stderr, flush=True)
