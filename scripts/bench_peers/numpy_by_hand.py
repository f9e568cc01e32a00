"""The best NumPy we can write for these networks alone: buffers made once, `out=` everywhere, float32."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import threadpoolctl
from bench_peers.child import Pace, Way
from bench_peers.jobs import Array, Data, Job

SCALE = np.float32(1 / 255)


def run(job: Job, data: Data, pace: Pace, _: None) -> None:
    with threadpoolctl.threadpool_limits(1):
        pace.drive(ways(job, data))


def ways(job: Job, data: Data) -> dict[str, Way]:
    if job.batch is None:
        return {f"shards of {rows} rows on 2 threads": full(job, data, rows) for rows in (256, 512, 1024)}
    scaled = data.x * SCALE
    return {"uint8 rows": batches(job, data, data.x), "float32 rows": batches(job, data, scaled)}


class Net:
    """Weights and gradients as views of two flat vectors, and the buffers for so many rows."""

    def __init__(self, data: Data, rows: int, flat: Array | None = None) -> None:
        self.shapes = shapes = [weight.shape for weight in data.weights]
        size = sum(weight.size + bias.size for weight, bias in zip(data.weights, data.biases, strict=True))
        self.flat = np.empty(size, np.float32) if flat is None else flat
        self.grads = np.zeros_like(self.flat)
        self.weights, self.biases = self.views(self.flat)
        self.dweights, self.dbiases = self.views(self.grads)
        if flat is None:
            for own, start in zip(self.weights + self.biases, data.weights + data.biases, strict=True):
                own[...] = start
        self.x8 = np.empty((rows, shapes[0][0]), np.uint8)
        self.x = np.empty((rows, shapes[0][0]), np.float32)
        self.y = [np.empty((rows, units), np.float32) for _, units in shapes]
        self.dy = [np.empty((rows, units), np.float32) for _, units in shapes]
        self.mask = [np.empty((rows, units), bool) for _, units in shapes]
        self.columns, self.reduced = np.empty((shapes[-1][1], rows), np.float32), np.empty(rows, np.float32)
        self.ones = np.ones(rows, np.float32)
        self.numbers = np.arange(rows)

    def views(self, flat: Array) -> tuple[list[Array], list[Array]]:
        weights, biases, start = [], [], 0
        for inputs, units in self.shapes:
            weights.append(flat[start : start + inputs * units].reshape(inputs, units))
            biases.append(flat[start + inputs * units : start + (inputs + 1) * units])
            start += (inputs + 1) * units
        return weights, biases

    def gradient(self, x: Array, labels: Array, rows: int) -> None:
        """Writes the gradient of the loss summed over these rows and divided by `rows`."""
        n, last = len(labels), len(self.weights) - 1
        inputs, y, dy = [x], [array[:n] for array in self.y], [array[:n] for array in self.dy]
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            np.matmul(inputs[-1], weight, out=y[i])
            y[i] += bias
            if i < last:
                np.maximum(y[i], 0.0, out=y[i])
            inputs.append(y[i])
        self.softmax(y[-1], labels, rows, dy[last])
        for i in range(last, -1, -1):
            np.matmul(inputs[i].T, dy[i], out=self.dweights[i])
            np.matmul(self.ones[:n], dy[i], out=self.dbiases[i])
            if i:
                np.matmul(dy[i], self.weights[i].T, out=dy[i - 1])
                np.greater(y[i - 1], 0.0, out=self.mask[i - 1][:n])
                dy[i - 1] *= self.mask[i - 1][:n]

    def softmax(self, logits: Array, labels: Array, rows: int, dlogits: Array) -> None:
        """Writes (softmax - one-hot) / rows; classes lie in rows here, where NumPy reduces faster."""
        n = len(labels)
        p, reduced = self.columns[:, :n], self.reduced[:n]
        np.copyto(p, logits.T)
        np.max(p, axis=0, out=reduced)
        np.subtract(p, reduced, out=p)
        np.exp(p, out=p)
        np.sum(p, axis=0, out=reduced)
        reduced *= rows
        np.divide(p, reduced, out=p)
        np.copyto(dlogits, p.T)
        dlogits[self.numbers[:n], labels] -= np.float32(1 / rows)


class Adam:
    def __init__(self, flat: Array, rate: float) -> None:
        self.first, self.second = np.zeros_like(flat), np.zeros_like(flat)
        self.step, self.rate, self.room = 0, rate, np.empty_like(flat)

    def __call__(self, flat: Array, grads: Array) -> None:
        self.step += 1
        first_weight = (1 - 0.9**self.step) / (1 - 0.9)
        second_weight = (1 - 0.999**self.step) / (1 - 0.999)
        self.first *= 0.9
        self.first += grads
        self.second *= 0.999
        grads *= grads
        self.second += grads
        room = np.sqrt(self.second, out=self.room)
        room += 1e-8 * second_weight**0.5
        np.divide(self.first, room, out=room)
        room *= self.rate * second_weight**0.5 / first_weight
        flat -= room


def batches(job: Job, data: Data, x: Array) -> Way:
    """Epochs of mini-batches whose rows are gathered into a buffer."""
    net = Net(data, job.batch or 0)
    update, labels = Adam(net.flat, job.rate), data.labels
    taken = 0

    def epochs(count: int) -> None:
        nonlocal taken
        for epoch in range(taken, taken + count):
            for rows in job.batches(epoch):
                net.gradient(gather(rows), labels[rows], len(rows))
                update(net.flat, net.grads)
        taken += count

    def gather(rows: Array) -> Array:
        n = len(rows)
        if x.dtype == np.float32:
            return np.take(x, rows, axis=0, out=net.x[:n], mode="clip")  # clip writes without a buffer of its own
        np.take(x, rows, axis=0, out=net.x8[:n], mode="clip")
        return np.multiply(net.x8[:n], SCALE, out=net.x[:n])

    return Way(epochs, lambda: net.weights + net.biases)


def full(job: Job, data: Data, shard: int) -> Way:
    """Steps over all rows, in shards that fit the cache; the factor 1/255 sits in the weights, which are fewer."""
    flat = np.concatenate([array.ravel() for pair in zip(data.weights, data.biases, strict=True) for array in pair])
    scaled = flat.copy()
    count = -(-job.rows // shard)
    first, threads = data.weights[0].size, 2
    nets = [Net(data, shard, scaled) for _ in range(threads)]
    sums = [np.empty_like(flat) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def part(thread: int) -> None:
        net, total = nets[thread], sums[thread]
        total[...] = 0
        for i in range(thread, count, threads):
            own = slice(i * shard, min((i + 1) * shard, job.rows))
            x = net.x[: own.stop - own.start]
            np.copyto(x, data.x[own])
            net.gradient(x, data.labels[own], job.rows)
            total += net.grads

    def epochs(steps: int) -> None:
        for _ in range(steps):
            np.copyto(scaled, flat)
            scaled[:first] *= SCALE
            list(pool.map(part, range(threads)))
            grads = np.add(*sums, out=sums[0])
            grads[:first] *= SCALE
            grads *= np.float32(job.rate)
            np.subtract(flat, grads, out=flat)

    weights, biases = nets[0].views(flat)
    return Way(epochs, lambda: weights + biases)
