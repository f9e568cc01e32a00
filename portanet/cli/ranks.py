"""portanet train on many processes: they share one run, in which only rank 0 prints and writes."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from portanet.cli.remedies import with_flags
from portanet.data.memmap.mapped import is_large
from portanet.errors import ConfigError, PortanetError
from portanet.mpi import launcher
from portanet.mpi.ranks import Ranks, say_all
from portanet.training.model import TrainedModel
from portanet.training.steps.gradient import shared, team

T = TypeVar("T")


@contextlib.contextmanager
def launched(reduce: str, timeout: float) -> Iterator[Ranks | None]:
    """Yield the ranks of this run; None unless a launcher has started several processes.

    An error of all ranks is raised on rank 0, and the others exit with its code; an error of some ranks ends all.
    """
    if launcher.size() == 1:
        yield None
        return
    ranks = Ranks(launcher.world(), reduce=reduce, timeout=timeout, say=lambda text: say_all(with_flags(text)))
    with contextlib.ExitStack() as stack:
        if not ranks.leads:
            silence = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(silence))
            stack.enter_context(contextlib.redirect_stderr(silence))
        try:
            with ranks.together(_words):
                yield ranks
        except SystemExit:
            raise
        except BaseException as error:
            if ranks.leads:
                raise
            code = 130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", 1)
            raise SystemExit(code) from None


def leads(ranks: Ranks | None) -> bool:
    """Whether this process prints, and writes the run's folder."""
    return ranks is None or ranks.leads


def lead(ranks: Ranks | None, function: Callable[[], T]) -> T:
    """Call a function in the process that writes; all ranks get its result, or its error."""
    return function() if ranks is None else ranks.lead(function)


def read_in_turn(ranks: Ranks | None, names: dict[str, Any], read: Callable[[], T]) -> T:
    """Read data; for a large file, one rank of each host writes the memory map, and the others open it."""
    if ranks is None:
        return read()
    files = [names[name] for name in ("data", "valid", "test") if names[name] is not None]
    if "-" in files:
        raise ConfigError("standard input reaches one process alone; name a file, which all ranks can read.")
    return ranks.in_turn(read) if any(map(is_large, files)) else read()


def sharing(run: TrainedModel, ranks: Ranks | None) -> contextlib.AbstractContextManager[None]:
    """Within the block, all ranks share the rows that are measured."""
    return contextlib.nullcontext() if ranks is None else shared(run, team(run, ranks))


def _words(error: BaseException) -> str:
    """An error as `portanet.cli.main` shows it: in one line, or with --debug or if unexpected, with its traceback."""
    if isinstance(error, PortanetError) and "--debug" not in sys.argv:
        error.remedy = with_flags(error.remedy)
        return " ".join(str(error).split())
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return "interrupted"
    return "".join(traceback.format_exception(error)).strip()
