"""PyTorch without its automatic differentiation and its optimizers: the formulas by hand, in place."""

from __future__ import annotations

import torch
from bench_peers.child import Pace, Way
from bench_peers.jobs import Data, Job
from bench_peers.pytorch import on


def run(job: Job, data: Data, pace: Pace, _: None) -> None:
    pixels = torch.from_numpy(data.x)
    kinds = {"uint8": pixels, "float32": pixels.to(torch.float32).mul_(1 / 255)}
    pace.drive({f"{kind} rows, {n} threads": on(n, train(job, data, kinds[kind])) for kind in kinds for n in (1, 2)})


def train(job: Job, data: Data, x: torch.Tensor) -> Way:
    flat = torch.cat([torch.from_numpy(array).reshape(-1) for array in data.weights + data.biases])
    shapes = [torch.Size(array.shape) for array in data.weights + data.biases]
    views = [
        part.view(shape) for part, shape in zip(flat.split([shape.numel() for shape in shapes]), shapes, strict=True)
    ]
    weights, biases = views[: len(data.weights)], views[len(data.weights) :]
    first, second = torch.zeros_like(flat), torch.zeros_like(flat)
    labels, step_number, taken = torch.from_numpy(data.labels.astype("int64")), 0, 0

    def gradient(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        inputs = [x]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(torch.addmm(bias, inputs[-1], weight).relu_())
        dy = torch.addmm(biases[-1], inputs[-1], weights[-1]).softmax(1)
        dy[torch.arange(len(labels)), labels] -= 1
        dy /= len(labels)
        dweights, dbiases = [], []
        for i in range(len(weights) - 1, -1, -1):
            dweights.insert(0, (inputs[i].T @ dy).view(-1))
            dbiases.insert(0, dy.sum(0))
            if i:
                dy = (dy @ weights[i].T).mul_(inputs[i] > 0)
        return torch.cat(dweights + dbiases)

    def update(grads: torch.Tensor) -> None:
        nonlocal step_number
        step_number += 1
        first.mul_(0.9).add_(grads, alpha=0.1)
        second.mul_(0.999).addcmul_(grads, grads, value=0.001)
        root = (1 - 0.999**step_number) ** 0.5
        flat.addcdiv_(first, second.sqrt().add_(1e-8 * root), value=-job.rate * root / (1 - 0.9**step_number))

    @torch.no_grad()
    def epochs(count: int) -> None:
        nonlocal taken
        for epoch in range(taken, taken + count):
            for rows in torch.from_numpy(job.order(epoch)).split(job.batch or 0):
                batch = x.index_select(0, rows)
                batch = batch if x.dtype == torch.float32 else batch.to(torch.float32).mul_(1 / 255)
                update(gradient(batch, labels.index_select(0, rows)))
        taken += count

    return Way(epochs, lambda: [view.numpy() for view in views])
