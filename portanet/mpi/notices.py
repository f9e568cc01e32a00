"""What ranks tell each other when a run cannot continue, beside the messages of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.mpi.launcher import mpi

WAITING = ""
"""The notice of a rank that waits for others; that of one that has failed is the reason."""

_TAG = 24007
_LONGEST = 4000  # bytes: a message of this size is sent at once


class Notices:
    """Short texts from rank to rank, sent without waiting."""

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self._heard: dict[int, str] = {}
        self._sent: list[Any] = []

    def come(self) -> bool:
        """Whether any rank has sent a notice by now."""
        library = mpi()
        status = library.Status()
        while self._communicator.Iprobe(library.ANY_SOURCE, _TAG, status):
            content = np.empty(status.Get_count(library.BYTE), np.uint8)
            self._communicator.Recv(content, status.Get_source(), _TAG)
            self._heard[status.Get_source()] = content.tobytes().decode("utf-8", "replace")
        return bool(self._heard)

    def exchange(self, text: str, seconds: float) -> dict[int, str]:
        """Send a notice to all others; return those of all ranks that come in this time, this rank's among them."""
        own, size = self._communicator.Get_rank(), self._communicator.Get_size()
        content = np.frombuffer(text.encode("utf-8", "replace")[-_LONGEST:], np.uint8)
        others = [rank for rank in range(size) if rank != own]
        self._sent += [(content, self._communicator.Isend(content, rank, _TAG)) for rank in others]
        end = time.monotonic() + seconds
        while not (self.come() and len(self._heard) == len(others)) and time.monotonic() < end:
            time.sleep(0.005)
        heard, self._heard = self._heard | {own: text}, {}
        return heard


def verdict(heard: dict[int, str], size: int, seconds: float, place: Callable[[int], str]) -> tuple[int, str]:
    """Return which rank speaks for all, and what it says, by the notices of all ranks that have sent one."""
    failed = {rank: text for rank, text in sorted(heard.items()) if text != WAITING}
    if failed:
        texts: dict[str, list[int]] = {}
        for rank, text in failed.items():
            texts.setdefault(text, []).append(rank)
        lines = [f"portanet: {place(ranks[0])} failed, so all ranks end: {text}" for text, ranks in texts.items()]
        return min(failed), "\n".join(lines)
    silent = [place(rank) for rank in range(size) if rank not in heard]
    if not silent:
        return min(heard), (
            f"portanet: all {size} ranks waited for each other for {seconds:g} s, so they end: messages do not arrive, "
            "or the ranks were given different calls to make."
        )
    names = ", ".join(silent[:8]) + (f" and {len(silent) - 8} more" if len(silent) > 8 else "")
    return min(heard), (
        f"portanet: {names} did not answer for {seconds:g} s, so all ranks end: killed, hung, or still busy; for long "
        f"work give more time, such as timeout={2 * seconds:g}."
    )
