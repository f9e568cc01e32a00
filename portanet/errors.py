"""The errors that a user can cause. Each message is one line: what happened, where, and what to do."""


class PortanetError(Exception):
    """The base of every error below; catch it to catch them all."""


class BackendError(PortanetError):
    """A backend was asked for that cannot run here: its package, driver or device is missing.

    stage   how far it came: "installed", "imports", "device" or "kernel" is the first thing that failed
    """

    def __init__(self, message: str, stage: str = "device") -> None:
        super().__init__(message)
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

    step   the first step in which that was so, from 0
    layer  where it began, by name; empty where that is not a layer
    """

    def __init__(self, message: str, step: int = -1, layer: str = "") -> None:
        super().__init__(message)
        self.step, self.layer = step, layer
