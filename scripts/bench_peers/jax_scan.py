"""JAX at its fastest: a whole epoch under lax.scan in one compiled program, the state donated."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from bench_peers.child import Pace, Way
from bench_peers.jobs import Data, Job
from jax import lax


def run(job: Job, data: Data, pace: Pace, _: None) -> None:
    if job.batch is None:
        pace.drive({"float32 rows": full(job, data)})
        return
    pixels = jnp.asarray(data.x)
    kinds = {"uint8": pixels, "float32": pixels.astype(jnp.float32) / 255}
    if job.filters:  # inside a scan XLA's convolutions run on one thread
        pace.drive({f"scan={scan}": batches(job, data, kinds["float32"], scan=scan) for scan in (True, False)})
    else:
        pace.drive({f"{kind} rows": batches(job, data, x) for kind, x in kinds.items()})


def start(data: Data) -> Any:
    return [(jnp.array(weight), jnp.array(bias)) for weight, bias in zip(data.weights, data.biases, strict=True)]


def logits(params: Any, x: Any) -> Any:
    convolutions = [own for own in params if own[0].ndim == 4]
    if convolutions:
        x = x.reshape(-1, 1, 28, 28)
    for weight, bias in convolutions:
        x = lax.conv_general_dilated(x, weight, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = jax.nn.relu(x + bias[:, None, None])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = x.reshape(x.shape[0], -1)
    *hidden, last = params[len(convolutions) :]
    for weight, bias in hidden:
        x = jax.nn.relu(x @ weight + bias)
    return x @ last[0] + last[1]


def loss(params: Any, x: Any, labels: Any) -> Any:
    z = logits(params, x)
    own = jnp.sum(z * jax.nn.one_hot(labels, z.shape[1], dtype=z.dtype), axis=1)
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - own)


def full(job: Job, data: Data) -> Way:
    x, labels = jnp.asarray(data.x * np.float32(1 / 255)), jnp.asarray(data.labels)
    params = start(data)

    @functools.partial(jax.jit, donate_argnums=0, static_argnums=3)
    def steps(params: Any, x: Any, labels: Any, count: int) -> Any:
        def step(params: Any, _: None) -> tuple[Any, None]:
            grads = jax.grad(loss)(params, x, labels)
            return jax.tree.map(lambda w, g: w - job.rate * g, params, grads), None

        return lax.scan(step, params, length=count)[0]

    def epochs(count: int) -> None:
        nonlocal params
        params = jax.block_until_ready(steps(params, x, labels, count))

    return Way(epochs, lambda: as_numpy(params))


def batches(job: Job, data: Data, x: Any, *, scan: bool = True) -> Way:
    labels = jnp.asarray(data.labels)
    params = start(data)
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.float32))
    taken, size, whole = 0, job.batch or 0, job.rows // (job.batch or 1)

    def step(state: Any, rows: Any, x: Any, labels: Any) -> Any:
        params, first, second, number = state
        batch, own = (array.at[rows].get(mode="promise_in_bounds") for array in (x, labels))
        batch = batch if x.dtype == jnp.float32 else batch.astype(jnp.float32) * (1 / 255)
        grads = jax.grad(loss)(params, batch, own)
        number = number + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)
        root = jnp.sqrt(1 - 0.999**number)
        rate = job.rate * root / (1 - 0.9**number)
        moved = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8 * root), params, first, second)
        return moved, first, second, number

    @functools.partial(jax.jit, donate_argnums=0)
    def scanned(state: Any, order: Any, x: Any, labels: Any) -> Any:
        def body(state: Any, rows: Any) -> tuple[Any, None]:
            return step(state, rows, x, labels), None

        state = lax.scan(body, state, order[: whole * size].reshape(whole, size))[0]
        return step(state, order[whole * size :], x, labels) if job.rows % size else state

    single = jax.jit(step, donate_argnums=0)

    def epochs(count: int) -> None:
        nonlocal state, taken
        for epoch in range(taken, taken + count):
            order = job.order(epoch)
            if scan:
                state = scanned(state, order, x, labels)
                continue
            for begin in range(0, job.rows, size):
                state = single(state, order[begin : begin + size], x, labels)
        jax.block_until_ready(state)
        taken += count

    return Way(epochs, lambda: as_numpy(state[0]))


def as_numpy(params: Any) -> list[Any]:
    return [np.asarray(weight) for weight, _ in params] + [np.asarray(bias) for _, bias in params]
