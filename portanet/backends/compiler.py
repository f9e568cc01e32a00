"""The machine's C compiler: compiles loops in the background and keeps them in the user's cache."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portanet import _cache
from portanet.backends.loops import C_HEADER

Function = Callable[[int], int]
"""Takes the address of its words."""

_FLAGS = (
    "-fno-fast-math", "-O1", "-ftree-vectorize", "-fno-tree-slp-vectorize", "--param=vect-epilogues-nomask=0",
    "-ffp-contract=off", "-fwrapv", "-fno-math-errno", "-fno-trapping-math", "-fno-strict-aliasing", "-fPIC",
    "-shared", "-pipe", "-w",
)  # fmt: skip
"""With -O2 GCC takes twice as long, and turns maxima into branches, which it then cannot vectorise."""

_SECONDS = 60  # time limit of the compiler
_KEPT = 300  # newest files to keep
_LEFT = 3600  # seconds after which an unfinished folder counts as abandoned


class Compiler:
    """Compiles requested functions, each once; without a working compiler they never become ready."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._functions: dict[str, Function] = {}
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._running: dict[subprocess.Popen[str], str] = {}  # the output folder of each

    def ask(self, bodies: dict[str, str], *, wait: bool = False) -> None:
        """Start to compile functions, given by name, unless they were requested before."""
        with self._lock:
            new = {name: body for name, body in bodies.items() if name not in self._asked}
            self._asked |= set(new)
        if not new or self.problem is not None:
            return
        if wait or self._load_kept(new):
            self._build(new)
            return
        thread = threading.Thread(target=self._build, args=(new,), name="portanet-compiler", daemon=True)
        with contextlib.suppress(RuntimeError):  # the system cannot start more threads
            thread.start()

    def get(self, name: str) -> Function | None:
        """A requested function; None until it is ready."""
        return self._functions.get(name)

    def _load_kept(self, bodies: dict[str, str]) -> bool:
        """Whether these functions are in the cache already."""
        try:
            return _is_whole(_place(_command(), _source(bodies)))
        except OSError:
            return False

    def _build(self, bodies: dict[str, str]) -> None:
        try:
            library = self._library(_source(bodies))
            for name in bodies:
                function = getattr(library, name)
                function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_int
                self._functions[name] = function
        except Exception as error:  # compiler, disk and loader can fail in many ways; steps run without kernels
            self.problem = (str(error).strip().splitlines() or [type(error).__name__])[0]

    def _library(self, source: str) -> Any:
        """The shared library of a source, from the cache."""
        command = _command()
        path = _place(command, source)
        if not _is_whole(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _cache.require_own(path.parent)
            self._compile(command, source, path)
            _prune(path.parent)
        _cache.require_own(path)
        return ctypes.CDLL(str(path))

    def _compile(self, command: list[str], source: str, place: Path) -> None:
        """Compile a library under a temporary name, then rename it, so that it is never seen incomplete."""
        folder = tempfile.mkdtemp(dir=place.parent, prefix="new-")  # a TemporaryDirectory warns at the process's end
        try:
            made = Path(folder, place.name)
            environment = {**os.environ, "TMPDIR": folder, "LC_ALL": "C"}
            with subprocess.Popen(
                [*command, "-x", "c", "-", "-o", str(made)], env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as running:  # fmt: skip
                self._running[running] = folder
                try:
                    said, _ = running.communicate(source, timeout=_SECONDS)
                finally:
                    running.kill()  # after a timeout; no effect if it has ended
                    self._running.pop(running, None)
            if running.returncode or not made.exists():
                raise OSError(f"{command[0]} says: {(said.strip().splitlines() or ['nothing'])[0]}")
            made.chmod(0o700)
            os.replace(made, place)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self) -> None:
        """Stop running compilers and remove their folders."""
        for running, folder in tuple(self._running.items()):
            running.kill()
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def compiler() -> Compiler:
    """The compiler of this process."""
    new = Compiler()
    atexit.register(new.stop)
    return new


if hasattr(os, "register_at_fork"):  # a child process does not inherit threads
    os.register_at_fork(after_in_child=compiler.cache_clear)


def problem() -> str | None:
    """The reason why kernels cannot be compiled here, after a trial; None if they can."""
    trial, body = Compiler(), "return 0;"
    trial.ask({name_of(body): body}, wait=True)
    return trial.problem


def name_of(body: str) -> str:
    """The name of a function, derived from its body."""
    return "kernel_" + hashlib.sha256(body.encode()).hexdigest()[:24]


def _source(bodies: dict[str, str]) -> str:
    functions = [f"int {name}(const word *w) {{\n{body}\n}}\n" for name, body in sorted(bodies.items())]
    return "\n".join([C_HEADER, *functions])


def _command() -> list[str]:
    """The command of the compiler, from PORTANET_CC or `cc`, with our flags."""
    named = os.environ.get("PORTANET_CC", "cc")
    if not named.strip():
        raise OSError("PORTANET_CC is empty")
    if os.name != "posix":
        raise OSError("only compilers of Unix are known")
    program, *more = shlex.split(named)
    if (path := shutil.which(program)) is None:
        raise OSError(f"the compiler {program!r} does not exist")
    native = "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native"
    linked = [] if sys.platform == "darwin" else ["-nostdlib"]  # faster; the process has already loaded the C library
    return [path, *more, native, *_FLAGS, *linked]


def _place(command: list[str], source: str) -> Path:
    """The path in the cache of the library of a source, for this compiler and this processor."""
    about = os.stat(command[0])
    facts = [source, *command, str(about.st_size), str(about.st_mtime_ns), _processor()]
    return _cache.folder() / "kernels" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()}.so"


def _is_whole(path: Path) -> bool:
    """Whether a library exists and is not empty, as it may be after a crash of the machine."""
    return path.exists() and path.stat().st_size > 0


@functools.cache
def _processor() -> str:
    """The processor's name and features."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        told = ("vendor", "model", "cpu family", "stepping", "flags", "CPU ", "Features", "isa")
        return "\n".join(line for line in lines if line.startswith(told) and "MHz" not in line)
    return f"{platform.machine()} {platform.processor()} {platform.node()}"


def _prune(folder: Path) -> None:
    """Remove the oldest files above a limit, and leftovers of killed processes."""
    ages = {path: _changed(path) for kind in ("new-*", "*.so") for path in folder.glob(kind)}
    for left, changed in ages.items():
        if left.suffix != ".so" and changed < time.time() - _LEFT:
            shutil.rmtree(left, ignore_errors=True)
    for file in sorted((path for path in ages if path.suffix == ".so"), key=ages.__getitem__)[:-_KEPT]:
        file.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    """When a file was last changed; the current time if it has just been removed."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
