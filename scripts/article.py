"""The article's network: 42,000 handwritten digits, 16 hidden units, 350 steps of gradient descent.

Run it with `python scripts/article.py`, or on a GPU with `python scripts/article.py --backend cupy`.
"""

import argparse
from typing import Any

from portanet import Callback, TrainedModel, fit, read
from portanet.nn import Dense, Flatten, ReLU, Rescale, Sequential, uniform
from portanet.optim import SGD

MODEL = Sequential(
    Rescale(1 / 255),  # pixels from 0..255 to 0..1
    Flatten(),  # 28 x 28 pixels to 784 numbers
    Dense(16, initializer=uniform(-0.5, 0.5)),
    ReLU(),
    Dense(10, initializer=uniform(-0.5, 0.5)),  # one output for each digit; the loss makes probabilities of them
)


class PrintAccuracy(Callback):
    """Training calls `log` with every new row of the history; the article counts its iterations from 0."""

    def log(self, row: dict[str, Any]) -> None:
        print(f"iteration {row['step'] - 1:3}   accuracy {row['accuracy']:.4f}   loss {row['loss']:.4f}", flush=True)


def train(backend: str, iterations: int) -> TrainedModel:
    digits = read("mnist:article")
    return fit(
        MODEL,
        digits.x,
        digits.labels,
        optimizer=SGD(0.2),
        epochs=iterations,
        batch_size="full",  # every step looks at all the digits, so an epoch is one step
        backend=backend,
        log_every=10,
        callbacks=[PrintAccuracy()],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="auto", help="numpy, cupy, torch, jax or strict; default: auto")
    parser.add_argument("--iterations", type=int, default=350, help="steps of gradient descent; default: 350")
    arguments = parser.parse_args()
    run = train(arguments.backend, arguments.iterations)
    print(f"{run.steps} iterations in {run.seconds:.1f} s on {run.backend.name}")
