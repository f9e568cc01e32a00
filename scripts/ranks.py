"""What many processes cost and need: `python scripts/ranks.py` measures messages, `--stream GB` reads that many rows.

It starts itself by mpiexec. Times are the least of many; on a busy machine they say little.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import portanet
from portanet import Callback, nn
from portanet.mpi.ranks import Ranks
from portanet.mpi.team import Team
from portanet.training.steps import shards

SMALL, LARGE = 64, 1_000_000  # numbers in a gradient
REPEATS = 200
ROWS = (1, 28, 28)


def exchange(ranks: Ranks, numbers: int, repeats: int) -> float:
    """Seconds of an ordered sum in which each rank has one shard that costs nothing."""
    team = Team(ranks, shards.workers(1), portanet.choose("numpy"), numbers)
    arrays = (np.ones(numbers, np.float32), np.float32(1.0), np.int64(1))
    times = []
    for _ in range(repeats):
        ranks.largest(0)
        start = time.perf_counter()
        team.sum(lambda i: arrays, ranks.size)
        times.append(time.perf_counter() - start)
    return min(ranks.gather(min(times)))


def step(ranks: Ranks | None) -> float:
    """Seconds of a step of the network 784-128-10 on 2,048 rows, which are eight shards."""
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (2048, *ROWS), dtype=np.uint8), rng.integers(0, 10, 2048)
    model = nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10))
    times: list[float] = []

    class Clock(Callback):
        def advance(self, step: int) -> None:
            times.append(time.perf_counter())

    portanet.fit(
        model, x, labels, epochs=60, batch_size="full", accumulate=8, backend="numpy", workers=1, communicator=ranks,
        callbacks=[Clock()],
    )  # fmt: skip
    return float(np.diff(times).min())


def anonymous() -> int:
    """Bytes of this process that are not pages of files."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def stream(ranks: Ranks, path: Path) -> list[Any]:
    """The memory of each rank in MB, before and at most while it trains on a memory map, and the rows a second."""
    x = np.load(path, mmap_mode="r")
    labels = np.arange(len(x)) % 10
    before, most = anonymous(), [0]

    class Watch(Callback):
        def advance(self, step: int) -> None:
            most[0] = max(most[0], anonymous())

    model = nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(16), nn.ReLU(), nn.Dense(10))
    run = portanet.fit(
        model, x, labels, epochs=1, batch_size=4096, backend="numpy", communicator=ranks, callbacks=[Watch()]
    )
    return [before // 10**6, most[0] // 10**6, round(len(x) / run.seconds)]


def write_rows(path: Path, gigabytes: float) -> int:
    """Images of noise, a block at a time; how many."""
    rows = int(gigabytes * 1e9) // math.prod(ROWS)
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, *ROWS))
    block = np.random.default_rng(0).integers(0, 256, (4096, *ROWS), dtype=np.uint8)
    for start in range(0, rows, len(block)):
        array[start : start + len(block)] = block[: rows - start]
    array.flush()
    return rows


def on_ranks(size: int, *words: str) -> Any:
    """What this script finds on so many ranks."""
    command = ["mpiexec", "-n", str(size), sys.executable, __file__, "--rank", *words]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def here(words: list[str]) -> None:
    from mpi4py import MPI

    ranks = Ranks(MPI.COMM_WORLD)
    if words:
        found: Any = ranks.gather(stream(ranks, Path(words[0])))
    else:
        found = [exchange(ranks, SMALL, REPEATS), exchange(ranks, LARGE, REPEATS // 10), step(ranks)]
    if ranks.leads:
        print(json.dumps(found))


def measure() -> None:
    """The terms of the cost, and what follows from them."""
    shard = step(None) / 8
    print(f"a shard of 784-128-10, 256 rows: {1e3 * shard:.2f} ms")
    latency = per_byte = 0.0
    for size in (2, 4):
        small, large, whole = on_ranks(size)
        print(f"{size} ranks: messages {1e6 * small:.0f} us, with 4 MB of gradient {1e3 * large:.2f} ms", end="; ")
        print(f"a step of 8 shards {1e3 * whole:.2f} ms, alone {8e3 * shard:.2f} ms")
        if size <= (os.cpu_count() or 1):
            latency, per_byte = small / size, (large - small) / (4 * LARGE * 3)
    print(f"on ranks with a core each: l = {1e6 * latency:.0f} us, b = {1e9 * per_byte:.2f} ns a byte")
    gradient = 4 * (784 * 128 + 128 + 128 * 10 + 10)
    for count in (64, 512):
        print(f"{count} shards of {shard * 1e3:.2f} ms, gradient {gradient / 1e3:.0f} kB:")
        for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
            seconds = math.ceil(count / size) * shard
            seconds += (size * latency + per_byte * gradient * (2 * count / size + 1)) if size > 1 else 0.0
            print(f"  {size:3} ranks {1e3 * seconds:8.2f} ms   {count * shard / seconds:6.1f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", type=float, metavar="GB")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rank", nargs="*")
    options = parser.parse_args()
    if options.rank is not None:
        here(options.rank)
    elif options.stream:
        folder = Path(tempfile.mkdtemp())
        try:
            rows = write_rows(folder / "rows.npy", options.stream)
            for rank, (before, most, speed) in enumerate(on_ranks(options.ranks, str(folder / "rows.npy"))):
                print(
                    f"rank {rank}: {before} MB before, at most {most} MB while training; {speed:,} of {rows:,} rows/s"
                )
        finally:
            shutil.rmtree(folder)
    else:
        measure()


if __name__ == "__main__":
    main()
