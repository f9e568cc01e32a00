"""Which array libraries a session runs on, and what happens where one is missing."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from legs import FAMILIES, Leg, bare_strict

import portanet
from portanet.errors import BackendError

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("no times", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("no times")

# JAX compiles thousands of small programs here: they are to be ready soon, and need not be fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache, and none compiles in the background; so for processes they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTANET_CC", "")
        patch.setenv("PORTANET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=tuple(FAMILIES),
        help="run on this array library only, and fail where it is missing (by default all run, missing ones skip)",
    )
    parser.addoption(
        "--without-host",
        action="store_true",
        help="leave out the tests that give the same whichever array libraries are installed, as after --backend numpy",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    only = metafunc.config.getoption("--backend")
    families = (only,) if only else tuple(FAMILIES)
    if "xp" in metafunc.fixturenames:
        legs = [leg for family in families for leg in FAMILIES[family]]
        metafunc.parametrize("xp", list(map(_marked, legs)), indirect=True)
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", list(map(_marked, families)), indirect=True)


def _marked(leg: str) -> Any:
    """CuPy's tests carry the mark gpu, so that `pytest -m gpu` is what a card has to pass."""
    return pytest.param(leg, marks=pytest.mark.gpu) if leg.startswith("cupy") else leg


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--without-host"):
        left_out = [item for item in items if _leg(item) == "host" and not _needs_library(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    for item in items:
        item.user_properties.append(("leg", _leg(item)))  # goes with the report, from another process too


def _leg(item: pytest.Item) -> str:
    params = getattr(item, "callspec", None)
    found = {} if params is None else params.params
    return str(found.get("xp", found.get("backend", "host")))


def _needs_library(item: pytest.Item) -> bool:
    """Whether a test compares with another library, or says something else where one is installed."""
    oracles = {"torch", "jax"} & set(getattr(item, "fixturenames", ()))
    return bool(oracles) or item.get_closest_marker("libraries") is not None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The row of each leg in the matrix of .github/CONTRIBUTING.md: passed (and skipped) tests by folder."""
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for outcome in ("passed", "skipped", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            leg = dict(report.user_properties).get("leg") if hasattr(report, "user_properties") else None
            folder = report.nodeid.split("/")[1] if report.nodeid.count("/") > 1 else "others"
            if leg is not None and (outcome != "passed" or report.when == "call"):
                counts.setdefault(leg, Counter())[folder, outcome] += 1
    terminalreporter.write_line("")
    terminalreporter.write_line(f"| leg | {' | '.join(_FOLDERS)} |")
    terminalreporter.write_line("|---|" + "---|" * len(_FOLDERS))
    for leg, found in counts.items():
        cells = []
        for folder in _FOLDERS:
            others = [f"{found[folder, kind]} {kind}" for kind in ("skipped", "failed", "error") if found[folder, kind]]
            cells.append(", ".join([str(found[folder, "passed"]), *others]))
        terminalreporter.write_line(f"| {leg} | {' | '.join(cells)} |")


_FOLDERS = ("nn", "optim", "tracing", "training", "data", "storage", "report", "checks", "cli", "others")


def _choose(family: str, config: pytest.Config) -> portanet.Backend:
    """The backend, or a skip with its own words; a failure where it was asked for and is not installed."""
    try:
        return portanet.choose(family)
    except BackendError as error:
        if config.getoption("--backend") == family and family != "cupy":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[portanet.Backend]:
    """Each backend of portanet, for tests that train."""
    chosen = _choose(request.param, request.config)
    with bare_strict() if request.param == "strict" else contextlib.nullcontext():
        yield chosen


@pytest.fixture
def xp(request: pytest.FixtureRequest) -> Iterator[Leg]:
    """Each leg, for laws that hold for any array."""
    family = request.param.partition("-")[0]
    chosen = _choose(family, request.config)
    with bare_strict() if family == "strict" else chosen.session():
        yield Leg(request.param, chosen, values=request.param != "torch-meta")


def _oracle(name: str, config: pytest.Config) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        if config.getoption("--backend") == name:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed: it is what this test compares with")


@pytest.fixture(scope="session")
def torch(pytestconfig: pytest.Config) -> Any:
    """PyTorch as an oracle: its own functions, its own gradients."""
    return _oracle("torch", pytestconfig)


@pytest.fixture(scope="session")
def jax(pytestconfig: pytest.Config) -> Any:
    """JAX as an oracle: it differentiates our forward pass."""
    return _oracle("jax", pytestconfig)
