"""Random numbers drawn on the host, so that every backend starts from the same weights and sees the same batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator as Generator

WEIGHTS, SHUFFLE, SPLIT, NOISE = range(4)


def generator(seed: int, purpose: int, epoch: int = 0) -> Generator:
    """The generator for one purpose in one epoch of the run with this seed.

    Its key is made of the three numbers and nothing else (Philox, Salmon et al. 2011), so the position in
    training *is* the state of the random numbers: nothing has to be saved to resume in the middle of a run.
    """
    import numpy as np

    return np.random.Generator(np.random.Philox(key=[seed, purpose << 32 | epoch]))
