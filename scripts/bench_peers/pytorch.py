"""PyTorch as its users write it, at its fastest: data in memory, no DataLoader, fused optimizers, 1 or 2 threads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from bench_peers.child import Pace, Way
from bench_peers.jobs import Data, Job
from torch import nn

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def run(job: Job, data: Data, pace: Pace, kind: str) -> None:
    x = torch.from_numpy(data.x).to(torch.float32).mul_(1 / 255)
    if job.filters:
        x = x.reshape(-1, 1, 28, 28)
    if job.name == "predict":
        sizes = (1024, 4096, 16_384)
        pace.drive(
            {f"blocks of {size}, {n} threads": on(n, predict(job, data, x, size)) for size in sizes for n in (1, 2)}
        )
        return
    labels = torch.from_numpy(data.labels.astype("int64"))
    pace.drive({f"{threads} threads": on(threads, train(job, data, x, labels, kind)) for threads in (1, 2)})


def on(threads: int, way: Way) -> Way:
    """The same way with n threads."""

    def epochs(count: int) -> None:
        torch.set_num_threads(threads)
        way.epochs(count)

    return Way(epochs, way.weights)


def network(job: Job, data: Data) -> nn.Sequential:
    """The job's network with the weights that all peers start from."""
    layers: list[nn.Module] = []
    channels = 1
    for filters in job.filters:
        layers += [nn.Conv2d(channels, filters, 5), nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    if job.filters:
        layers.append(nn.Flatten())
    for weight in data.weights[len(job.filters) :]:
        layers += [nn.Linear(*weight.shape), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for layer, weight, bias in zip(learning(model), data.weights, data.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T if weight.ndim == 2 else weight))
            layer.bias.copy_(torch.from_numpy(bias))
    return model


def learning(model: nn.Sequential) -> list[nn.Module]:
    """The layers that have weights."""
    return [layer for layer in model if hasattr(layer, "weight")]


def train(job: Job, data: Data, x: torch.Tensor, labels: torch.Tensor, kind: str) -> Way:
    model = network(job, data)
    parameters = model.parameters()
    if job.optimizer == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(parameters, lr=job.rate, fused=True)
    else:
        optimizer = torch.optim.SGD(parameters, lr=job.rate, fused=True)
    taken = 0

    def loss(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(x), labels)

    value: Loss = torch.compile(loss) if kind == "compiled" else loss

    def step(x: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        value(x, labels).backward()
        optimizer.step()

    def epochs(count: int) -> None:
        nonlocal taken
        for epoch in range(taken, taken + count):
            if job.batch is None:
                step(x, labels)
                continue
            for rows in torch.from_numpy(job.order(epoch)).split(job.batch):
                step(x.index_select(0, rows), labels.index_select(0, rows))
        taken += count

    def weights() -> list[object]:
        own = learning(model)
        found = [layer.weight.detach().T if layer.weight.ndim == 2 else layer.weight.detach() for layer in own]
        return [array.numpy() for array in found + [layer.bias.detach() for layer in own]]

    return Way(epochs, weights)


def predict(job: Job, data: Data, x: torch.Tensor, size: int) -> Way:
    model = network(job, data)

    def passes(count: int) -> None:
        with torch.inference_mode():
            for _ in range(count):
                torch.cat([model(rows).softmax(1) for rows in x.split(size)])

    return Way(passes)
