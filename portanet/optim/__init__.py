"""Optimizers, in order of complexity, and learning-rate schedules."""

from portanet.optim.adam import Adam, AdamW
from portanet.optim.optimizer import Optimizer
from portanet.optim.schedules import Schedule, constant, cosine_decay
from portanet.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "Schedule", "constant", "cosine_decay"]
