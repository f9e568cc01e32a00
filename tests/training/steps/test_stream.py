"""Rows that are not in memory, or not on the device, train to the same bits as those that are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import IMAGE_MODEL, IMAGES, TABLE_MODEL, Host, blobs

import portanet
from portanet import Callback, nn, optim
from portanet._tree import tree_items
from portanet.backends import Backend
from portanet.data.fingerprint import fingerprint
from portanet.data.memmap.rows import Rows
from portanet.errors import ConfigError, DataError, DivergenceError
from portanet.storage.snapshot import read_snapshot
from portanet.training.checkpoints import Checkpoints
from portanet.training.steps.source import Mapped, Resident, as_source

X, LABELS = blobs(90)
TABLE = X.astype(np.float32)
DATA: dict[str, tuple[Host, nn.Layer]] = {"table": (TABLE, TABLE_MODEL), "images": (IMAGES, IMAGE_MODEL)}


def on_disk(path: Path, x: Host) -> np.memmap[Any, Any]:
    np.save(path, x)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def no_room(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backend with a device so full that rows are sent step by step; one that computes on the host needs none."""
    monkeypatch.setattr(backend, "free_memory", lambda: 2)
    return backend


def train(x: Any, model: nn.Layer, *callbacks: Callback, **settings: Any) -> portanet.TrainedModel:
    usual: dict[str, Any] = {"epochs": 3, "batch_size": 7, "optimizer": optim.AdamW(), "seed": 3, "valid": (x, LABELS)}
    return portanet.fit(model, x, LABELS, callbacks=callbacks, **usual | settings)


def bits(run: portanet.TrainedModel) -> tuple[dict[tuple[str, ...], bytes], list[dict[str, Any]]]:
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]
    return {path: np.asarray(run.backend.to_numpy(array)).tobytes() for path, array in tree_items(run.params)}, history


SETTINGS: dict[str, dict[str, Any]] = {
    "batches": {},
    "weights": {"sample_weight": np.arange(90), "loss": nn.CrossEntropy(class_weight=(1, 2, 0.5))},
    "parts": {"accumulate": 3, "batch_size": 30},
    "float64": {"dtype": "float64"},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kind", DATA)
def test_the_same_bits(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    x, model = DATA[kind]
    settings = SETTINGS[name] | {"backend": backend}
    if name == "parts" and kind == "images":
        pytest.skip("BatchNorm takes no batch in parts")
    expected = bits(train(x, model, **settings))
    disk = on_disk(tmp_path / "x.npy", x)
    assert bits(train(disk, model, **settings)) == expected
    order = np.random.default_rng(0).permutation(90)
    shuffled = on_disk(tmp_path / "shuffled.npy", x[order])
    chosen = Rows(shuffled, np.argsort(order))
    assert bits(train(chosen, model, **settings)) == expected
    full = no_room(backend, monkeypatch)
    for source in (x, disk, chosen):
        found = bits(train(source, model, **settings | {"backend": full}))
        if backend.name == "jax":  # one step is another program than a run of steps, and rounds in its own way
            assert [row["valid_loss"] for row in found[1]] == pytest.approx(
                [row["valid_loss"] for row in expected[1]], rel=1e-4
            )
        else:
            assert found == expected


@pytest.mark.parametrize("kind", DATA)
def test_full_batches(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    x, model = DATA[kind]
    expected = bits(train(x, model, batch_size="full", backend=backend))
    chosen = Rows(on_disk(tmp_path / "x.npy", np.concatenate([x, x])), np.arange(90))
    assert bits(train(chosen, model, batch_size="full", backend=backend)) == expected
    full = no_room(backend, monkeypatch)
    if backend.computes_in_host_memory():
        assert bits(train(chosen, model, batch_size="full", backend=full)) == expected
        return
    with pytest.raises(ConfigError, match=r"^a full batch of these rows takes .* GB free; .*batch_size=128"):
        train(chosen, model, batch_size="full", backend=full)


def test_other_numbers_become_the_dtype_as_they_are_read(backend: Backend, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Identity(), nn.Dense(3))  # the first layer has no arrays to give it a dtype
    for given in (X, (X * 50).astype(np.int16), (X * 50).astype(">i4"), X > 0, X.astype(np.float16)):
        disk = on_disk(tmp_path / "x.npy", given)
        for settings in ({}, {"dtype": "float64"}):
            plain, mapped = (train(x, model, backend=backend, **settings) for x in (given, disk))
            assert bits(plain) == bits(mapped)


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("room", [True, False])
def test_resume(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, room: bool) -> None:
    class KilledError(Exception):
        pass

    class Dies(Callback):
        def advance(self, step: int) -> None:
            if step >= 17:
                raise KilledError

    x, model = DATA[kind]
    disk = on_disk(tmp_path / "x.npy", x)
    chosen = backend if room else no_room(backend, monkeypatch)
    whole = train(disk, model, backend=chosen)
    checkpoints = Checkpoints(tmp_path / "run", every=0.0)
    checkpoints.due = lambda: True  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        train(disk, model, Dies(), backend=chosen, checkpoints=checkpoints)
    run = train(x, model, backend=chosen, checkpoints=checkpoints)  # the data are the same, wherever they lie
    assert bits(run) == bits(whole)
    assert read_snapshot(tmp_path / "run")[0]["steps"] == 39


def test_divergence_is_found(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {
        "optimizer": optim.SGD(0.01), "schedule": lambda step, steps: 1e32 if step > 15 else 1.0, "backend": backend,
    }  # fmt: skip
    disk = on_disk(tmp_path / "x.npy", TABLE)
    with pytest.raises(DivergenceError) as plain:
        train(TABLE, TABLE_MODEL, **settings)
    for room in (True, False):
        chosen = backend if room else no_room(backend, monkeypatch)
        with pytest.raises(DivergenceError) as mapped:
            train(disk, TABLE_MODEL, **settings | {"backend": chosen})
        assert str(mapped.value) == str(plain.value)  # with the loss of the step before
        assert (mapped.value.step, mapped.value.layer) == (plain.value.step, plain.value.layer)


def test_preprocessing_after_other_layers(tmp_path: Path) -> None:
    """What comes before it is computed for a block of rows at a time."""
    model = nn.Sequential(nn.Flatten(), nn.Rescale(0.5), nn.Standardize(), nn.Dense(3))
    disk = on_disk(tmp_path / "x.npy", IMAGES)
    assert bits(train(disk, model)) == bits(train(IMAGES, model))


def test_use(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.training.trained.outputs.block_rows", lambda *_: 16)
    run = train(IMAGES, IMAGE_MODEL, backend=backend)
    chosen = Rows(on_disk(tmp_path / "x.npy", IMAGES)).select(slice(5, 60))
    plain = IMAGES[5:60]
    assert np.array_equal(run.predict(chosen), run.predict(plain))
    assert np.array_equal(run.probabilities(chosen), run.probabilities(plain))
    assert run.evaluate(chosen, LABELS[5:60]) == run.evaluate(plain, LABELS[5:60])


def test_what_is_wrong_is_found_in_every_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.data.blocks.BLOCK_BYTES", 100)
    bad = TABLE.copy()
    bad[71, 2] = np.nan
    with pytest.raises(DataError, match="x holds NaN or infinity"):
        train(on_disk(tmp_path / "x.npy", bad), TABLE_MODEL, valid=None)
    with pytest.raises(DataError, match="x holds NaN or infinity"):
        train(TABLE, TABLE_MODEL, valid=(on_disk(tmp_path / "x.npy", bad), LABELS))
    words = np.full((90, 4), 5, np.uint8)
    words[80, 1] = 6
    model = nn.Sequential(nn.Embedding(6, 2), nn.Flatten(), nn.Dense(3))
    with pytest.raises(DataError, match=r"from 0 to 5, got .*5 to 6"):
        train(on_disk(tmp_path / "w.npy", words), model, valid=None)


def test_a_checksum_does_not_depend_on_where_rows_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fingerprint(TABLE)
    monkeypatch.setattr("portanet.data.blocks.BLOCK_BYTES", 100)
    disk = on_disk(tmp_path / "x.npy", TABLE)
    for x in (TABLE, disk, Rows(disk), Rows(disk, np.arange(90))):
        assert as_source(x, TABLE_MODEL, portanet.choose("numpy"), "float32").fingerprint() == expected
        assert portanet.Dataset("rows", x, LABELS).fingerprint == fingerprint(TABLE, LABELS)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_the_host_copies_nothing(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if name == "torch":
        request.getfixturevalue("torch")
    backend = portanet.choose(name)
    for x in (IMAGES.copy(), TABLE.copy()):
        placed = as_source(x, TABLE_MODEL, backend, "float32")
        assert isinstance(placed, Resident)
        assert np.shares_memory(backend.to_numpy(placed.x), x)
        for block in as_source(x, TABLE_MODEL, backend, "float32", place=False).blocks(7):
            assert np.shares_memory(backend.to_numpy(block), x)
    assert isinstance(as_source(on_disk(tmp_path / "x.npy", TABLE), TABLE_MODEL, backend, "float32"), Mapped)
    numpy = portanet.choose("numpy")
    assert not np.shares_memory(as_source(X, TABLE_MODEL, numpy, "float32").batch(None), X)  # float64 is cast


def test_data_are_never_written_to(backend: Backend) -> None:
    for x, model in DATA.values():
        kept = x.copy()
        kept.setflags(write=False)
        train(kept, model, backend=backend)
        assert np.array_equal(kept, x)


def test_half_of_the_free_memory_decides(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    send = backend.send
    monkeypatch.setattr(backend, "send", lambda *given: (sent.append(1), send(*given))[1])
    for free, expected in ((2 * IMAGES.nbytes, False), (2 * IMAGES.nbytes - 2, not backend.computes_in_host_memory())):
        monkeypatch.setattr(backend, "free_memory", lambda free=free: free)
        sent.clear()
        train(IMAGES, IMAGE_MODEL, backend=backend)
        assert bool(sent) == expected
    assert portanet.choose(backend.name).free_memory() > 2**20


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np, portanet
from portanet import nn
from portanet.data.split import holdout

def anonymous():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) // 1024

path, most = sys.argv[1], 0
class Watch(portanet.Callback):
    def advance(self, step):
        global most
        most = max(most, anonymous())
def watch(done, size):
    global most
    most = max(most, anonymous())

small = np.zeros((300, 500), np.float32)
small[:, 0] = 0.5
model = nn.Sequential(nn.Standardize(), nn.Dense(4), nn.ReLU(), nn.Dense(2))
run = portanet.fit(model, small, np.arange(300) % 2, epochs=1, workers=2)
run.evaluate(small, np.arange(300) % 2)
first = Path(sys.argv[2] + ".csv")
first.write_text("a,b\\n1,2\\n")  # so that pandas is there
portanet.read(str(first))
before = anonymous()
train, valid = holdout(portanet.read(path, mapped=True, progress=watch), 0.2, 0)
run = portanet.fit(
    model, train.x, train.labels, valid=(valid.x, valid.labels), epochs=1, batch_size=512, callbacks=[Watch()],
    checkpoints=sys.argv[2], workers=2,
)
run.evaluate(train.x, train.labels)
run.predict(train.x)
train.fingerprint
watch(0, 0)
print(train.x.dtype, before, most)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_constant(tmp_path: Path) -> None:
    """A table that is 320 MB of float32, read, split, trained on, measured and predicted: 200 MB are allowed.

    The pages of the map are the system's to take back, so anonymous memory is what counts, and with it what the C
    library keeps of freed blocks (backends/numpy.py), which does not grow with the data.
    """
    path, rows, columns = tmp_path / "big.csv", 160_000, 500
    rng = np.random.default_rng(0)
    block = "\n".join(",".join(map(str, row)) for row in rng.integers(0, 10, (1000, columns)).tolist())
    with open(path, "w") as file:
        file.write(",".join(["label", *(f"c{i}" for i in range(1, columns + 1))]) + "\n")
        for i in range(rows // 1000):
            text = block if i < 80 else block.replace("7", ".5")
            file.writelines(f"{j % 2},{line}\n" for j, line in enumerate(text.split("\n")))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, path, tmp_path / "run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    dtype, before, most = done.stdout.split()
    assert dtype == "float32"
    assert int(most) - int(before) < 200, done.stdout
