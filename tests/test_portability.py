"""The lint of the mathematics, and a proof that it objects to each kind of mistake."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("array_api_strict", reason="array-api-strict is not installed: it holds the standard's names")

from portability import findings, standard_names

import portanet

pytestmark = pytest.mark.libraries

PACKAGE = Path(portanet.__file__).parent
HOST = {"initializers.py", "class_weight.py"}  # first weights, and settings as people write them: no arrays of a step
MATHS = [
    *sorted(path for path in (PACKAGE / "nn").rglob("*.py") if path.name not in HOST),
    *sorted((PACKAGE / "optim").glob("*.py")),
    *sorted((PACKAGE / "metrics").glob("*.py")),
]
LOSSES = frozenset({"__call__", "_shares", "softmax", "sigmoid", "bits", "keep", "uniform"})
METRICS = frozenset(
    {
        "correct",
        "correct_entries",
        "accuracy",
        "confusion_matrix",
        "r2",
        "roc_auc",
        "log_loss",
        "calibration_bins",
        "f1",
    }
)


@pytest.mark.parametrize("path", MATHS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_mathematics_is_portable(path: Path) -> None:
    schedules = path.name == "schedules.py"  # they are called with numbers, on the host
    assert findings(path.read_text(encoding="utf-8"), frozenset() if schedules else LOSSES | METRICS) == []


def test_mathematics_is_found() -> None:
    names = {path.name for path in MATHS}
    assert {
        "dense.py",
        "classification.py",
        "layout.py",
        "preprocessing.py",
        "adam.py",
        "sgd.py",
        "confusion.py",
    } <= names
    assert {"exp", "take", "permute_dims", "matmul", "float32", "isdtype"} <= standard_names()
    assert not {"einsum", "pad", "relu", "random", "linalg", "fft", "clip", "nonzero", "bincount"} & standard_names()


def planted(line: str, above: str = "", name: str = "forward") -> str:
    return (
        f"{above}\nclass Layer:\n    def {name}(self, params, x, w, idx):\n        xp = namespace(x)\n        {line}\n"
    )


@pytest.mark.parametrize(
    ("line", "objection"),
    [
        ("return xp.clip(x, 0, 1)", "xp.clip"),
        ("return xp.sign(x)", "xp.sign"),
        ("return xp.nonzero(x)", "xp.nonzero"),
        ("return xp.unique_values(x)", "xp.unique_values"),
        ("return xp.unique(x)", "xp.unique"),
        ("return xp.bincount(x)", "xp.bincount"),
        ("return xp.einsum('ij,jk', x, w)", "xp.einsum"),
        ("return xp.pad(x, 1)", "xp.pad"),
        ("return xp.linalg.norm(x)", "xp.linalg"),
        ("return xp.fft.fft(x)", "xp.fft"),
        ("return xp.random.normal(x)", "xp.random"),
        ("return xp.take_along_dims(x)", "xp.take_along_dims"),
        ("return xp.transpose(x)", "xp.transpose"),
        ("return xp.float16", "xp.float16"),
        ("return namespace(x).clip(x, 0, 1)", "xp.clip"),
        ("ns, y = namespace(w), 1\n        return ns.clip(x, 0, y)", "xp.clip"),
        ("return getattr(xp, 'clip')(x, 0, 1)", "hides the name"),
        ("return xp.exp(x, out=w)", "out="),
        ("return xp.sum(x, where=w)", "where="),
        ("return xp.sum(x, initial=0.0)", "initial="),
        ("return xp.take(x, idx, axis=0, mode='clip')", "mode="),
        ("return xp.argsort(x, stable=False)", "stable="),
        ("return xp.zeros((3,))", "without dtype= and device="),
        ("return xp.arange(3, dtype=xp.int32)", "without dtype= and device="),
        ("return xp.asarray(3.0, device=None)", "without dtype= and device="),
        ("return x.sum()", r"\.sum\(\) is a method"),
        ("return x.astype(w.dtype)", r"\.astype\(\) is a method"),
        ("return x.reshape(-1)", r"\.reshape\(\) is a method"),
        ("return x.item()", r"\.item\(\) is a method"),
        ("return x.tolist()", r"\.tolist\(\) is a method"),
        ("return x.cpu()", r"\.cpu\(\) is a method"),
        ("return x.get()", r"\.get\(\) is a method"),
        ("return x.numpy()", r"\.numpy\(\) is a method"),
        ("return float(x)", r"float\(\) reads"),
        ("return int(xp.sum(x))", r"int\(\) reads"),
        ("return bool(x > 0)", r"bool\(\) reads"),
        ("return max(x, 0)", r"max\(\) reads"),
        ("return list(x)", r"list\(\) reads"),
        ("return [i for i in range(idx)]", r"range\(\) reads"),
        ("print(x)", r"print\(\) reads"),
        ("return math.sqrt(x)", r"math.sqrt\(\) reads"),
        ("return x[x > 0]", "indexing by a mask"),
        ("x[idx] = 0", "cannot be assigned"),
        ("x[idx] += w", "cannot be assigned"),
        ("x[x > 0] = 0", "indexing by a mask"),
        ("if x > 0: return x", "a branch on an array"),
        ("return x if xp.any(x) else w", "a branch on an array"),
        ("return x if 1 in x else w", "a branch on an array"),
        ("while xp.max(x) > 1: x = x / 2", "a branch on an array"),
        ("assert xp.all(x)", "a branch on an array"),
        ("return x * np.float32(3)", "NumPy's scalars"),
    ],
)
def test_each_mistake_is_seen(line: str, objection: str) -> None:
    found = findings(planted(line))
    assert found
    assert any(re.search(objection, what) for what in found), found


@pytest.mark.parametrize("name", ["backward", "update", "next_buffers", "__call__"])
def test_steps_are_known_by_name(name: str) -> None:
    assert findings(planted("return float(x)", name=name), LOSSES)
    assert findings(planted("return float(x)", name="init"), LOSSES) == []


@pytest.mark.parametrize(
    "line",
    ["import numpy as np", "from numpy import exp", "import torch", "from jax import numpy", "import cupy.cuda"],
)
def test_imports_are_seen(line: str) -> None:
    assert "ask namespace" in findings(line)[0]
    assert "ask namespace" in findings(f"def forward(x):\n    {line}")[0]
    assert findings(f"if TYPE_CHECKING:\n    {line}") == []


@pytest.mark.parametrize(
    "line",
    [
        "return xp.reshape(x, (int(x.shape[0]), -1))",
        "return xp.arange(len(w), dtype=xp.int32, device=device(x))",
        "return params.get('weight', w)",
        "params['weight'] = w",
        "return x if self.rate == 0 or w is None else w",
        "return x if x.ndim == 1 or len(self.weights) != x.shape[1] else w",
        "return x[0, ...] + x[1:3]",
        "return x if 'bias' in params else w",
        "return x if isinstance(self.kinds[0], str) and isinstance(w, str) else w",
        "x += w",
        "return xp.where(x > 0, x, 0.0)",
    ],
)
def test_what_is_right_is_left_alone(line: str) -> None:
    assert findings(planted(line)) == []


def _used() -> set[tuple[str, int, tuple[str, ...]]]:
    """Each function of a namespace that the mathematics calls, with its positional arguments and its keywords."""
    found = set()
    for path in MATHS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                space = node.func.value
                named = isinstance(space, ast.Name) and space.id == "xp"
                called = isinstance(space, ast.Call) and getattr(space.func, "id", "") == "namespace"
                if named or called:
                    keywords = tuple(sorted(str(keyword.arg) for keyword in node.keywords))
                    found.add((node.func.attr, len(node.args), keywords))
    return found


def test_what_the_mathematics_calls_is_in_cupy_with_a_fitting_signature() -> None:
    pytest.importorskip("cupy", reason="cupy is not installed: its functions' signatures are read")
    space = importlib.import_module("array_api_compat.cupy")
    used = _used()
    assert ("sum", 1, ("axis",)) in used
    checked = 0
    for name, positional, keywords in sorted(used):
        function = getattr(space, name)
        try:
            signature = inspect.signature(function)
        except ValueError:  # a ufunc of CuPy, which takes its operands by position
            assert not keywords, name
            continue
        signature.bind(*range(positional), **dict.fromkeys(keywords))
        checked += 1
    assert checked > 5
