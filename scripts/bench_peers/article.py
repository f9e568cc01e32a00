"""The article's code, restated: float64, one column for each image, and its own formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
from bench_peers.child import Pace, Way, on_threads
from bench_peers.jobs import Array, Data, Job


def run(job: Job, data: Data, pace: Pace, _: None) -> None:
    train = steps(job, data)
    pace.drive({f"BLAS on {threads} threads": on_threads(train, threads) for threads in (1, 2)})


def steps(job: Job, data: Data) -> Way:
    X, y, m = np.ascontiguousarray(data.x.T) / 255, data.labels, job.rows
    weights: Any = [
        array.astype(np.float64)
        for weight, bias in zip(data.weights, data.biases, strict=True)
        for array in (weight.T, bias[:, None])
    ]

    def epochs(count: int) -> None:
        nonlocal weights
        W1, b1, W2, b2 = weights
        for _ in range(count):
            Z1 = W1.dot(X) + b1
            A1 = np.maximum(Z1, 0)
            Z2 = W2.dot(A1) + b2
            A2 = np.exp(Z2) / sum(np.exp(Z2))
            dZ2 = A2 - one_hot(y)
            dW2 = 1 / m * dZ2.dot(A1.T)
            db2 = 1 / m * np.sum(dZ2)
            dZ1 = W2.T.dot(dZ2) * ((Z1 > 0) * 1)
            dW1 = 1 / m * dZ1.dot(X.T)
            db1 = 1 / m * np.sum(dZ1)
            W1, b1 = W1 - job.rate * dW1, b1 - job.rate * db1
            W2, b2 = W2 - job.rate * dW2, b2 - job.rate * db2
        weights = W1, b1, W2, b2

    return Way(epochs, lambda: [weights[0].T, weights[2].T, weights[1].ravel(), weights[3].ravel()])


def one_hot(y: Array) -> Array:
    found = np.zeros((y.size, y.max() + 1))
    found[np.arange(y.size), y] = 1
    return found.T
