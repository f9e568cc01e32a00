"""portanet bench: the training speed of this machine's backends, and the batch size from which a GPU is faster."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portanet.cli import options
from portanet.cli.terminal import echo

if TYPE_CHECKING:
    from portanet.backends import Backend
    from portanet.checks.bench import Timing

_SWEEP = "mlp"  # the preset whose batch size is varied if there is a GPU


@click.command()
@click.option("--backends", metavar="A,B,...", help="Backends to time.  [default: all that work here, but strict]")
@click.option("--presets", default="classic,mlp", show_default=True, metavar="A,B,...", help="What to train.")
@click.option("--plain", is_flag=True, help="Time steps that are not traced, too, and show what tracing gains.")
@click.option("--quick", is_flag=True, help="One short round of few rows: whether it runs, not how fast.")
@options.as_json
@options.debug
def command(backends: str | None, presets: str, plain: bool, quick: bool, as_json: bool) -> None:
    """Time training steps on this machine's backends.

    After a warm-up the backends take turns for five rounds; shown are the median and the spread. Where one of them
    runs on a GPU, batches of 32 to 8,192 rows show from which size it is worth it.
    """
    from portanet.training.presets import preset

    named = {name: preset(name) for name in presets.split(",")}
    chosen, left_out = _choose(backends)
    settings = {"rounds": 1, "seconds": 0.01} if quick else {"rounds": 5, "seconds": 0.2}
    sides = _with_plain(chosen) if plain else chosen
    by_preset = {name: _bench(sides, name, plan, quick=quick, settings=settings) for name, plan in named.items()}
    timings = [(name, timing) for name, found in by_preset.items() for timing in found]
    sweep = _sweep(chosen, quick=quick, settings=settings)
    hardware, verdicts = _hardware(chosen), _gains(by_preset) + _verdicts(chosen, left_out, sweep)
    if as_json:
        from portanet.checks.bench import as_dict

        rows = [{"preset": name} | as_dict(timing) for name, timing in timings]
        sizes = [{"preset": _SWEEP} | as_dict(timing) for timing in sweep]
        found = {"hardware": hardware, "left_out": left_out, "verdicts": verdicts, "quick": quick}
        options.print_json(found | {"timings": rows, "sizes": sizes})
        return
    for kind, words in hardware.items():
        echo(f"{kind:6}{words}")
    _print(timings)
    if sweep:
        _print([(_SWEEP, timing) for timing in sweep])
    echo()
    for words in verdicts:
        echo(words)


def _say(words: str) -> None:
    echo(words, err=True)


def _choose(names: str | None) -> tuple[list[Backend], dict[str, str]]:
    """The requested backends, or all that work, and the reasons why the others do not."""
    from portanet import backends
    from portanet.errors import BackendError

    if names:
        return [backends.choose(name.strip()) for name in names.split(",")], {}
    chosen, left_out = [], {}
    for name in backends.NAMES:
        if name == "strict":  # it is for tests, and slow by design
            continue
        try:
            chosen.append(backends.choose(name))
        except BackendError as error:
            left_out[name] = str(error)
            _say(f"{name} is left out: {error}")
    return chosen, left_out


def _with_plain(chosen: Sequence[Backend]) -> list[Backend]:
    """The backends; each one that traces is followed by a copy without tracing."""
    from portanet import backends

    sides = []
    for backend in chosen:
        sides.append(backend)
        if backend.library() is not None:
            sides.append(backends.choose(backend.name, backend.device, trace=False))
    return sides


def _gains(timings: dict[str, list[Timing]]) -> list[str]:
    """One sentence for each backend and preset that was timed with and without tracing."""
    from portanet.checks.bench import gains

    return [
        f"{preset}: traced steps on {backend} are {gain:.2f} times as fast as plain ones."
        for preset, own in timings.items()
        for backend, gain in gains(own).items()
    ]


def _bench(
    chosen: Sequence[Backend], name: str, plan: Any, *, quick: bool, settings: Any, size: int | None = None
) -> list[Timing]:
    from portanet import data as readers
    from portanet.checks.bench import bench
    from portanet.training.presets import DATA

    data = readers.read(DATA[name])
    data = data.rows(slice(0, 1024)) if quick else data
    return bench(chosen, plan, data, batch_size=size, say=lambda words: _say(f"{name}, {words}"), **settings)


def _sweep(chosen: Sequence[Backend], *, quick: bool, settings: Any) -> list[Timing]:
    """Steps of many batch sizes on NumPy and on the GPUs; nothing without a GPU."""
    from portanet import backends
    from portanet.checks.bench import SIZES, on_gpu
    from portanet.training.presets import preset

    gpus = [each for each in chosen if on_gpu(each.device)]
    if not gpus:
        return []
    sides, plan = [backends.choose("numpy"), *gpus], preset(_SWEEP)
    sizes = [size for size in SIZES if size <= 1024] if quick else SIZES
    return [
        timing for size in sizes for timing in _bench(sides, _SWEEP, plan, quick=quick, settings=settings, size=size)
    ]


def _verdicts(chosen: Sequence[Backend], left_out: dict[str, str], sweep: Sequence[Timing]) -> list[str]:
    """One sentence for each GPU, or the reason why none was found."""
    from portanet.backends import PREFERRED
    from portanet.checks.bench import break_even_batch_size, on_gpu

    if not sweep:
        why = f": {left_out[PREFERRED]}" if PREFERRED in left_out else "."
        return [f"None of these backends runs on a GPU{why}"]
    cpu = {timing.batch_size: timing.median for timing in sweep if timing.backend == "numpy"}
    words = []
    for each in (each for each in chosen if on_gpu(each.device)):
        gpu = {t.batch_size: t.median for t in sweep if (t.backend, t.device) == (each.name, each.device)}
        size = break_even_batch_size(cpu, gpu)
        side = f"{each.name} on {each.device} ({each.device_name()})"
        words.append(
            f"{side} is no faster than numpy for batches of {max(cpu):,} rows, the largest tried."
            if size is None
            else f"{side} is faster than numpy from batches of {size:,} rows on."
        )
    return words


def _hardware(chosen: Sequence[Backend]) -> dict[str, str]:
    """The names of the processor, NumPy's BLAS and each GPU."""
    from portanet import _machine
    from portanet.checks.bench import on_gpu

    libraries = [library for library in _machine.blas().info() if library["user_api"] == "blas"]
    gpus = [f"{each.device} {each.device_name()}" for each in chosen if on_gpu(each.device)]
    return {
        "cpu": f"{_cpu_name()}, {_machine.cores()} cores",
        "blas": ", ".join(sorted({f"{library['internal_api']} {library['version']}" for library in libraries})),
        "gpu": ", ".join(gpus) or "none",
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _print(rows: Sequence[tuple[str, Timing]]) -> None:
    echo()
    echo(f"{'preset':9}{'backend':13}{'device':9}{'rows':>7}{'ms a step':>12}{'lowest':>10}{'highest':>10}")
    for name, timing in rows:
        figures = "".join(
            f"{value * 1e3:{width}.3f}"
            for value, width in ((timing.median, 12), (min(timing.seconds), 10), (max(timing.seconds), 10))
        )
        echo(f"{name:9}{timing.backend:13}{timing.device:9}{timing.batch_size:>7,}{figures}")
