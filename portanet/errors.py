"""The errors that a user can cause. Each message is one line: what happened, where, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


class PortanetError(Exception):
    """The base of all errors of portanet; catch it to catch them all.

    message  what is wrong
    remedy   what to do about it, in Python's terms where it names an argument: "hold out none with valid=0"
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy

    def __str__(self) -> str:
        return f"{self.message.removesuffix('.')}; {self.remedy}." if self.remedy else self.message


class BackendError(PortanetError):
    """The requested backend cannot run here: its package, driver or device is missing.

    stage  the first step that failed: "installed", "imports", "device" or "kernel"
    """

    def __init__(self, message: str, stage: str = "device", *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.stage = stage


class DataError(PortanetError):
    """A file or an array does not hold the data it should."""


class ModelError(PortanetError):
    """Layers do not fit together, or an array does not fit the model."""


class ConfigError(PortanetError):
    """A setting is unknown or impossible."""


class CheckpointError(PortanetError):
    """A model file cannot be read, or does not hold what its header says."""


class DivergenceError(PortanetError):
    """The loss, a gradient or the weights became infinite or NaN in training.

    step   the first step where that happened, from 0
    layer  the name of the layer where it began; empty where it did not begin in a layer
    model  the model at the last row of its history or checkpoint before that, so its numbers are finite; with early
           stopping the best one
    """

    def __init__(self, message: str, step: int = -1, layer: str = "", *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.step, self.layer = step, layer
        self.model: TrainedModel | None = None
