"""Decisions that the ranks of a run share: that all train the same, when to stop, and when to save."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portanet import _machine
from portanet._settings import flat
from portanet._tree import tree_items
from portanet._typing import Params
from portanet.backends import Backend, choose
from portanet.errors import BackendError, ConfigError, ModelError
from portanet.mpi.ranks import Ranks
from portanet.nn.layer import Layer
from portanet.optim import Schedule
from portanet.training.callbacks import Callback, Row
from portanet.training.checkpoints import Checkpoints, made_with
from portanet.training.loop.watchers import Watchers
from portanet.training.model import TrainedModel
from portanet.training.progress import Progress
from portanet.training.steps.gradient import not_rowwise
from portanet.training.stopping import INTERRUPTED, LIMITED, Stop

_REASONS = ("", LIMITED, INTERRUPTED)


class Alone:
    """A run in a single process, with nothing to agree on."""

    def watchers(self, callbacks: Sequence[Callback]) -> Watchers:
        """Return the callbacks of this process."""
        return Watchers(tuple(callbacks))

    def checkpoints(self, own: Checkpoints | None) -> Checkpoints | None:
        """Return the checkpoints of this process."""
        return own

    def stop(self, own: Stop) -> Stop:
        """Return the stop of this process."""
        return own


@dataclass(frozen=True)
class Together(Alone):
    """A run that ranks share: stop, checkpoints and callbacks act on all of them."""

    ranks: Ranks
    rows: int

    def watchers(self, callbacks: Sequence[Callback]) -> Watchers:
        """Return the callbacks of this rank; only rank 0 shows progress, with the rows per second of all ranks."""
        for callback in callbacks:
            if isinstance(callback, Progress):
                callback.rows = self.rows
        here = [callback for callback in callbacks if self.ranks.leads or not isinstance(callback, Progress)]
        return _AgreedWatchers((*here, _SameWeights(self.ranks)), self.ranks)

    def checkpoints(self, own: Checkpoints | None) -> Checkpoints | None:
        return None if own is None else _SharedCheckpoints(own, self.ranks)

    def stop(self, own: Stop) -> Stop:
        return _AgreedStop(own, self.ranks)


class _AgreedStop(Stop):
    """Stops all ranks after the same step if any of them is asked to stop."""

    def __init__(self, own: Stop, ranks: Ranks) -> None:
        self._own, self._ranks = own, ranks

    @property
    def reason(self) -> str:
        return _REASONS[self._ranks.largest(_REASONS.index(self._own.reason))]


class _SharedCheckpoints(Checkpoints):
    """Checkpoints that rank 0 reads and writes for all ranks."""

    def __init__(self, own: Checkpoints, ranks: Ranks) -> None:
        self._own, self._ranks = own, ranks

    def restore(self, identity: Mapping[str, Any], schedule: Schedule, steps: int) -> dict[str, Any] | None:
        return self._ranks.lead(lambda: self._own.restore(identity, schedule, steps))

    def due(self) -> bool:
        return bool(self._ranks.largest(self._ranks.leads and self._own.due()))

    def save(self, tree: Mapping[str, Any]) -> None:
        if self._ranks.leads:
            self._own.save(tree)


@dataclass(frozen=True)
class _AgreedWatchers(Watchers):
    """The callbacks of a rank; if one stops the run on any rank, all ranks stop."""

    ranks: Ranks

    def log(self, row: Row) -> bool:
        return bool(self.ranks.largest(super().log(row)))


class _SameWeights(Callback):
    """Raises BackendError if the ranks' weights differ."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks

    def begin(self, run: TrainedModel, steps: int) -> None:
        self._run = run

    def log(self, row: Row) -> bool | None:
        digests = self._ranks.gather(_digest(self._run.params, self._run.backend))
        for rank, digest in enumerate(digests):
            if digest != digests[0]:
                raise BackendError(
                    f"after step {row['step']} {self._ranks.place(rank)} has other weights than rank 0: their "
                    "processors or libraries round differently",
                    "kernel",
                    remedy='use machines of one kind, and reduce="exact"',
                )
        return None


def _digest(params: Params, backend: Backend) -> str:
    digest = hashlib.sha256()
    for _, array in tree_items(params):
        digest.update(backend.to_numpy(array).tobytes())
    return digest.hexdigest()


def require_shareable(model: Layer, backend: Backend) -> None:
    """Raise ModelError or ConfigError if ranks cannot share the batches of this model, or on this backend."""
    if not model.rowwise:
        name = type(not_rowwise(model)).__name__
        remedy = "use LayerNorm, or one process"
        raise ModelError(f"{name} needs all rows of a batch, which several ranks would share", remedy=remedy)
    if not backend.shares_batches:
        taken = f"{backend.name} compiles whole runs of steps, in which ranks cannot add up their gradients"
        raise ConfigError(taken, remedy="use another backend, or one process")


def require_same(ranks: Ranks, identity: Mapping[str, Any], backend: Backend) -> None:
    """Raise ConfigError on all ranks if one has other settings, data, versions or devices."""
    own = flat({**identity, **made_with(), **_computes_with(backend), "reduce": ranks.reduce})
    everyone = ranks.gather({name: repr(value) for name, value in own.items()})
    first = everyone[0]
    for rank, other in enumerate(everyone):
        names = sorted(name for name in {*first, *other} if first.get(name) != other.get(name))
        if names:
            pairs = [
                "other rows or labels" if name == "data" else f"{name} {other.get(name)}, not {first.get(name)}"
                for name in names[:4]
            ]
            raise ConfigError(f"{ranks.place(rank)} would not train as rank 0 does: it has {'; '.join(pairs)}.")


def own_device(ranks: Ranks, backend: Backend) -> Backend:
    """Return the backend on this rank's own device, if its host has several."""
    device = backend.device_of_rank(ranks.local_rank)
    return backend if device == backend.device else choose(backend.name, device, trace=backend.trace, fuse=backend.fuse)


def _computes_with(backend: Backend) -> dict[str, Any]:
    """The backend, the device and the kind of processor, whose BLAS may give other bits."""
    known = [found for found in _machine.blas().info() if found["user_api"] == "blas"]
    names = ("internal_api", "version", "architecture")
    kinds = sorted(" ".join(str(found.get(name, "")) for name in names) for found in known)
    return {"backend": backend.name, "device": backend.device_name(), "BLAS": ", ".join(kinds)}
