"""Pure mathematics, one noun per file: layers, initializers, losses. Start reading at layer.py and dense.py."""

from portanet.nn.activations import ReLU
from portanet.nn.conv2d import Conv2D
from portanet.nn.dense import Dense
from portanet.nn.dropout import Dropout
from portanet.nn.flatten import Flatten
from portanet.nn.initializers import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    uniform,
    zeros,
)
from portanet.nn.layer import Layer
from portanet.nn.layout import Layout
from portanet.nn.losses import cross_entropy, softmax
from portanet.nn.pooling import MaxPool2D
from portanet.nn.preprocessing import Rescale, Standardize
from portanet.nn.sequential import Sequential

__all__ = [
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "Layout",
    "MaxPool2D",
    "ReLU",
    "Rescale",
    "Sequential",
    "Standardize",
    "cross_entropy",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "softmax",
    "uniform",
    "zeros",
]
