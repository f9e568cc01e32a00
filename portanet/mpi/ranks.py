"""The processes of one run, which wait for each other with a time limit, and end together."""

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
_PAUSE = 0.01  # the longest, which is a sixteenth of the time waited
_LISTED = 32  # ranks
_GRACE = 5.0  # seconds in which ranks that wait, or fail, say so


def _yield() -> None:
    getattr(os, "sched_yield", lambda: time.sleep(0))()


def say_all(text: str) -> None:
    """Print lines on the stderr that the process began with."""
    with contextlib.suppress(OSError):
        print("\n".join(plain(line, None) for line in text.split("\n")), file=sys.__stderr__ or sys.stderr, flush=True)


class Ranks:
    """The processes of an MPI communicator, which train one model: `fit(..., communicator=Ranks(MPI.COMM_WORLD))`.

    communicator  that of mpi4py, such as mpi4py.MPI.COMM_WORLD; used by this run alone while it lasts
    reduce        "exact": gradients are added in the order of the shards, to the same bits for any number of ranks;
                  "fast": by MPI's Allreduce, whose bits depend on the number of ranks, and on the MPI
    timeout       seconds that a rank waits for the others, which may read data or save meanwhile, before all end
    say           told why all processes are ended

    Raises ConfigError for another kind of communicator, or an impossible setting.
    """

    def __init__(
        self, communicator: Any, *, reduce: str = EXACT, timeout: Any = 600.0, say: Callable[[str], Any] = say_all
    ) -> None:
        if not hasattr(communicator, "Ialltoallv"):
            raise ConfigError(
                f"communicator must be one of mpi4py, got {shown(communicator)}",
                remedy="write communicator=MPI.COMM_WORLD, after from mpi4py import MPI",
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
        """Whether this is the rank that writes and speaks."""
        return self.rank == 0

    @cached_property
    def mpi(self) -> Any:
        """The module mpi4py.MPI."""
        return mpi()

    def threads(self) -> int:
        """Return how many threads a rank has by default: those of the host over its ranks there that share cores."""
        host, _, cores = self._places[self.rank]
        sharing = sum((other[0], other[2]) == (host, cores) for other in self._places)
        return max(1, _machine.threads()[0] // sharing)

    @property
    def local_rank(self) -> int:
        """This rank's number among those of its host."""
        host = self._places[self.rank][0]
        return sum(other[0] == host for other in self._places[: self.rank])

    def note(self, text: str) -> None:
        """Say something once."""
        if self.leads:
            self.say(f"portanet: {text}")

    def idle(self, parts: int) -> str:
        """Return how many parts a batch has, where they are fewer than the ranks; empty where all have work."""
        if parts >= self.size:
            return ""
        many = "one shard" if parts == 1 else f"{parts} shards"
        return f"{many}, so {self.size - parts} of {self.size} ranks have nothing to do; larger batches make more"

    def in_turn(self, function: Callable[[], T]) -> T:
        """Call a function on the first rank of each host, then on the others, which find what that has made."""
        first = function() if self.local_rank == 0 else None
        self.largest(0)
        return function() if self.local_rank else first  # type: ignore[return-value]

    def __str__(self) -> str:
        """How many ranks there are, and which processes, by whose number a launcher names one that was killed."""
        hosts = {host: [process for name, process, _ in self._places if name == host] for host, *_ in self._places}
        if self.size > _LISTED:
            return f"{self.size} ranks on {len(hosts)} hosts, {self.threads()} threads each"
        where = ", ".join(f"processes {' '.join(map(str, numbers))} on {host}" for host, numbers in hosts.items())
        return f"{self.size} ranks: {where}, {self.threads()} threads each"

    def place(self, rank: int) -> str:
        """A rank in words: rank 2 (process 4711 on node7)."""
        if not self._places:
            return f"rank {rank}"
        host, process, _ = self._places[rank]
        return f"rank {rank} (process {process} on {host})"

    def gather(self, value: T) -> list[T]:
        """Return the value of each rank: plain data and host arrays."""
        content = np.frombuffer(self.mpi.pickle.dumps(value), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self.wait(self.communicator.Iallgather(np.asarray([content.size], np.int64), sizes))
        whole = np.empty(int(sizes.sum()), np.uint8)
        self.move(lambda on: on.Iallgatherv(content, [whole, sizes.tolist()]))
        parts = np.split(whole, np.cumsum(sizes)[:-1])
        return [self.mpi.pickle.loads(part.tobytes()) for part in parts]

    def largest(self, number: int) -> int:
        """Return the largest of the ranks' numbers."""
        most = np.empty(1, np.int64)
        self.wait(self.communicator.Iallreduce(np.asarray([number], np.int64), most, self.mpi.MAX))
        return int(most[0])

    def lead(self, function: Callable[[], T]) -> T:
        """Call a function on rank 0 and return its result on each; a PortanetError of it is raised on each too."""
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
        """Move arrays by what `start` begins on the communicator, once all ranks have come: then it is hurried."""
        self.wait(self.communicator.Ibarrier())
        self.wait(start(self.communicator), busy=_MOVING)

    def wait(self, request: Any, busy: float = _BUSY) -> None:
        """Wait until all ranks have come to this point of the run; where one does not, all are ended.

        busy  seconds of looking without a pause: MPI moves arrays bit by bit, and only while it is looked at
        """
        self._waits, began = True, time.monotonic()
        while not request.Test():
            waited = time.monotonic() - began
            if waited < busy:
                _yield()
                continue
            time.sleep(min(waited / 16, _PAUSE))
            if waited > self.timeout or (waited > 16 * _PAUSE and self._notices.come()):
                self._end_all(self._notices.exchange(WAITING, _GRACE))
        self._waits = False

    @contextlib.contextmanager
    def together(self, words: Callable[[BaseException], str] | None = None) -> Iterator[None]:
        """While the block runs, an error of some ranks ends all processes; one of all ranks is raised on each.

        words  describes an error in a line; by default that of a PortanetError, and the traceback of others
        """
        try:
            here = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
            self._places = self.gather((socket.gethostname(), os.getpid(), here))
            yield
            self.largest(0)
        except BaseException as error:
            text = (words or _words)(error) or type(error).__name__
            heard = self._notices.exchange(text, _GRACE)
            if self._waits or len(heard) < self.size or WAITING in heard.values():
                self._end_all(heard, error)
            raise

    def _end_all(self, heard: dict[int, str], error: BaseException | None = None) -> NoReturn:
        """End all processes; one of the ranks says why, the lowest of those that can."""
        speaker, text = verdict(heard, self.size, self.timeout, self.place)
        if self.rank == speaker:
            self.say(text)
        else:
            time.sleep(_GRACE / 2)  # so that it can speak
        code = error.code if isinstance(error, SystemExit) else 130 if isinstance(error, KeyboardInterrupt) else 1
        sys.stdout.flush()
        self.communicator.Abort(code if isinstance(code, int) else 1)
        os._exit(1)  # some MPI's Abort returns


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, PortanetError) else "".join(traceback.format_exception(error)).strip()


def as_ranks(value: Any) -> Ranks | None:
    """Return the ranks of a communicator, or Ranks unchanged; None where there is one process alone."""
    ranks = value if value is None or isinstance(value, Ranks) else Ranks(value)
    return None if ranks is None or ranks.size == 1 else ranks
