"""Optimizers, in order of complexity, and learning-rate schedules."""

from typing import Any as _Any

from portanet import _calls, _peers
from portanet.errors import ConfigError as _ConfigError
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
    cos_log,
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
        constant, step_decay, exponential_decay, inverse_scaling, cosine_decay, one_cycle, cos_log, linear_warmup,
    )
}  # fmt: skip

_calls.explain_calls((*OPTIMIZERS.values(), *SCHEDULES.values()), _ConfigError)

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
    "cos_log",
    "cosine_decay",
    "exponential_decay",
    "inverse_scaling",
    "linear_warmup",
    "one_cycle",
    "step_decay",
]


def __getattr__(name: str) -> _Any:
    if name[:1].isupper() and (remedy := _peers.renamed(name, {*OPTIMIZERS, *SCHEDULES})):
        raise _ConfigError(f"portanet.optim has no {name}", remedy=remedy)  # `from` drops an AttributeError's message
    raise AttributeError(f"module 'portanet.optim' has no attribute {name!r}")
