"""Notices that ranks send each other when a run cannot continue, separate from the messages of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet._text import listed
from portanet.mpi.launcher import mpi

WAITING = ""
"""The notice of a rank that waits for others; a rank that has failed sends the reason."""

_TAG = 24007
_LONGEST = 4000  # bytes; MPI sends a message of this size without waiting for its receiver


class Notices:
    """Short texts between ranks, sent without waiting."""

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self._received: dict[int, str] = {}
        self._sent: list[Any] = []

    def have_arrived(self) -> bool:
        """Whether a notice has arrived."""
        library = mpi()
        status = library.Status()
        while self._communicator.Iprobe(library.ANY_SOURCE, _TAG, status):
            content = np.empty(status.Get_count(library.BYTE), np.uint8)
            self._communicator.Recv(content, status.Get_source(), _TAG)
            self._received[status.Get_source()] = content.tobytes().decode("utf-8", "replace")
        return bool(self._received)

    def exchange(self, text: str, seconds: float) -> dict[int, str]:
        """Send a notice to all other ranks; return those that arrive within this time, with this rank's own."""
        me, size = self._communicator.Get_rank(), self._communicator.Get_size()
        content = np.frombuffer(text.encode("utf-8", "replace")[-_LONGEST:], np.uint8)
        others = [rank for rank in range(size) if rank != me]
        self._sent += [(content, self._communicator.Isend(content, rank, _TAG)) for rank in others]
        end = time.monotonic() + seconds
        while not (self.have_arrived() and len(self._received) == len(others)) and time.monotonic() < end:
            time.sleep(0.005)
        notices, self._received = self._received | {me: text}, {}
        return notices


def verdict(notices: dict[int, str], size: int, seconds: float, place: Callable[[int], str]) -> tuple[int, str]:
    """Return the rank that reports why all end, and its message.

    notices  of the ranks that sent one
    seconds  the time limit
    place    describes a rank
    """
    failed = {rank: text for rank, text in sorted(notices.items()) if text != WAITING}
    if failed:
        ranks_by_text: dict[str, list[int]] = {}
        for rank, text in failed.items():
            ranks_by_text.setdefault(text, []).append(rank)
        lines = [
            f"portanet: {place(ranks[0])} failed, so all ranks end: {text}" for text, ranks in ranks_by_text.items()
        ]
        return min(failed), "\n".join(lines)
    silent = [place(rank) for rank in range(size) if rank not in notices]
    if not silent:
        return min(notices), (
            f"portanet: all {size} ranks waited for each other for {seconds:g} s, so they end: messages do not arrive, "
            "or the ranks made different calls."
        )
    return min(notices), (
        f"portanet: {listed(silent, str)} did not answer for {seconds:g} s, so all ranks end: killed, hung, or still "
        f"busy; if it is busy, allow more time, such as timeout={2 * seconds:g}."
    )
