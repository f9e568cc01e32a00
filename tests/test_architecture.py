"""Who may import whom, what is named where, and how light `import portanet` is; read from the source with ast."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import portanet

PACKAGE = Path(portanet.__file__).parent
TRAINING = PACKAGE / "training"
FILES = sorted(PACKAGE.rglob("*.py"))

# Imports go strictly downward; files of one package may import each other.
LEVELS = [
    {"_typing", "errors", "_text", "_cgroup"},
    {"_peers"},
    {"xp", "_cache", "_machine", "rng", "_settings", "_tree"},
    {"_calls"},
    {"tracing"},
    {"backends"},
    {"nn", "optim", "metrics"},
    {"storage"},
    {"data"},
    {"report", "export", "mpi"},
    {"training"},
    {"checks", "estimators"},
    {"cli"},
    {"__main__"},
]
# The same inside training/, by far the largest part.
TRAINING_LEVELS = [
    {"callbacks", "checkpoints", "stopping"},
    {"inputs"},
    {"spec"},
    {"presets", "hidden", "steps"},
    {"trained"},
    {"model"},
    {"progress", "snapshots", "fine_tune"},
    {"explorer", "loop"},
    {"fit"},
    {"cross_validation"},
]
# A method that gives the object to a part above it.
UPWARD = {
    ("training/trained/weights.py", "portanet.estimators.as_estimator"),
    ("training/trained/weights.py", "portanet.training.explorer.page.explore"),
}
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
TRAINING_LEVEL = {part: level for level, parts in enumerate(TRAINING_LEVELS) for part in parts}

# Where each heavy library may be named: one file. Array libraries have a file each in backends/, click is cli/, and
# estimators/ is made of scikit-learn's classes.
HOMES = {
    "pandas": "data/csv/frames.py",
    "pyarrow": "data/parquet.py",
    "PIL": "data/pictures/",
    "platformdirs": "_cache.py",
    "safetensors": "storage/safetensors_file.py",
    "jinja2": "report/page.py",
    "onnx": "export/onnx.py",
    "onnxruntime": "export/onnx.py",
    "sklearn": "estimators/",
    "scipy": "estimators/",
    "mpi4py": "mpi/launcher.py",
    "rich": "training/progress.py",
    "tomli_w": "cli/config.py",
    "click": "cli/",
    "threadpoolctl": "_machine.py",
    "cupy": "backends/",
    "torch": "backends/",
    "jax": "backends/",
    "array_api_strict": "backends/",
    "array_api_compat": "xp/__init__.py",
}


def part_of(path: Path, folder: Path = PACKAGE) -> str:
    """The part of the package a file belongs to: its folder or its own name below portanet/, or another folder."""
    return path.relative_to(folder).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool, bool]]:
    """Each module imported: its name, whether at the top of the file, whether for the type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    in_function = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            # `from portanet import xp` imports the module portanet.xp
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield name, id(node) not in in_function, id(node) in for_types


def relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


every_file = pytest.mark.parametrize("path", FILES, ids=relative)


def test_every_part_has_a_level() -> None:
    assert {part_of(path) for path in FILES} - {"__init__"} == set(LEVEL)
    assert {part_of(path, TRAINING) for path in TRAINING.rglob("*.py")} - {"__init__"} == set(TRAINING_LEVEL)


@every_file
def test_imports_go_downward(path: Path) -> None:
    own = part_of(path)
    if own == "__init__":  # the public names, imported when first used
        assert [name for name, top, for_types in imports(path) if top and not for_types and "portanet" in name] == []
        return
    for name, _, for_types in imports(path):
        if not name.startswith("portanet.") or for_types:
            continue
        other = name.split(".")[1]
        if other not in LEVEL:
            assert other in (*portanet.__all__, "__version__")
            assert own in ("cli", "report", "__main__"), f"{path}: {name} comes from the package's front door"
            continue
        if (relative(path), name) in UPWARD:
            continue
        assert other == own or LEVEL[other] < LEVEL[own], f"{relative(path)} imports {name}, which is not below it"


@pytest.mark.parametrize("path", sorted(TRAINING.rglob("*.py")), ids=relative)
def test_imports_inside_training_go_downward(path: Path) -> None:
    own = part_of(path, TRAINING)
    for name, _, for_types in imports(path):
        if name.startswith("portanet.training.") and not for_types and (relative(path), name) not in UPWARD:
            other = name.split(".")[2]
            is_below = other == own or TRAINING_LEVEL[other] < TRAINING_LEVEL[own]
            assert is_below, f"{relative(path)} imports {name}, which is not below it"


@every_file
def test_mathematics_does_not_know_numpy_or_backends(path: Path) -> None:
    if part_of(path) in ("nn", "optim", "metrics") and path.name != "initializers.py":
        for name, _, for_types in imports(path):
            assert for_types or name.split(".")[0] != "numpy", relative(path)
            assert not name.startswith("portanet.backends"), relative(path)


@every_file
def test_heavy_libraries_have_one_home_and_are_imported_late(path: Path) -> None:
    for name, top, for_types in imports(path):
        library = name.split(".")[0]
        if library in HOMES and not for_types:
            assert relative(path).startswith(HOMES[library]), f"{relative(path)} imports {library}"
            assert not top or library in ("click", "sklearn", "scipy"), f"{relative(path)} imports {library} at its top"


LIBRARY = re.compile(r"(cupyx?|torch|jax|jaxlib|array[_-]api[_-]strict)([.:-][\w.]+)?")


@every_file
def test_only_the_backends_name_the_libraries(path: Path) -> None:
    """Not even as a string, and nobody else looks at where the class of an array comes from."""
    if part_of(path) == "backends":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = next((getattr(node, kind) for kind in ("id", "attr", "arg", "value") if hasattr(node, kind)), None)
        assert not (isinstance(name, str) and LIBRARY.fullmatch(name)), f"{relative(path)}: {name}"
        module_of_type = isinstance(node, ast.Attribute) and node.attr == "__module__" and is_call(node.value, "type")
        assert not module_of_type, f"{relative(path)}:{node.lineno}"


def is_call(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function


CONTAINERS = {"Sequential", "Residual", "Frozen"}


@every_file
def test_nobody_asks_for_the_type_of_a_container(path: Path) -> None:
    """The layer answers for itself, so that containers of others work everywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        asked: list[ast.expr] = []
        if is_call(node, "isinstance") or is_call(node, "issubclass"):
            asked = node.args[1:]
        elif isinstance(node, ast.Compare):
            asked = node.comparators
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        names = {getattr(part, "id", getattr(part, "attr", "")) for expr in asked for part in ast.walk(expr)}
        assert part_of(path) == "nn" or not names & CONTAINERS, f"{relative(path)}:{getattr(node, 'lineno', 0)}"


TASKS_AND_METRICS = {"classify", "multilabel", "regress", "count", "accuracy", "r2"}
# the first three define them
DOORS = {"nn/losses/loss.py", "metrics/metric.py", "metrics/__init__.py", "data/source.py", "cli/train.py"}


@every_file
def test_tasks_and_metrics_are_values(path: Path) -> None:
    """Nothing decides by their names, which are only defined, and taken from users."""
    if relative(path) not in DOORS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Constant) and node.value in TASKS_AND_METRICS
            assert not named, f"{relative(path)}:{getattr(node, 'lineno', 0)}"


@every_file
def test_a_file_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


@every_file
def test_nothing_executes_data(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not {name.split(".")[0] for name, *_ in imports(path)} & FORBIDDEN_MODULES
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            executes = node.func.id in ("eval", "exec", "compile", "__import__")
            assert not executes or relative(path) == "tracing/code.py", f"{relative(path)}:{node.lineno}"
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            assert ast.unparse(node.value) == "False", f"{relative(path)}:{node.value.lineno}"


def loaded_by(statement: str) -> set[str]:
    """The modules a fresh interpreter has after a statement, beyond those it starts with."""
    code = f"import sys; before = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


HEAVY = set(HOMES) | {"numpy"}


@pytest.mark.libraries
@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import portanet", set()),
        ("import portanet; portanet.__version__; dir(portanet)", set()),
        ("import portanet.nn, portanet.optim, portanet.metrics", {"numpy"}),
        ("import portanet; portanet.choose('numpy')", {"numpy"}),
        ("import portanet; portanet.fit", {"numpy"}),
        ("import portanet.cli", {"click"}),
    ],
)
def test_imports_are_light(statement: str, allowed: set[str]) -> None:
    assert loaded_by(statement) & HEAVY <= allowed


@pytest.mark.libraries
def test_training_on_numpy_loads_no_other_library() -> None:
    statement = (
        "import numpy as np, portanet\n"
        "model = portanet.nn.Sequential(portanet.nn.Dense(2))\n"
        "portanet.fit(model, np.ones((4, 2)), [0, 1, 0, 1], epochs=1, backend='numpy')"
    )
    assert loaded_by(statement) & HEAVY <= {"numpy", "threadpoolctl", "safetensors"}


KINDS_OF_ROWS = {"Rows", "memmap", "Source", "Resident", "Mapped", "Streamed"}


@every_file
def test_kinds_of_rows_are_told_apart_in_one_place(path: Path) -> None:
    """Rows in memory, in a map and on their way to a device answer by themselves; the layers know arrays alone."""
    if relative(path) == "data/memmap/rows.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "type"):
            named = {part.id if isinstance(part, ast.Name) else getattr(part, "attr", "") for part in ast.walk(node)}
            assert not named & KINDS_OF_ROWS, f"{relative(path)}:{node.lineno}"


def test_what_the_commands_print_goes_through_one_file() -> None:
    """It makes names from files harmless to a terminal; JSON and TOML, in options.py and training.py, escape them."""
    printing = re.compile(r"(?<![.\w])print\(|click\.(echo|secho)\(")
    found = {
        path.name: [line.strip() for line in path.read_text().splitlines() if printing.search(line)]
        for path in (PACKAGE / "cli").glob("*.py")
        if path.name != "terminal.py"
    }
    assert {name: lines for name, lines in found.items() if lines} == {
        "options.py": ["click.echo(json.dumps(value))"],
        "training.py": ["click.echo(config.text(job.settings()), nl=False)"],
    }
