"""Fuzzes every reader of files: whatever the bytes, a valid object or one PortanetError of one line, soon and in
little memory.

`python scripts/fuzz.py --seconds 60` (or `nox -s fuzz`) gives each reader a minute of inputs that atheris makes up,
guided by the lines of portanet that they reach, and prints a table; `--readers csv,model` takes some of them. An input
that breaks the rule ends that reader's turn, is kept in fuzz-failures/ and belongs in tests/test_fuzz_regressions.py.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import gzip
import io
import json
import math
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SECONDS = 2  # of processor time that one input may take
MEGABYTES = 512  # that a process may grow by
LONGEST = 4096  # bytes of an input

Reader = Callable[[bytes, Path], None]


def csv(content: bytes, folder: Path) -> None:
    from portanet.data.source import read

    task = "regress" if content[:1] == b"#" else "auto"
    read(written(folder / "rows.csv", grown(content.removeprefix(b"#"))), task=task)


def idx(content: bytes, folder: Path) -> None:
    from portanet.data.idx import read_folder

    cut = content.find(b"|")  # images before it, labels after it
    for name, part in (("images-idx3", content[: max(cut, 0)]), ("labels-idx1", content[cut + 1 :])):
        is_packed = part[:1] == b"G"  # no mutation gets a checksum right
        path = folder / f"train-{name}-ubyte{'.gz' if is_packed else ''}"
        (folder / f"train-{name}-ubyte{'' if is_packed else '.gz'}").unlink(missing_ok=True)
        written(path, gzip.compress(part[1:], 1, mtime=0) if is_packed else part)
    read_folder(folder)


def npz(content: bytes, folder: Path) -> None:
    from portanet.data.npz import read_npz

    if content[:1] == b"A":  # two arrays in an archive whose checksums are right
        with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
            for name, part in zip(("x.npy", "y.npy"), content[1:].split(b"|||", 1)):
                archive.writestr(name, part)
        content = packed.getvalue()
    read_npz(written(folder / "rows.npz", content))


def model(content: bytes, folder: Path) -> None:
    import numpy as np

    from portanet import load
    from portanet.cli import facts
    from portanet.data.kaggle import write_answers
    from portanet.storage.model_file import load_model

    path = written(folder / "model.safetensors", sealed(content))
    load_model(path)
    run = load(path)
    shape, classes = run.input_shape, facts.class_names(run)
    if math.prod(shape) < 10_000:  # a card may contradict the layers
        answers = run.predict(np.zeros((2, *shape), np.float32), codes=True)
        write_answers(io.BytesIO(), [(run.task.texts(answers, classes), None)], classes=classes)


def snapshot(content: bytes, folder: Path) -> None:
    from portanet.storage.snapshot import read_snapshot

    written(folder / "checkpoint.safetensors", sealed(content))
    read_snapshot(folder)


def config(content: bytes, folder: Path) -> None:
    import click

    from portanet.cli.train import command
    from portanet.storage.model_card import ModelCard
    from portanet.training import presets

    path = written(folder / "settings.toml", swapped(content) if content[:1] == b"\0" else grown(content))
    try:
        context = command.make_context("train", ["--config", str(path)])
    except click.UsageError:  # the command line's own way to say it
        return
    spec = presets.preset(context.params["preset"] or "mlp").with_settings(context.params["tables"] or {})
    spec.schedule(0, 1000)
    spec.for_data(ModelCard((1, 28, 28), classes=tuple("0123456789")))


def record(content: bytes, folder: Path) -> None:
    """run.json, |||, history.jsonl: what report and rerun read."""
    from portanet.report import beside
    from portanet.report.page import page
    from portanet.storage.run_record import has_ended, read_record
    from portanet.training.spec import TrainingSpec

    run, _, history = grown(content).partition(b"|||")
    written(folder / "run.json", run)
    written(folder / "history.jsonl", history)
    has_ended(folder)
    found = read_record(folder)
    page(found)
    beside.section([found, found], ["a", "b"])
    TrainingSpec.from_dict(found.spec)


def answers(content: bytes, folder: Path) -> None:
    """Names of classes, with any characters, come back from predict's CSV as they were."""
    import csv

    import numpy as np

    from portanet.data.kaggle import write_answers

    names = list(dict.fromkeys(content.decode("utf-8", "replace").split("|")))
    write_answers(file := io.BytesIO(), [(names, np.eye(len(names), dtype=np.float32))], classes=names)
    header, *rows = csv.reader(io.StringIO(file.getvalue().decode(), newline=""))
    assert header[2:] == [f"probability_{name}" for name in names], names
    assert [row[1] for row in rows] == names, names


READERS: dict[str, Reader] = {each.__name__: each for each in (csv, idx, npz, model, snapshot, config, record, answers)}


def grown(content: bytes) -> bytes:
    """The content, in which two bytes stand for what is longer than an input: 5,000 digits, and 5,000 brackets."""
    return content.replace(b"\x01", b"9" * 5000).replace(b"\x02", b"[" * 5000)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


ODD = [
    "x", "", True, -1, 0, 3, 2**64, 0.5, -0.5, 1e300, math.inf, math.nan, datetime.date(2021, 1, 2),
    [], [1], ["x"], [[]], {}, {"type": "Dense"}, {"type": "Dense", "units": 3}, {"type": "zeros"},
    {"type": "step_decay", "factor": 0.1},
]  # fmt: skip


KINDS = [">f4", "<f2", "<i8", ">u2"]  # of arrays
ODD_KINDS = ["<c8", "?", "S3", "<U3", "<M8[D]", "<m8[s]", "<V4", "<f4,<i4"]  # of arrays that are not numbers


def swapped(content: bytes) -> bytes:
    """A file with every table, in which two bytes after the first two put an odd value in another one's place, or more
    of them two or three.
    """
    from portanet.cli.config import text

    settings = every_table(content[1] if len(content) > 1 else 0)
    for place, odd in zip(content[2:8:2], content[3:8:2]):
        holder, key = (found := list(places(settings)))[place % len(found)]
        holder[key] = copy.deepcopy(ODD[odd % len(ODD)])
    return text(settings).encode()


def every_table(number: int) -> dict[str, Any]:
    """Settings with every table; by the number, whatever a file may name stands in one, with all of its settings."""
    from portanet import nn, optim
    from portanet._settings import to_dict
    from portanet.checks.gradcheck import EXAMPLES
    from portanet.training.callbacks import CALLBACKS

    dense, cosine, adam = nn.Dense(4, initializer=nn.uniform(-0.1, 0.1)), optim.cosine_decay(warmup=2), optim.AdamW()
    given = {
        "Dense": dense, "Conv2D": nn.Conv2D(2, 3, padding="same"), "Frozen": nn.Frozen(dense),
        "Residual": nn.Residual(dense), "Sequential": nn.Sequential(nn.Rescale(0.1), dense),
        "ClipByGlobalNorm": optim.ClipByGlobalNorm(adam, 1.0), "EMA": optim.EMA(adam),
        "step_decay": optim.step_decay(0.5, 3), "cosine_decay": cosine,
        "exponential_decay": optim.exponential_decay(0.9),
        "linear_warmup": optim.linear_warmup(cosine, 3),
        "CrossEntropy": nn.CrossEntropy(label_smoothing=0.1, class_weight=(1.0, 2.0)),
    }  # fmt: skip

    for layer, _ in EXAMPLES:
        for part in (layer, *layer.children.values()):
            given.setdefault(type(part).__name__, part)

    def one(known: dict[str, Any]) -> Any:
        names = sorted(name for name, made in known.items() if isinstance(made, type))
        name = names[number % len(names)]
        return to_dict(given[name] if name in given else known[name]())

    layers = {name: made for name, made in nn.LAYERS.items() if name != "uniform"}
    return {
        "epochs": 3, "learning_rate": 0.1, "optimizer": one(optim.OPTIMIZERS), "schedule": one(optim.SCHEDULES),
        "loss": one(nn.LOSSES), "layers": [one(layers)], "callbacks": [one(CALLBACKS)],
    }  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where a value stands, for each value inside nested dicts and lists."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def sealed(content: bytes) -> bytes:
    """A safetensors file: the content itself or, where it is JSON, one with that header and the right SHA-256."""
    import numpy as np

    from portanet.errors import ConfigError
    from portanet.storage import safetensors_file

    try:
        header = json.loads(content)
        arrays = {name: np.ones(shape, np.float32) for name, shape in dict(header.pop("arrays")).items()}
        if sum(array.size for array in arrays.values()) < 10_000:
            return safetensors_file.encoded(header, arrays)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError, ConfigError):
        pass
    return content


def seeds() -> dict[str, list[bytes]]:
    """Small valid files to begin with."""
    import numpy as np

    from portanet import nn, optim
    from portanet._settings import to_dict
    from portanet._tree import tree_items
    from portanet.cli.config import text
    from portanet.storage import safetensors_file
    from portanet.storage.model_card import ModelCard
    from portanet.training.spec import TrainingSpec

    def image(shape: tuple[int, ...], body: bytes, kind: int = 8) -> bytes:
        return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + body

    np.savez(archive := io.BytesIO(), x=np.arange(12, dtype=np.uint8).reshape(3, 4), y=np.array(["a", "b", "a"]))
    images, labels = image((3, 2, 2), bytes(range(12))), image((3,), b"\1\2\1")
    layers = [
        nn.Sequential(
            nn.RandomAffine(), nn.Rescale(0.1), nn.Conv2D(2, 3, padding="same"), nn.BatchNorm(), nn.Flatten()
        ),
        nn.Sequential(nn.Standardize(), nn.Dense(2), nn.ReLU(), nn.Residual(nn.Dropout(0.1), nn.Dense(2))),
    ]
    models, host = [], {}
    for made, shape in zip(layers, [(1, 4, 4), (3,)], strict=True):
        spec = {name: value for name, value in TrainingSpec().to_dict().items() if name != "layers"}
        header = {"model": to_dict(made), "card": ModelCard(shape).to_dict(), "spec": spec, "about": {}}
        drawn = tree_items(made.init(np.random.default_rng(0), shape))
        host = {".".join(path): np.ones(value.shape, np.float32) for path, value in drawn}
        arrays = {name: value.shape for name, value in host.items()}
        models.append(header | {"arrays": arrays})
    for classes in (["a", "b"], ["1", "01"]):
        models.append(models[1] | {"card": ModelCard((3,)).to_dict() | {"classes": classes}})
    tree = {"flat": {"$array": "/flat"}, "steps": 3, "$$x": [1, {"$float": "inf"}], "history": [{"loss": 1.5}]}
    tables = {"optimizer": optim.AdamW(), "loss": nn.cross_entropy, "schedule": optim.cosine_decay(warmup=0.1)}
    packed = safetensors_file.encoded({key: value for key, value in models[-1].items() if key != "arrays"}, host)
    tables_by_number = [b"\0" + bytes([number]) for number in range(len(nn.LAYERS))]
    own = {"layers": [to_dict(layer) for layer in layers[0].layers], "learning_rate": 0.1}
    return {
        "csv": [
            b"label,pixel0,pixel1\n7,0,255\n1,4,5\n",
            b'a,b,label\n1.5,2,x\n-3e4,1e2,"y\n"\n',
            b"#a,label\n1,2\n3,.5\n",
        ],
        "idx": [
            images + b"|" + labels,
            b"G" + images + b"|G" + labels,
            image((3, 1, 2), bytes(24), 13) + b"|" + labels,
        ],
        "npz": [
            archive.getvalue(),
            two_arrays(np.ones((2, 3)), np.array([1, 2])),
            *(two_arrays(np.zeros((2, 3), kind), np.zeros(2, kind)) for kind in KINDS),
        ],
        "model": [*(json.dumps(each).encode() for each in models), packed],
        "snapshot": [
            json.dumps({"tree": tree, "arrays": {"/flat": [2, 3]}}).encode(),
            safetensors_file.encoded({"tree": tree}, {"/flat": np.arange(3)}),
        ],
        "config": [
            b'preset = "cnn"\nepochs = 3\nbatch_size = "full"\nimage = [1, 28, 28]\nclass_weight = "balanced"\n',
            text({name: to_dict(value) for name, value in tables.items()}).encode(),
            text(own).encode(),
            *tables_by_number,
            b'callbacks = [{ type = "EarlyStopping", patience = 3 }, { type = "ReduceOnPlateau", factor = 0.5 }]\n',
            b'hidden = [64, 32]\nactivation = "tanh"\ndropout = 0.1\n',
            b'label = "\\U0001F600"\n',
        ],
        "record": [
            json.dumps({"result": {"steps": 3, "stopped": "finished"}, "layers": [{"name": "0"}]}).encode()
            + b'|||{"step": 1, "epoch": 1, "loss": 2.5, "accuracy": 0.5}\n{"step": 2, "epoch": 2, "loss": NaN}\n',
            b'{"run": "\\ud800", "command": "\\u0000"}|||{"\\udfff": "\\ud800"}\n',
            json.dumps({"spec": TrainingSpec().to_dict()}).encode() + b"|||",
        ],
        "answers": [b"cat|dog", b'a\r\nb|\x00|\x1b[31m|=1+1|,|"|\xe2\x80\xa8| '],
    }


def refused() -> dict[str, list[bytes]]:
    """Small files that are not valid, to begin with too."""
    import numpy as np

    model = json.loads(seeds()["model"][1])
    names = (["a", "b", "c"], ["a", "a"], ["\x1b[2J", "\ud800"])
    return {
        "npz": [two_arrays(np.zeros((2, 3), kind), np.zeros(2, kind)) for kind in ODD_KINDS],
        "model": [json.dumps(model | {"card": model["card"] | {"classes": each}}).encode() for each in names],
        "config": [b"epochs = \x01\n", b"layers = \x02\n"],
        "record": [b'{"result": {"steps": \x01}}|||{"loss": \x01}\n', b'{"spec": \x02}|||{"loss": \x02}\n'],
    }


def two_arrays(x: Any, y: Any) -> bytes:
    """What `npz` makes an archive of."""
    import numpy as np

    for value, file in ((x, first := io.BytesIO()), (y, second := io.BytesIO())):
        np.save(file, value)
    return b"A" + first.getvalue() + b"|||" + second.getvalue()


def held(read: Reader, folder: Path) -> Callable[[bytes], None]:
    """`read` under the rule: it returns, or raises a PortanetError of one short line, soon."""
    from portanet.errors import PortanetError

    def hold(content: bytes) -> None:
        start = time.process_time()
        try:
            read(content, folder)
        except PortanetError as error:
            if not str(error).isprintable() or len(str(error)) > 1000:
                raise AssertionError(repr(str(error))) from error
        assert (spent := time.process_time() - start) < SECONDS, f"{spent:.1f} s"

    return hold


def fuzz(name: str, folder: Path, flags: list[str]) -> None:
    """One reader's turn, in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["portanet", "tomllib", "numpy.lib._format_impl"]):
        pass
    import pandas  # noqa: F401
    import safetensors.numpy  # noqa: F401

    warnings.simplefilter("error")
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()[name] + refused().get(name, [])):
        (corpus / str(number)).write_bytes(seed)
        held(READERS[name], folder)(seed)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    limits = [f"-rss_limit_mb={used + MEGABYTES}", f"-timeout={30 * SECONDS}", f"-max_len={LONGEST}"]
    atheris.Setup([sys.argv[0], *flags, *limits, "-print_final_stats=1", str(corpus)], held(READERS[name], folder))
    atheris.Fuzz()


def turn(name: str, seconds: int, seed: int) -> tuple[int, float, bool]:
    """Executions, processor seconds, and whether the rule held, of a reader's turn in a separate process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        flags = [f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={folder}/failed-"]
        words = [sys.executable, __file__, "--one", name, "--folder", folder, *flags]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        for failed in Path(folder).glob("failed-*"):
            Path("fuzz-failures").mkdir(exist_ok=True)
            shutil.copy(failed, f"fuzz-failures/{name}-{failed.name.removeprefix('failed-')}")
    output, after = done.stdout.decode(errors="replace"), resource.getrusage(resource.RUSAGE_CHILDREN)
    count = re.search(r"number_of_executed_units: (\d+)", output) or re.search(r"Done (\d+) runs", output)
    if done.returncode:
        lines = [line for line in output.splitlines() if not line.startswith("INFO: ")]
        print("\n".join(lines[-60:]), file=sys.stderr)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(count[1]) if count else 0, spent, done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--readers", default=",".join(READERS), help="some of them, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs; 0: another each time")
    parser.add_argument("--one", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given, flags = parser.parse_known_args()
    if given.one:
        fuzz(given.one, given.folder, flags)
    print("| reader | inputs | processor time | rule |\n|---|---|---|---|")
    turns = []
    for name in given.readers.split(","):
        turns.append(turn(name, given.seconds, given.seed))
        count, spent, holds = turns[-1]
        print(f"| {name} | {count:,} | {spent / 60:.1f} min | {'holds' if holds else 'BROKEN'} |", flush=True)
    print(f"{sum(count for count, *_ in turns):,} inputs in {sum(spent for _, spent, _ in turns) / 60:.0f} CPU minutes")
    sys.exit(not all(holds for *_, holds in turns))


if __name__ == "__main__":
    main()
