"""The namespace of an array, its device, and casting."""

from __future__ import annotations

import numpy as np
import pytest
from legs import Leg

from portanet.xp import cast, device, namespace


def test_namespace(xp: Leg) -> None:
    x = xp.put([[1.0, 2.0]])
    found = namespace(x)
    assert found is namespace(x[0, ...])
    assert tuple(found.permute_dims(x, (1, 0)).shape) == (2, 1)  # the standard's name, in no library's old one
    assert device(x) == x.device


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "bool"])
def test_the_namespace_of_numpy_is_numpy(dtype: str) -> None:
    xp, x = namespace(np.zeros(1)), np.arange(24).reshape(2, 3, 4).astype(dtype)
    assert xp.exp is np.exp
    assert namespace(np.float32(1)) is xp
    for axis in (None, 0, -1, (0, 2)):
        for name in ("sum", "max"):
            found = getattr(xp, name)(x, axis=axis, keepdims=True)
            expected = getattr(np, name)(x, axis=axis, keepdims=True)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(xp.take(x, np.asarray([2, 0]), axis=1), np.take(x, [2, 0], axis=1))
    assert xp.astype(x, np.float32).dtype == np.float32
    assert xp.astype(x, x.dtype, copy=False) is x
    assert not np.shares_memory(xp.astype(x, x.dtype), x)
    assert xp.reshape(x, (-1,)).shape == (24,)
    wide = x.reshape(-1, 1).repeat(3, axis=1)  # many short rows, and more numbers than are worth a call
    np.testing.assert_allclose(xp.sum(wide, axis=0), np.sum(wide, axis=0))
    if dtype.startswith("float"):
        many = np.linspace(-1.0, 1.0, 5000).astype(dtype).reshape(-1, 2)
        many[7, 1] = np.nan
        np.testing.assert_array_equal(xp.maximum(many, 0.0), np.maximum(many, 0.0))
        np.testing.assert_allclose(xp.sum(many, axis=0), np.sum(many, axis=0), rtol=1e-5, atol=1e-4)
        assert xp.sum(many, axis=0, dtype=np.float64).dtype == np.float64
    with pytest.raises(AttributeError):
        _ = xp.no_such_function


def test_cast(xp: Leg) -> None:
    x = xp.put([1.0, 2.0])
    assert cast(x, x.dtype) is x
    assert xp.dtype(cast(xp.put(np.asarray([1, 2], np.uint8)), x.dtype)) == "float32"


def test_no_array() -> None:
    with pytest.raises(TypeError):
        namespace([1.0, 2.0])  # type: ignore[arg-type]
