"""The matrix products of a job and nothing else: one thread makes its share of them, as if all threads did so at once.

No library that makes its products with NumPy's BLAS can be faster. The rows lie in the cache already, as numbers of the
network's dtype.
"""

from __future__ import annotations

import numpy as np
import threadpoolctl
from bench_peers.child import Pace, Way
from bench_peers.jobs import Array, Data, Job

from portanet import choose
from portanet.nn import Layer
from portanet.training.steps.gradient import shard_rows
from portanet.training.trained.outputs import block_rows


def run(job: Job, data: Data, pace: Pace, _: None) -> None:
    from bench_peers.portanet_fit import model

    threads = choose("numpy").threads()
    rows, count = parts(job, model(job), 1 if job.name == "small" else threads)
    products = [product for i in range(len(job.units)) for product in layer(job, i, rows)]

    def passes(epochs: int) -> None:
        for _ in range(epochs * count):
            for a, b, out in products:
                np.dot(a, b, out)

    with threadpoolctl.threadpool_limits(1):
        pace.drive({f"{threads} threads" if job.name != "small" else "1 thread": Way(passes)})


def parts(job: Job, network: Layer, threads: int) -> tuple[int, int]:
    """How many rows a thread computes at once, and how often in an epoch."""
    if job.batch is not None:
        return job.batch // threads, job.steps
    shape = (1, 28, 28)
    rows = block_rows(network, shape) if job.name == "predict" else shard_rows(network, shape, job.rows)
    return rows, -(-job.rows // rows) // threads


def layer(job: Job, i: int, rows: int) -> list[tuple[Array, Array, Array]]:
    """The products of a dense layer as (a, b, out): forward, and unless it only predicts, its gradients."""
    rng, inputs, units = np.random.default_rng(i), (784, *job.units)[i], job.units[i]
    x, weight, slope = (
        rng.normal(size=shape).astype(np.float32) for shape in ((rows, inputs), (inputs, units), (rows, units))
    )
    forward = (x, weight, np.empty((rows, units), np.float32))
    if job.name == "predict":
        return [forward]
    of_weight = (x.T, slope, np.empty((inputs, units), np.float32))
    of_inputs = (slope, weight.T, np.empty((rows, inputs), np.float32))
    return [forward, of_weight, of_inputs][: 3 if i else 2]
