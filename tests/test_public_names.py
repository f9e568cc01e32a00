"""Every public name is the object it says, whatever was imported before it."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import FunctionType, ModuleType

import pytest

import portanet

pytestmark = pytest.mark.libraries

SUBMODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(portanet.__path__, "portanet.")
    if module.name != "portanet.__main__" and (find_spec("sklearn") or ".estimators." not in module.name)
)
PUBLIC = ["portanet", *(name for name in SUBMODULES if hasattr(import_module(name), "__all__"))]

# Prints what each public name is: a module by its name, anything else by its type, module and name.
TELL = """
import importlib, json
def tell():
    for package in PUBLIC:
        for name in importlib.import_module(package).__all__:
            thing = getattr(importlib.import_module(package), name)
            home = "" if type(thing).__name__ == "module" else getattr(thing, "__module__", "")
            yield f"{package}.{name}", f"{type(thing).__name__} {home} {getattr(thing, '__qualname__', repr(thing))}"
"""


@cache
def told(*steps: str) -> dict[str, str]:
    """What the public names are after these statements in a fresh process."""
    lines = [f"PUBLIC, SUBMODULES = {PUBLIC!r}, {SUBMODULES!r}", TELL, *steps, "print(json.dumps(dict(tell())))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    names: dict[str, str] = json.loads(done.stdout)
    return {name: thing.partition(" from ")[0] for name, thing in names.items()}


EVERY_SUBMODULE = "for module in SUBMODULES: importlib.import_module(module)"


@pytest.mark.parametrize(
    "steps",
    [
        (EVERY_SUBMODULE,),
        ("SUBMODULES.reverse()", EVERY_SUBMODULE),
        ("dict(tell())", EVERY_SUBMODULE),
    ],
    ids=["submodules first", "submodules in reverse", "names before and after"],
)
def test_names_do_not_depend_on_earlier_imports(steps: tuple[str, ...]) -> None:
    assert told(*steps) == told()


@pytest.mark.parametrize("package", PUBLIC)
def test_no_name_can_become_a_submodule(package: str) -> None:
    """Importing a submodule sets it on its package, in place of whatever had that name."""
    for name in import_module(package).__all__:
        if f"{package}.{name}" in SUBMODULES:
            assert told()[f"{package}.{name}"].startswith("module ")


@pytest.mark.parametrize("package", PUBLIC)
def test_names_are_those_of_their_objects(package: str) -> None:
    module = import_module(package)
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, (type, FunctionType, ModuleType)):
            assert thing.__name__.rpartition(".")[2] == name


def test_the_package_offers_its_public_names_only() -> None:
    assert sorted(portanet.__all__) == portanet.__all__
    assert {name for name in dir(portanet) if not name.startswith("__")} == set(portanet.__all__)
    with pytest.raises(AttributeError, match="module 'portanet' has no attribute 'train'"):
        portanet.train  # noqa: B018 - asking is the test


def test_every_error_is_public() -> None:
    from portanet import errors

    raised = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert raised <= set(portanet.__all__)
