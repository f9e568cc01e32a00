"""Class weights by name, or by how often a class comes, as one number for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray
from portanet.data.cells import INTEGER
from portanet.errors import ConfigError
from portanet.nn.losses.class_weight import ClassWeight, is_resolved


def class_weights(
    given: ClassWeight, labels: HostArray, outputs: int, classes: Sequence[str] = ()
) -> tuple[float, ...]:
    """Return one number for each class of the labels (N,), class numbers.

    "balanced" is N / (K N_k) for a class with N_k of the N rows, as in scikit-learn, and 0 without any. Of pairs, a
    class that is not among them counts 1. A class is named by its name, or where no name is a whole number by its
    number. Raises ConfigError for a class that is not there.
    """
    if given == "balanced":
        counts = np.bincount(labels, minlength=outputs)
        return tuple(len(labels) / (len(counts) * int(count)) if count else 0.0 for count in counts)
    if is_resolved(given):
        return tuple(given)
    weights = [1.0] * outputs
    numbered = not any(INTEGER.fullmatch(name) for name in classes)
    for key, weight in given:
        if str(key) in classes:
            weights[list(classes).index(str(key))] = weight
        elif numbered and INTEGER.fullmatch(str(key)) and 0 <= int(key) < outputs:
            weights[int(key)] = weight
        else:
            known = ", ".join(map(plain, classes[:12])) if classes else f"0 to {outputs - 1}"
            raise ConfigError(f"class_weight names the class {key!r}; the classes are {known}.")
    return tuple(weights)
