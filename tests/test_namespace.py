"""The namespace of an array, its device, and casting."""

from __future__ import annotations

import numpy as np
import pytest
from legs import Leg

from portanet.namespace import cast, device, namespace


def test_namespace(xp: Leg) -> None:
    x = xp.put([[1.0, 2.0]])
    found = namespace(x)
    assert found is namespace(x[0, ...])
    assert tuple(found.permute_dims(x, (1, 0)).shape) == (2, 1)  # the standard's name, in no library's old one
    assert device(x) == x.device


def test_numpy_is_its_own_namespace() -> None:
    assert namespace(np.zeros(1)) is np
    assert namespace(np.float32(1)) is np


def test_cast(xp: Leg) -> None:
    x = xp.put([1.0, 2.0])
    assert cast(x, x.dtype) is x
    assert xp.dtype(cast(xp.put(np.asarray([1, 2], np.uint8)), x.dtype)) == "float32"


def test_no_array() -> None:
    with pytest.raises(TypeError):
        namespace([1.0, 2.0])  # type: ignore[arg-type]
