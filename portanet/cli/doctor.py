"""portanet doctor: what is installed, what works, and how to fix the rest."""

from __future__ import annotations

import sys
from typing import Any

import click

from portanet.cli import options
from portanet.cli.terminal import echo

_STAGES = ("installed", "imports", "device", "kernel")
_WORDS = {True: "yes", False: "no ", None: "-  "}


@click.command()
@click.option("--backend", type=options.BackendName(), help="Check this one only, by some training steps.")
@options.as_json
@options.debug
def command(backend: str | None, as_json: bool) -> None:
    """Show versions and which backends work here.

    Each backend is asked to compute something and to give it back; one that cannot comes with its remedy. With
    --backend, five training steps of the preset mlp are compared with NumPy in float64; exits with 1 where they
    differ by more than rounding.
    """
    if backend is not None:
        sys.exit(0 if _parity(backend, as_json) else 1)
    found: dict[str, Any] = {
        "versions": _versions(), "cores": _cores(), "threads": _threads(), "blas": _blas(),
        "cache": _cache(), "kernels": _kernels(), "backends": _backends(),
    }  # fmt: skip
    if as_json:
        options.print_json(found)
        return
    for package, version in found["versions"].items():
        echo(f"{package:18}{version or 'missing'}")
    echo(f"{'cores':18}{found['cores']}")
    echo(f"{'threads':18}{found['threads']['number']}: {found['threads']['reason']}")
    warning = "its threads cannot be limited, so runs may differ in the last bits"
    if not found["blas"]:
        echo(f"{'BLAS':18}none that threadpoolctl knows; {warning}")
    for library in found["blas"]:
        limit = "" if library["limitable"] else f"; {warning}"
        echo(f"{'BLAS':18}{library['name']} {library['version']}, {library['threads']} threads{limit}")
    echo(f"{'cache':18}{found['cache']['folder']}, {found['cache']['bytes'] / 1e6:,.0f} MB")
    kernels = found["kernels"]["problem"]
    echo(f"{'kernels':18}{'compiled here' if kernels is None else f'none, so steps are slower: {kernels}'}")
    echo()
    for name, state in found["backends"].items():
        checks = "  ".join(f"{stage} {_WORDS[state[stage]]}" for stage in _STAGES)
        echo(f"{name:8}{checks}  {state['name'] or ''}".rstrip())
        if state["problem"]:
            echo(f"{'':8}{state['problem']}")


def _parity(name: str, as_json: bool) -> bool:
    """Whether training steps on the backend agree with NumPy in float64."""
    import dataclasses

    from portanet import backends
    from portanet import data as readers
    from portanet.checks.compare import compare
    from portanet.nn import Sequential
    from portanet.optim import constant
    from portanet.storage.model_card import ModelCard
    from portanet.training import presets

    chosen, plan, digits = backends.choose(name), presets.preset("mlp"), readers.read("mnist:test")
    card, rows = ModelCard(digits.x.shape[1:], classes=digits.classes), digits.rows(slice(0, 320))
    model = Sequential(*plan.for_data(card).layers)
    [found] = compare([chosen], model, rows, optimizer=plan.optimizer, schedule=constant(), batch_size=64, steps=5)
    if as_json:
        options.print_json(dataclasses.asdict(found) | {"passed": found.passed})
    else:
        verdict = "right" if found.passed else f"WRONG, above {found.tolerance:g}"
        figures = f"gradient {found.gradient[1]:.1e}, parameters {found.parameters[1]:.1e}"
        echo(f"{found.backend} on {found.device}: {verdict}; relative differences: {figures}")
    return found.passed


def _versions() -> dict[str, str | None]:
    from portanet import backends
    from portanet.cli import facts

    packages = (
        "array-api-compat", "pandas", "safetensors", "click", "rich", "platformdirs", "threadpoolctl",
        "jinja2",
    )  # fmt: skip
    more = backends.wheels()
    return facts.versions() | {package: facts.version_of(package) for package in (*packages, *more)}


def _cores() -> int:
    from portanet import _machine

    return _machine.cores()


def _threads() -> dict[str, Any]:
    """The default number of threads that share a batch on NumPy, and the reason for it."""
    from portanet import _machine

    return dict(zip(("number", "reason"), _machine.threads(), strict=True))


def _blas() -> list[dict[str, Any]]:
    import numpy as np  # loads the BLAS whose threads are counted

    from portanet import _machine

    np.ones((2, 2)) @ np.ones((2, 2))
    return [
        {
            "name": library["internal_api"],
            "version": library["version"],
            "threads": library["num_threads"],
            "limitable": library["num_threads"] is not None,
        }
        for library in _machine.blas().info()
        if library["user_api"] == "blas"
    ]


def _kernels() -> dict[str, Any]:
    """Try whether the machine's compiler builds the kernels that make NumPy's steps faster."""
    from portanet.backends import compiler

    problem = compiler.problem()
    return {"compiled": problem is None, "problem": problem}


def _cache() -> dict[str, Any]:
    """The cache folder and its size; it may be deleted."""
    from portanet.data.memmap import cache

    return {"folder": str(cache.folder()), "bytes": cache.size()}


def _backends() -> dict[str, dict[str, Any]]:
    """How far each backend gets (installed, imports, sees a device, runs a kernel), and the remedy."""
    from portanet import backends
    from portanet.errors import BackendError

    found: dict[str, dict[str, Any]] = {}
    for name in backends.NAMES:
        try:
            chosen = backends.choose(name)
            chosen.probe()
            found[name] = dict.fromkeys(_STAGES, True) | {"name": chosen.device, "problem": None}
        except BackendError as error:
            failed = _STAGES.index(error.stage)
            states = {stage: None if i > failed else i < failed for i, stage in enumerate(_STAGES)}
            found[name] = states | {"name": None, "problem": str(error)}
    return found
