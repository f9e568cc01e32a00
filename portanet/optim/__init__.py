"""Optimizers, in order of complexity, and learning-rate schedules."""

from portanet.optim.adagrad import AdaGrad
from portanet.optim.adam import Adam, AdamW
from portanet.optim.clip import ClipByGlobalNorm
from portanet.optim.ema import EMA
from portanet.optim.lion import Lion
from portanet.optim.nadam import NAdam
from portanet.optim.optimizer import Optimizer
from portanet.optim.rmsprop import RMSProp
from portanet.optim.schedules import (
    Schedule,
    constant,
    cosine_decay,
    exponential_decay,
    inverse_scaling,
    linear_warmup,
    one_cycle,
    step_decay,
)
from portanet.optim.sgd import SGD

OPTIMIZERS = {made.__name__: made for made in (SGD, AdaGrad, RMSProp, Adam, AdamW, NAdam, Lion, ClipByGlobalNorm, EMA)}
SCHEDULES = {
    made.__name__: made
    for made in (
        constant, step_decay, exponential_decay, inverse_scaling, cosine_decay, one_cycle, linear_warmup,
    )
}  # fmt: skip

__all__ = [
    "EMA",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ClipByGlobalNorm",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSProp",
    "Schedule",
    "constant",
    "cosine_decay",
    "exponential_decay",
    "inverse_scaling",
    "linear_warmup",
    "one_cycle",
    "step_decay",
]
