"""Ctrl-C and SIGTERM during training: the first one saves the run, the second one stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from portanet.training.stopping import Stop


@contextlib.contextmanager
def stopping(stop: Stop, say: Callable[[str], None]) -> Iterator[list[int]]:
    """Within the block, a signal asks the run to save and stop; yields the list of signals received.

    A signal that was ignored before, as in a background job, stays ignored.
    """
    came: list[int] = []

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        stop.interrupted = True
        with contextlib.suppress(OSError, RuntimeError):  # stderr is closed, or being written to
            say("stopping; a second signal ends at once")

    before = {}
    if threading.current_thread() is threading.main_thread():  # only the main thread can set handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handle)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
