"""The operators that need more than a line of NumPy. An exported predict.py contains those that it uses."""

from __future__ import annotations

from typing import Any

import numpy as np


def conv(x: Any, weight: Any, bias: Any, kernel_shape: list[int], pads: list[int], strides: list[int]) -> Any:
    """Correlate images (N, C, H, W) with filters (F, C, k, k)."""
    (top, left, bottom, right), (down, across) = pads, strides
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    patches = np.lib.stride_tricks.sliding_window_view(x, tuple(kernel_shape), axis=(2, 3))[:, :, ::down, ::across]
    y = np.tensordot(patches, weight, axes=([1, 4, 5], [1, 2, 3]))  # (N, H', W', F)
    return (y + bias).transpose(0, 3, 1, 2)


def squares(x: Any, size: list[int]) -> Any:
    """Split images (N, C, H, W) into windows (N, C, H', W', size, size) that do not overlap."""
    (n, channels, height, width), (rows, columns) = x.shape, size
    x = x[:, :, : height // rows * rows, : width // columns * columns]
    x = x.reshape(n, channels, height // rows, rows, width // columns, columns)
    return x.transpose(0, 1, 2, 4, 3, 5)


def batch_normalization(x: Any, scale: Any, shift: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    """Normalise each feature (N, D), or each channel of images (N, C, H, W), by its running values."""
    shape = (-1, *(1 for _ in x.shape[2:]))
    scale, shift, mean, variance = (values.reshape(shape) for values in (scale, shift, mean, variance))
    return (x - mean) / np.sqrt(variance + np.float32(epsilon)) * scale + shift


def layer_normalization(x: Any, scale: Any, shift: Any, epsilon: float) -> Any:
    """Normalise each row by its mean and standard deviation."""
    axes = tuple(range(1, x.ndim))
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = (centred * centred).mean(axis=axes, keepdims=True)
    return centred / np.sqrt(variance + np.float32(epsilon)) * scale + shift


def elu(x: Any, alpha: float) -> Any:
    """Return x where x > 0, else alpha * (e^x - 1)."""
    return np.maximum(x, 0) + np.float32(alpha) * np.expm1(np.minimum(x, 0))


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x)."""
    return np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)


def softplus(x: Any) -> Any:
    """Return log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x: Any) -> Any:
    """Return the probabilities (N, K) of logits."""
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
