"""What people from scikit-learn, Keras and PyTorch type first means the same here, or is told what to type instead.

Each wrong call is a line of the table, with the facts that its message holds.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import portanet
from portanet import nn, optim
from portanet.errors import PortanetError
from portanet.training.callbacks import CALLBACKS

NAMES: dict[str, Any] = {"np": np, "nn": nn, "optim": optim, "portanet": portanet}

# A call, and what its message holds: the argument, the value, what to write.
WRONG: list[tuple[str, list[str]]] = [
    ("nn.Dense(784, 16)", ["units", "784", "Dense(16)", "found from the data"]),
    ("nn.Dense(16, 'relu')", ["Dense(16, 'relu')", "ReLU()"]),
    ("nn.Dense(16, nn.he_normal)", ["initializer=he_normal"]),
    ("nn.Dense('16')", ["units", "'16'"]),
    ("nn.Dense(True)", ["units", "integer", "True"]),
    ("nn.Dense()", ["needs units"]),
    ("nn.Dense(16, units=3)", ["units", "twice"]),
    ("nn.Dense(16, activation='relu')", ["'activation'", "'relu'", "ReLU()"]),
    ("nn.Dense(16, use_bias=False)", ["'use_bias'", "always there"]),
    ("nn.Dense(out_features=16)", ["'out_features'", "units=16"]),
    ("nn.Dense(16, kernel_initializer='he_uniform')", ["'kernel_initializer'", "initializer="]),
    ("nn.Dense(16, initializer='he_uniform')", ["initializer", "'he_uniform'", "function"]),
    ("nn.Dense(16, unit=3)", ["'unit'", "did you mean units"]),
    ("nn.Conv2D(1, 8, 3)", ["filters and kernel_size", "Conv2D(8, 3)", "found from the data"]),
    ("nn.Conv2D(1, 8, 3, 2)", ["Conv2D(8, 3, stride=2)"]),
    ("nn.Conv2D(8, (3, 5))", ["kernel_size", "(3, 5)", "square"]),
    ("nn.Conv2D(8, 3, strides=2)", ["'strides'", "stride=2"]),
    ("nn.Conv2D(8, 3, dilation=2)", ["'dilation'", "leave it out"]),
    ("nn.Conv2D(8, 3, data_format='channels_last')", ["'data_format'", "(N, channels, height, width)"]),
    ("nn.MaxPool2D(2, 2)", ["size", "MaxPool2D(2)", "do not overlap"]),
    ("nn.AveragePool2D(2, 2)", ["AveragePool2D(2)"]),
    ("nn.LayerNorm(16)", ["16", "LayerNorm()", "found from the data"]),
    ("nn.LayerNorm(epsilon=1e-3)", ["'epsilon'", "eps=0.001"]),
    ("nn.BatchNorm(16)", ["16", "BatchNorm()", "found from the data"]),
    ("nn.BatchNorm(num_features=16)", ["'num_features'", "leave it out"]),
    ("nn.BatchNorm(momentum=0.99)", ["momentum=0.99", "newest batch", "momentum=0.01"]),
    ("nn.Dropout(p=0.5)", ["'p'", "rate=0.5"]),
    ("nn.Dropout('half')", ["rate", "number", "'half'"]),
    ("nn.Dropout(None)", ["rate", "number", "None"]),
    ("nn.Embedding(num_embeddings=10, embedding_dim=4)", ["'num_embeddings'", "vocabulary=10"]),
    ("nn.Embedding(10, 4, nn.he_normal)", ["initializer=he_normal"]),
    ("nn.ReLU(inplace=True)", ["'inplace'", "leave it out"]),
    ("nn.LeakyReLU(negative_slope=0.1)", ["'negative_slope'", "slope=0.1"]),
    ("nn.GELU(approximate='tanh')", ["'approximate'", "tanh"]),
    ("nn.Reshape(1, 28, 28)", ["Reshape((1, 28, 28))"]),
    ("nn.Reshape('1x28x28')", ["'1x28x28'", "(1, 28, 28)"]),
    ("nn.Rescale(scale=0.5)", ["'scale'", "factor=0.5"]),
    ("nn.Rescale('1/255')", ["factor", "number", "'1/255'"]),
    ("nn.Standardize(-1)", ["axis='feature'", "-1"]),
    ("nn.RandomAffine(10)", ["rotation=10", "shift=2"]),
    ("nn.RandomAffine(degrees=10)", ["'degrees'", "rotation=10"]),
    ("nn.uniform(1.0)", ["needs high"]),
    ("nn.Sequential(nn.Dense)", ["Dense", "Dense(10)"]),
    ("nn.Sequential('relu')", ["'relu'", "layers"]),
    ("nn.Frozen(nn.Dense)", ["Frozen(Dense(10))"]),
    ("nn.CrossEntropy([1.0, 5.0])", ["(1.0, 5.0)", "class_weight="]),
    ("nn.CrossEntropy(weight=[1.0, 5.0])", ["'weight'", "class_weight="]),
    ("nn.CrossEntropy(from_logits=True)", ["'from_logits'", "logits"]),
    ("nn.CrossEntropy(reduction='mean')", ["'reduction'", "mean"]),
    ("nn.CrossEntropy(label_smoothing='0.1')", ["label_smoothing", "number", "'0.1'"]),
    ("nn.BinaryCrossEntropy(pos_weight=2.0)", ["'pos_weight'", "sample_weight"]),
    ("nn.Huber(beta=2.0)", ["'beta'", "delta=2.0"]),
    ("nn.Huber('2')", ["delta", "number", "'2'"]),
    ("nn.Softmax()", ["Softmax", "cross_entropy contains the softmax"]),
    ("nn.LogSoftmax()", ["LogSoftmax", "cross_entropy contains the softmax"]),
    ("nn.Linear(784, 16)", ["Linear", "Dense"]),
    ("nn.BCEWithLogitsLoss()", ["BCEWithLogitsLoss", "BinaryCrossEntropy"]),
    ("optim.SGD(lr=0.1)", ["'lr'", "learning_rate=0.1"]),
    ("optim.SGD('0.1')", ["learning_rate", "'0.1'"]),
    ("optim.SGD(0.1, 0.9, 0.0)", ["nesterov", "True or False", "0.0"]),
    ("optim.SGD(0.1, None)", ["momentum", "number", "None"]),
    ("optim.Adam(nn.Dense(3), 0.001)", ["learning_rate", "Dense"]),
    ("optim.Adam(params=[], lr=0.1)", ["'params'", "fit passes them"]),
    ("optim.Adam(betas=(0.9, 0.99))", ["'betas'", "beta1=0.9, beta2=0.999"]),
    ("optim.Adam(0.001, (0.9, 0.99))", ["beta1", "(0.9, 0.99)"]),
    ("optim.Adam(weight_decay=0.1)", ["'weight_decay'", "AdamW"]),
    ("optim.Adam(epsilon=1e-7)", ["'epsilon'", "eps=1e-07"]),
    ("optim.AdamW(0.001, 0.01)", ["learning_rate", "weight_decay=0.01"]),
    ("optim.SGD(clipnorm=1.0)", ["'clipnorm'", "ClipByGlobalNorm"]),
    ("optim.RMSprop()", ["RMSprop", "RMSProp"]),
    ("optim.EMA(optim.Adam)", ["optimizer", "Adam()"]),
    ("optim.ClipByGlobalNorm('adam', 1.0)", ["optimizer", "'adam'", "Adam()"]),
    ("optim.ClipByGlobalNorm(1.0, optim.Adam())", ["optimizer", "1.0"]),
    ("optim.constant(0.01)", ["constant()", "the optimizer's"]),
    ("optim.step_decay(step_size=7, gamma=0.1)", ["'step_size'", "every=7"]),
    ("optim.step_decay(7, 0.1)", ["factor", "7"]),
    ("optim.exponential_decay(0.01, 1000, 0.9)", ["exponential_decay(0.9, 1000)", "Adam(0.01)"]),
    ("optim.cosine_decay(0.01)", ["the optimizer's", "warmup="]),
    ("optim.cosine_decay(0.01, 1000)", ["Adam(0.01)", "length"]),
    ("optim.cosine_decay(T_max=100)", ["'T_max'", "length of the run"]),
    ("optim.one_cycle(0.1, 100)", ["Adam(0.1)", "length"]),
    ("optim.one_cycle(max_lr=0.1)", ["'max_lr'", "the optimizer's"]),
    ("optim.linear_warmup(optim.constant, 10)", ["schedule", "constant()"]),
    ("optim.linear_warmup(optim.constant(), '10')", ["warmup", "number", "'10'"]),
    ("optim.CosineAnnealingLR(optim.SGD(), 100)", ["CosineAnnealingLR", "cosine_decay"]),
    ("portanet.EarlyStopping('valid_loss', 5)", ["monitor", "patience=5"]),
    ("portanet.EarlyStopping('val_loss')", ["monitor", "'val_loss'", "'valid_loss'"]),
    ("portanet.EarlyStopping(min_delta=0.1)", ["'min_delta'", "min_change=0.1"]),
    ("portanet.EarlyStopping(restore_best_weights=True)", ["'restore_best_weights'", "always"]),
    ("portanet.ReduceOnPlateau(mode='min')", ["'mode'", "lower is better"]),
    ("portanet.ReduceOnPlateau(0.1)", ["monitor", "0.1"]),
]


@pytest.mark.parametrize(("call", "facts"), WRONG, ids=[call for call, _ in WRONG])
def test_a_wrong_call_is_told_what_to_write(call: str, facts: list[str]) -> None:
    with pytest.raises(PortanetError) as caught:
        eval(call, NAMES)
    message = str(caught.value)
    assert "\n" not in message
    assert [fact for fact in facts if fact not in message] == []


EVERY = {**nn.LAYERS, **nn.LOSSES, **optim.OPTIMIZERS, **optim.SCHEDULES, **CALLBACKS}
CLASSES = [made for made in EVERY.values() if isinstance(made, type)]


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
def test_every_class_explains_arguments_that_it_does_not_take(made: Any) -> None:
    """What is added later, too."""
    with pytest.raises(PortanetError, match=f"{made.__name__} .*'unheard_of'.* 3"):
        made(unheard_of=3)
    if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in inspect.signature(made).parameters.values()):
        with pytest.raises(PortanetError, match=made.__name__):
            made(*range(1, 20))


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
@pytest.mark.parametrize("value", ["x", None, [1, "a"], {"a": 1}, object()], ids=lambda value: type(value).__name__)
def test_no_class_takes_a_value_of_a_wrong_kind(made: Any, value: Any) -> None:
    """A number, a layer, ... is asked for: anything else is refused with the name of the setting."""
    parameters = [p for p in inspect.signature(made).parameters.values() if p.kind is not p.VAR_POSITIONAL]
    for parameter in parameters:
        others = {p.name: p.default for p in parameters if p.default is not p.empty} | _usual(parameters)
        fine = [("units", None), ("class_weight", {"a": 1}), ("class_weight", None)]
        if (parameter.name, value) in fine or "str" in str(parameter.annotation):
            continue
        with pytest.raises(PortanetError, match=rf"(?s){made.__name__}.*{parameter.name}|{made.__name__}"):
            made(**others | {parameter.name: value})


def _usual(parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """A value for each setting that has no default."""
    values = {"Layer": nn.Dense(2), "Optimizer": optim.Adam(), "Schedule": optim.constant(), "tuple[int, ...]": (2,)}
    return {p.name: values.get(str(p.annotation), 1) for p in parameters if p.default is p.empty}


def test_what_means_the_same_is_taken() -> None:
    assert nn.Sequential([nn.Dense(2), nn.ReLU()]) == nn.Sequential(nn.Dense(2), nn.ReLU())
    assert nn.Conv2D(8, (3, 3), stride=(2, 2)) == nn.Conv2D(8, 3, stride=2)
    assert nn.MaxPool2D((3, 3)) == nn.MaxPool2D(3)
    assert nn.Reshape([1, 2]) == nn.Reshape((1, 2))
    assert nn.Dense(np.int64(3)) == nn.Dense(3)
    assert type(nn.Dense(np.int64(3)).units) is int
    assert type(optim.Adam(np.float32(0.5)).learning_rate) is float
    assert nn.Embedding(10, 4) == nn.Embedding(vocabulary=10, features=4)


def test_names_of_others_are_explained_where_they_are_imported() -> None:
    with pytest.raises(PortanetError, match="cross_entropy contains the softmax"):
        from portanet.nn import Softmax  # type: ignore[attr-defined]  # noqa: F401
    assert not hasattr(nn, "unheard_of")
    assert not hasattr(optim, "unheard_of")
