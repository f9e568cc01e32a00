"""The processes of one run: they wait for each other with a time limit, and end together."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NoReturn, TypeVar

import numpy as np

from portanet import _machine
from portanet._text import plain, shown
from portanet.errors import ConfigError, PortanetError
from portanet.mpi.launcher import mpi
from portanet.mpi.notices import WAITING, Notices, verdict

T = TypeVar("T")

EXACT, FAST = "exact", "fast"
_BUSY, _MOVING = 0.001, 2.0  # seconds
_PAUSE = 0.01  # seconds; a pause is a sixteenth of the time waited, but not longer than this
_LISTED = 32  # ranks
_GRACE = 5.0  # seconds in which ranks that wait or fail send a notice


def _yield() -> None:
    getattr(os, "sched_yield", lambda: time.sleep(0))()


def say_all(text: str) -> None:
    """Print lines to the stderr that the process started with."""
    with contextlib.suppress(OSError):
        print("\n".join(plain(line, None) for line in text.split("\n")), file=sys.__stderr__ or sys.stderr, flush=True)


class Ranks:
    """The processes of an MPI communicator, which train one model: `fit(..., communicator=Ranks(MPI.COMM_WORLD))`.

    communicator  of mpi4py, such as mpi4py.MPI.COMM_WORLD; during a run nothing else may use it
    reduce        "exact": gradients are added in the order of the shards, to the same bits for any number of ranks;
                  "fast": by MPI's Allreduce, whose bits depend on the number of ranks and on the MPI
    timeout       seconds that a rank waits for the others, which may be reading data or saving, before all end
    say           called with the reason why all processes end

    Raises ConfigError for another kind of communicator, or an invalid setting.
    """

    def __init__(
        self, communicator: Any, *, reduce: str = EXACT, timeout: Any = 600.0, say: Callable[[str], Any] = say_all
    ) -> None:
        if not hasattr(communicator, "Ialltoallv"):
            raise ConfigError(
                f"communicator must be one of mpi4py, got {shown(communicator)}",
                remedy="write communicator=MPI.COMM_WORLD, with from mpi4py import MPI",
            )
        if reduce not in (EXACT, FAST):
            raise ConfigError(f"reduce must be {EXACT!r} or {FAST!r}, got {shown(reduce)}.")
        if isinstance(timeout, bool) or not (isinstance(timeout, (int, float)) and 0 < timeout < math.inf):
            raise ConfigError(f"timeout must be a number of seconds above 0, such as 60, got {shown(timeout)}.")
        self.communicator, self.reduce, self.timeout, self.say = communicator, reduce, float(timeout), say
        self.rank, self.size = int(communicator.Get_rank()), int(communicator.Get_size())
        self._notices = Notices(communicator)
        self._waits = False
        self._places: list[tuple[str, int, list[int]]] = []

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which writes files and messages."""
        return self.rank == 0

    @cached_property
    def mpi(self) -> Any:
        """The module mpi4py.MPI."""
        return mpi()

    def threads(self) -> int:
        """Return this rank's default number of threads: the host's, divided by the ranks there that share its cores."""
        host, _, cores = self._places[self.rank]
        sharing = sum((other[0], other[2]) == (host, cores) for other in self._places)
        return max(1, _machine.threads()[0] // sharing)

    @property
    def local_rank(self) -> int:
        """This rank's number among those of its host."""
        host = self._places[self.rank][0]
        return sum(other[0] == host for other in self._places[: self.rank])

    def note(self, text: str) -> None:
        """Print a note, on rank 0 only."""
        if self.leads:
            self.say(f"portanet: {text}")

    def idle(self, parts: int) -> str:
        """Return a note about ranks without work, where a batch has fewer parts than there are ranks; else ""."""
        if parts >= self.size:
            return ""
        count = "one shard" if parts == 1 else f"{parts} shards"
        return f"{count}, so {self.size - parts} of {self.size} ranks are idle; larger batches have more shards"

    def in_turn(self, function: Callable[[], T]) -> T:
        """Call a function on the first rank of each host, then on the others, which find its files there."""
        first = function() if self.local_rank == 0 else None
        self.largest(0)
        return function() if self.local_rank else first  # type: ignore[return-value]

    def __str__(self) -> str:
        """The number of ranks and their process ids, by which a launcher names one that was killed."""
        hosts = {host: [process for name, process, _ in self._places if name == host] for host, *_ in self._places}
        if self.size > _LISTED:
            return f"{self.size} ranks on {len(hosts)} hosts, {self.threads()} threads each"
        where = ", ".join(f"processes {' '.join(map(str, ids))} on {host}" for host, ids in hosts.items())
        return f"{self.size} ranks: {where}, {self.threads()} threads each"

    def place(self, rank: int) -> str:
        """A rank as text: rank 2 (process 4711 on node7)."""
        if not self._places:
            return f"rank {rank}"
        host, process, _ = self._places[rank]
        return f"rank {rank} (process {process} on {host})"

    def gather(self, value: T) -> list[T]:
        """Return the values of all ranks, in their order: plain data and host arrays."""
        content = np.frombuffer(self.mpi.pickle.dumps(value), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self.wait(self.communicator.Iallgather(np.asarray([content.size], np.int64), sizes))
        received = np.empty(int(sizes.sum()), np.uint8)
        self.move(lambda on: on.Iallgatherv(content, [received, sizes.tolist()]))
        parts = np.split(received, np.cumsum(sizes)[:-1])
        return [self.mpi.pickle.loads(part.tobytes()) for part in parts]

    def largest(self, number: int) -> int:
        """Return the maximum of the ranks' numbers."""
        maximum = np.empty(1, np.int64)
        self.wait(self.communicator.Iallreduce(np.asarray([number], np.int64), maximum, self.mpi.MAX))
        return int(maximum[0])

    def lead(self, function: Callable[[], T]) -> T:
        """Call a function on rank 0 and return its result, or raise its PortanetError, on every rank."""
        result: Any = None
        error: PortanetError | None = None
        if self.leads:
            try:
                result = function()
            except PortanetError as caught:
                error = caught
        result, failure = self.gather((result, error))[0]
        if failure is not None:
            raise error or failure
        return result

    def move(self, start: Callable[[Any], Any]) -> None:
        """Run the collective that `start` begins on the communicator, polling it closely once all ranks have come."""
        self.wait(self.communicator.Ibarrier())
        self.wait(start(self.communicator), busy=_MOVING)

    def wait(self, request: Any, busy: float = _BUSY) -> None:
        """Wait until all ranks reach this point of the run; if one does not in time, end all.

        busy  seconds of polling without a pause; MPI moves arrays piece by piece, and only while it is polled
        """
        self._waits, began = True, time.monotonic()
        while not request.Test():
            waited = time.monotonic() - began
            if waited < busy:
                _yield()
                continue
            time.sleep(min(waited / 16, _PAUSE))
            if waited > self.timeout or (waited > 16 * _PAUSE and self._notices.have_arrived()):
                self._end_all(self._notices.exchange(WAITING, _GRACE))
        self._waits = False

    @contextlib.contextmanager
    def together(self, describe: Callable[[BaseException], str] | None = None) -> Iterator[None]:
        """While the block runs, an error on some ranks ends all processes; an error on all ranks is raised on each.

        describe  gives the text of an error; by default the message of a PortanetError and the traceback of others
        """
        try:
            cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
            self._places = self.gather((socket.gethostname(), os.getpid(), cores))
            yield
            self.largest(0)
        except BaseException as error:
            text = (describe or _describe)(error) or type(error).__name__
            notices = self._notices.exchange(text, _GRACE)
            if self._waits or len(notices) < self.size or WAITING in notices.values():
                self._end_all(notices, error)
            raise

    def _end_all(self, notices: dict[int, str], error: BaseException | None = None) -> NoReturn:
        """End all processes; the lowest rank that can prints the reason."""
        speaker, text = verdict(notices, self.size, self.timeout, self.place)
        if self.rank == speaker:
            self.say(text)
        time.sleep(_GRACE / (16 if self.rank == speaker else 2))  # so that the launcher passes the message on first
        code = error.code if isinstance(error, SystemExit) else 130 if isinstance(error, KeyboardInterrupt) else 1
        sys.stdout.flush()
        self.communicator.Abort(code if isinstance(code, int) else 1)
        os._exit(1)  # in some MPIs Abort returns


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, PortanetError) else "".join(traceback.format_exception(error)).strip()


def as_ranks(value: Any) -> Ranks | None:
    """Return the Ranks of a communicator, and Ranks unchanged; None for a single process."""
    ranks = value if value is None or isinstance(value, Ranks) else Ranks(value)
    return None if ranks is None or ranks.size == 1 else ranks
