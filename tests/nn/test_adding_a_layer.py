"""Adding a layer takes its file, one registration and one row of the test table; everything else follows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import portanet

TOY = '''"""A layer that takes an argument, has arrays, and casts its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from portanet._typing import Array, Cache, Params, Shape
from portanet.nn.initializers import filled
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Toy(Layer):
    """Every value times one number of its column.

    y = x * scale        x, y (N, D)   scale (D,)
    """

    start: float

    trainable_names: ClassVar[tuple[str, ...]] = ("scale",)

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        return {"scale": filled(self.start, input_shape)}

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x = cast(x, params["scale"].dtype)
        return x * params["scale"], x

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        x, xp = cache, namespace(dy)
        return dy * params["scale"], {"scale": xp.sum(x * dy, axis=0)}

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Shape]]:
        return [(cls(0.5), (3,))]
'''
REGISTRATION = "from portanet.nn.toy import Toy as Toy"
ROW = "    Row(nn.Toy(0.5), (4,), (4,), in_torch=lambda torch, params, x: x * params['scale']),"

KNOWN = """
import json, sys
from portanet import nn
from portanet.checks.gradcheck import EXAMPLES
print("Toy" in nn.__all__, "Toy" in nn.LAYERS, any(type(layer) is nn.Toy for layer, _ in EXAMPLES))
"""


def insert(path: Path, line: str, before: str) -> None:
    """One line in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, f"{line}\n{before}"), encoding="utf-8")


@pytest.mark.slow
def test_four_edits(tmp_path: Path) -> None:
    """In a copy of the project. The fourth edit is the line in the changelog."""
    package, tests = Path(portanet.__file__).parent, Path(__file__).parents[1]
    ignored = shutil.ignore_patterns("__pycache__", "mnist_files")
    shutil.copytree(package, tmp_path / "portanet", ignore=ignored)
    shutil.copytree(tests, tmp_path / "tests", ignore=ignored)
    shutil.copytree(tests.parent / "scripts", tmp_path / "scripts", ignore=ignored)
    shutil.copy(tests.parent / "pyproject.toml", tmp_path)
    (tmp_path / "portanet/nn/toy.py").write_text(TOY, encoding="utf-8")
    insert(tmp_path / "portanet/nn/__init__.py", REGISTRATION, "\n_public: ")
    insert(tmp_path / "tests/layers.py", ROW, "    Row(nn.Dense(3), (4,), (3,)),\n")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("-c", KNOWN).split() == ["True", "True", "True"]
    assert "Toy(start=0.5)" in run("-m", "portanet", "gradcheck", "--elements", "3")
    files = ["nn/test_layers.py", "nn/test_layout.py", "checks/test_gradcheck.py", "storage/test_hostile_models.py",
             "test_portability.py", "test_architecture.py", "test_public_names.py"]  # fmt: skip
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--backend", "numpy"]
    chosen = "Toy or toy or test_every_layer or test_every_loss_has or (public and not earlier)"
    summary = run(*pytest, "-k", chosen, *(f"tests/{file}" for file in files))
    assert " passed" in summary
    assert "failed" not in summary
