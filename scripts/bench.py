"""portanet beside its peers: the same training steps in processes of their own, measured in turn.

`python scripts/bench.py` takes some minutes and prints Markdown tables; it needs scikit-learn, PyTorch and JAX, and
leaves out, with the reason, what is not installed. Every peer goes its own fastest way: the threads, the dtype of the
pixels in memory and the size of blocks that were fastest while it warmed up. Only one peer runs at a time; the others
are stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench_peers.child import MODULES
from bench_peers.jobs import JOBS, Job

TITLES = {
    "portanet": "portanet",
    "portanet-traced": "portanet, traced without kernels",
    "portanet-plain": "portanet `--no-trace`",
    "portanet-jax": "portanet `--backend jax`",
    "portanet-torch": "portanet `--backend torch`",
    "numpy": "NumPy by hand",
    "products": "the matrix products alone, by NumPy's BLAS",
    "article": "the article's code, float64",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "torch-compile": "PyTorch, `torch.compile`",
    "torch-hand": "PyTorch without autograd, by hand",
    "jax": "JAX, epochs under `lax.scan`",
}
PACKAGES = ("numpy", "scikit-learn", "torch", "jax")
# Other settings of these are for one machine; each peer sets its threads itself.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Peer:
    """A child process, stopped unless it is asked."""

    def __init__(self, name: str, folder: Path, seconds: float) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in UNSET}
        self.name, self.times, self.memory = name, [], 0.0  # type: tuple[str, list[float], float]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench_peers.child", name, str(folder), str(seconds)],
            cwd=Path(__file__).parent, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        first = self._answer()
        self.skipped, self.how = first.get("skipped"), first.get("how", "")

    def measure(self) -> None:
        """One round."""
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.times.append(answer["seconds"])
        self.memory = answer["memory"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            self._process.send_signal(signal.SIGSTOP)
        found: dict[str, Any] = json.loads(line) if line else {"skipped": "it ended without an answer"}
        return found

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.communicate()


def measure(job: Job, names: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """The times of each peer, round by round in turn, and its memory; or why it was left out."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        subprocess.run(
            [sys.executable, "-c", WRITE, job.name, str(job.rows), folder], check=True, cwd=Path(__file__).parent
        )
        peers = []
        for name in names:
            say(f"{job.name}: {name} warms up")
            peers.append(Peer(name, Path(folder), seconds))
            stack.callback(peers[-1].close)
        able = [peer for peer in peers if not peer.skipped]
        for number in range(rounds):
            say(f"{job.name}: round {number + 1} of {rounds}")
            for peer in able:
                peer.measure()
    return {
        peer.name: {"skipped": peer.skipped}
        if peer.skipped
        else {"seconds": peer.times, "memory": peer.memory, "how": peer.how}
        for peer in peers
    }


def ratio(found: dict[str, Any], other: str, own: str, figure: str) -> float | None:
    """How often the one's figure goes into the other's: for seconds the median over the rounds."""
    if not all("seconds" in found.get(name, {}) for name in (other, own)):
        return None
    if figure == "memory":
        return float(found[other]["memory"] / found[own]["memory"])
    return median(a / b for a, b in zip(found[other]["seconds"], found[own]["seconds"], strict=True))


def verdicts(job: Job, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each required ratio beside the one measured; None where a peer is missing."""
    for pair, figure, least, goal in job.required:
        own, _, other = ("portanet/" + pair if "/" not in pair else pair).partition("/")
        value = ratio(found, other, own, figure)
        passed = None if value is None else value >= least
        names = {"own": own, "other": other, "figure": figure}
        yield names | {"ratio": value, "least": least, "goal": goal, "passed": passed}


def table(job: Job, found: dict[str, Any]) -> list[str]:
    """The job's peers in Markdown, the fastest first."""
    able = sorted((name for name in found if "seconds" in found[name]), key=lambda name: median(found[name]["seconds"]))
    lines = [
        f"**{job.name}**: {job.title}",
        "",
        f"| | {job.unit} | lowest to highest | time / portanet's | peak MiB | how |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for name in able:
        own = found[name]
        values = sorted(in_unit(job, seconds) for seconds in own["seconds"])
        beside = ratio(found, name, "portanet", "seconds")
        figures = [figure(median(values)), f"{figure(values[0])} to {figure(values[-1])}"]
        figures += ["" if beside is None else f"{beside:.2f}", f"{own['memory']:.0f}", own["how"]]
        lines.append(f"| {TITLES[name]} | {' | '.join(figures)} |")
    lines += ["", *(f"{TITLES[name]} is left out: {found[name]['skipped']}" for name in found if name not in able)]
    return lines


def in_unit(job: Job, seconds: float) -> float:
    """Seconds of a step in the job's unit."""
    scale = {"ms a step": 1e3, "µs a step": 1e6}
    return seconds * scale[job.unit] if job.unit in scale else job.rows / seconds


def figure(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def verdict_table(results: dict[str, Any]) -> list[str]:
    """The required ratios in Markdown."""
    words = {True: "pass", False: "**miss**", None: "not measured"}
    lines = ["| job | ratio | measured | required | goal | |", "|---|---|---|---|---|---|"]
    for name, result in results.items():
        for each in result["required"]:
            label = f"{each['figure']} of {TITLES[each['other']]} / {TITLES[each['own']]}"
            value = "" if each["ratio"] is None else f"{each['ratio']:.2f}"
            limits = f"{each['least']:.2f} | {each['goal']:.2f}"
            lines.append(f"| {name} | {label} | {value} | {limits} | {words[each['passed']]} |")
    return lines


def host() -> dict[str, Any]:
    """The machine, its BLAS and the versions."""
    done = subprocess.run(
        [sys.executable, "-m", "portanet", "doctor", "--json"], check=True, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if name not in UNSET},
    )  # fmt: skip
    doctor = json.loads(done.stdout)
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "cpu": models[0].partition(": ")[2] if models else platform.processor(),
        "cores": doctor["cores"],
        "blas": [f"{library['name']} {library['version']}" for library in doctor["blas"]],
        "versions": {"python": platform.python_version(), "portanet": doctor["versions"]["portanet"], **versions},
    }


def in_words(host: dict[str, Any]) -> str:
    """The host as one line of text."""
    versions = ", ".join(f"{name} {version}" for name, version in host["versions"].items())
    return f"{host['cpu']}, {host['cores']} cores, {', '.join(host['blas'])}; {versions}."


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


WRITE = """
import dataclasses, pathlib, sys
from bench_peers.jobs import JOBS, write
name, rows, folder = sys.argv[1:]
write(dataclasses.replace(JOBS[name], rows=int(rows)), pathlib.Path(folder))
"""


def some_of(known: Any) -> Any:
    def parse(words: str) -> list[str]:
        names = words.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return names

    return parse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=some_of(JOBS), default=list(JOBS), help=f"some of {','.join(JOBS)}")
    parser.add_argument("--peers", type=some_of(MODULES), default=list(MODULES), help=f"some of {','.join(MODULES)}")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each job; default: 7")
    parser.add_argument(
        "--quick", action="store_true", help="few rows and one short round: whether it runs, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no stopped child stays behind
    results = {}
    machine = host()
    for name in arguments.jobs:
        job = dataclasses.replace(JOBS[name], rows=640) if arguments.quick else JOBS[name]
        names = [peer for peer in arguments.peers if peer in job.peers]
        rounds, seconds = (1, 0.01) if arguments.quick else (arguments.rounds, 0.3)
        found = measure(job, names, rounds, seconds)
        results[name] = {"rows": job.rows, "peers": found, "required": list(verdicts(job, found))}
        if not arguments.json:
            print("\n".join(table(job, found)), flush=True)
    if arguments.json:
        print(json.dumps({"host": machine, "rounds": rounds, "jobs": results}))
    else:
        print("\n".join([*verdict_table(results), "", in_words(machine)]))


if __name__ == "__main__":
    main()
