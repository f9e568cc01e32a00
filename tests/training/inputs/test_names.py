"""Names of columns and classes from what was read to what is answered: none is lost, none is mistaken for another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import blobs

import portanet
from portanet import nn
from portanet.data import Dataset
from portanet.errors import DataError, ModelError
from portanet.nn import Dense, Sequential, Standardize

X, CODES = blobs(60)
NAMES = np.array(["a", "b", "c"])
FRAME = pd.DataFrame(X, columns=["w", "x", "y", "z"])
NET = Sequential(Standardize(), Dense(3))
FAST: dict[str, Any] = {"epochs": 12, "batch_size": 10, "optimizer": portanet.optim.Adam(0.05)}


def table(classes: Any, columns: Any = ("w", "x", "y", "z"), label: str = "kind") -> Dataset:
    """The rows of these classes, as a file of them is read."""
    chosen = np.isin(NAMES[CODES], list(classes))
    frame = FRAME[list(columns)][chosen]
    codes = np.searchsorted(np.array(list(classes)), NAMES[CODES][chosen]).astype(np.int32)
    return Dataset("rows", frame.to_numpy(np.float32), codes, tuple(classes), tuple(columns), label)


def trained(x: Any = None, labels: Any = None, **changes: Any) -> portanet.TrainedModel:
    x = table("abc") if x is None else x
    return portanet.fit(NET, x, labels, **(FAST | changes))


def test_a_test_set_of_other_classes_is_scored_by_name() -> None:
    run, some = trained(), table("bc")
    right = float(np.mean(run.predict(some.x) == NAMES[CODES][np.isin(CODES, [1, 2])]))
    assert right > 0.9
    assert run.evaluate(some)["accuracy"] == right
    assert run.evaluate(some.x, some.labels)["accuracy"] == right
    assert float(np.mean(run.predict(some) == some.labels)) == right
    with pytest.raises(DataError, match=r"row 0: label 'd' .*classes: a, b, c"):
        run.evaluate(Dataset("rows", some.x, some.targets, ("d", "e"), some.columns))
    with pytest.raises(DataError, match=r"row 0: label 0 .*classes: a, b, c"):
        run.evaluate(some.x, some.targets)


def test_arrays_of_a_dataset_keep_its_classes() -> None:
    whole, some = table("abc"), table("bc")
    run = trained(whole.x, whole.labels)
    assert run.card.classes == ("a", "b", "c")
    assert run.evaluate(some.x, some.labels) == trained().evaluate(some)


@pytest.mark.parametrize("names", [("3", "7"), ("0", "1")])
def test_whole_numbers_of_a_file_are_answered_as_numbers(names: Any, tmp_path: Path) -> None:
    rows = CODES < 2
    data = Dataset("rows", X[rows].astype(np.float32), CODES[rows], names)
    for run in (portanet.fit(Sequential(Dense(2)), data, **FAST),):
        run = portanet.load(run.save(tmp_path / "m.safetensors"))
        found = run.predict(data.x)
        assert found.dtype == np.int32
        assert set(found.tolist()) == set(map(int, names))
        assert np.mean(found == data.labels) == np.mean(found == np.array(names, int)[CODES[rows]]) > 0.9
        assert run.evaluate(data)["accuracy"] == np.mean(found == data.labels)
        assert np.array_equal(run.predict(data, codes=True), np.searchsorted(np.array(names, int), found))
        assert run.evaluate(data.x, data.labels) == run.evaluate(data)


def test_digits_are_numbers() -> None:
    digits = portanet.read("mnist:test").rows(slice(0, 300))
    net = Sequential(nn.Rescale(1 / 255), nn.Flatten(), Dense(10))
    by_name = portanet.fit(net, digits, epochs=5)
    plain = portanet.fit(net, digits.x, digits.labels, epochs=5)
    assert np.array_equal(by_name.outputs(digits.x), plain.outputs(digits.x))
    assert np.array_equal(by_name.predict(digits), plain.predict(digits.x))
    assert (by_name.predict(digits.x) == digits.labels).mean() == plain.evaluate(digits.x, digits.labels)["accuracy"]
    assert (by_name.predict(digits.x) == digits.labels).mean() > 0.4


def test_frames_are_matched_by_name(tmp_path: Path) -> None:
    run = trained(FRAME, pd.Series(NAMES[CODES], name="kind"), valid=(FRAME[["z", "y", "x", "w"]], NAMES[CODES]))
    assert (run.card.columns, run.card.label) == (("w", "x", "y", "z"), "kind")
    assert run.history[-1]["valid_accuracy"] == run.evaluate(FRAME, NAMES[CODES])["accuracy"]
    run = portanet.load(run.save(tmp_path / "model.safetensors"))
    expected = run.outputs(X)
    for given in (FRAME, FRAME[["z", "y", "x", "w"]], X, FRAME.assign(kind="?")[["kind", "z", "y", "x", "w"]]):
        assert np.array_equal(run.outputs(given), expected)
    turned = Dataset("rows", X[:, ::-1].astype(np.float32), None, (), ("z", "y", "x", "w"))
    np.testing.assert_allclose(run.outputs(turned), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match=r"x .*column 'y' and 1 more"):
        run.predict(FRAME[["w", "x"]])
    with pytest.raises(DataError, match="x has no column 'z', which the model needs"):
        run.predict(FRAME.rename(columns={"z": "Z"}))


def test_more_columns_are_left_out_with_one_warning() -> None:
    run = trained(FRAME, NAMES[CODES])
    more = FRAME.assign(name="text", id=np.arange(60))[["id", "name", "z", "y", "x", "w"]]
    with pytest.warns(UserWarning, match="no column 'id' and 1 more; left out") as caught:
        found = run.outputs(more)
    assert len(caught) == 1
    assert np.array_equal(found, run.outputs(FRAME))
    run.predict(more)  # without a second one, which would be an error here


def test_tables_of_files_are_matched_by_name(tmp_path: Path) -> None:
    for name, columns in (("train", ["w", "x", "y", "z"]), ("test", ["z", "x", "w", "y"])):
        frame = FRAME[columns].assign(kind=NAMES[CODES])
        frame[frame["kind"] > ("a" if name == "test" else "")].to_csv(tmp_path / f"{name}.csv", index=False)
    train, test = (portanet.read(str(tmp_path / f"{name}.csv"), label="kind") for name in ("train", "test"))
    run = trained(train, valid=test)
    assert run.evaluate(test)["accuracy"] == run.history[-1]["valid_accuracy"] > 0.9
    assert np.mean(run.predict(test) == test.labels) == run.evaluate(test)["accuracy"]
    assert (run.card.columns, run.card.classes, run.card.label) == (tuple("wxyz"), tuple("abc"), "kind")


def test_mapped_tables_in_another_order_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    FRAME[["z", "y", "x", "w"]].to_csv(tmp_path / "turned.csv", index=False)
    run = trained()
    with pytest.raises(DataError, match=r"model\.card\.columns"):
        run.predict(portanet.read(str(tmp_path / "turned.csv"), mapped=True))
    again = portanet.read(str(tmp_path / "turned.csv"), mapped=True, columns=run.card.columns)
    assert np.array_equal(run.predict(again), run.predict(X))


def test_frames_of_several_types() -> None:
    frame = FRAME.assign(w=FRAME["w"] > 0, x=FRAME["x"].round().astype("Int64"), y=FRAME["y"].astype(object))
    run = trained(frame, NAMES[CODES])
    assert np.array_equal(run.outputs(frame), run.outputs(frame.astype(float)))
    for column, value, shown in (("y", "much", "'much'"), ("z", pd.Timestamp(0), "Timestamp|datetime")):
        with pytest.raises(DataError, match=f"column '{column}' holds .*({shown})"):
            run.predict(frame.assign(**{column: value}))


def test_frames_that_are_not_clear() -> None:
    with pytest.raises(DataError, match=r"labels 'w' .*columns of x"):
        trained(FRAME, FRAME["w"] > 0)
    with pytest.raises(DataError, match="two columns are named 'w'"):
        trained(FRAME.rename(columns={"x": "w"}), CODES)
    with pytest.raises(DataError, match="give labels as in"):
        trained(FRAME)
    with pytest.raises(DataError, match="there are no labels"):
        trained(FRAME, CODES).evaluate(FRAME)
    with pytest.raises(DataError, match="valid="):
        trained(table("abc"), table("abc"))
    with pytest.raises(DataError, match="rows has no labels"):
        trained(Dataset("rows", X))


def test_columns_that_are_numbered_are_named() -> None:
    run = trained(pd.DataFrame(X), CODES)
    assert run.card.columns == ("0", "1", "2", "3")
    assert np.array_equal(run.predict(pd.DataFrame(X)[[3, 1, 0, 2]]), run.predict(X))


def test_one_row_alone() -> None:
    run = trained()
    with pytest.raises(ModelError, match=r"got \(\); one row .* x\[None\]"):
        run.predict(X[0])
    assert run.predict(X[0][None]).shape == (1,)
    image = np.zeros((1, 4, 4), np.uint8)
    net = portanet.fit(Sequential(nn.Flatten(), Dense(2)), np.zeros((4, 1, 4, 4), np.uint8), [0, 1, 0, 1], epochs=1)
    with pytest.raises(ModelError, match=r"x\[None\]"):
        net.predict(image)


def test_training_further_keeps_the_order_of_the_classes() -> None:
    run = trained()
    some = table("bc")
    further = portanet.fit(NET, some, params=run.params, epochs=1)
    assert further.card.classes == ("a", "b", "c")
    assert further.evaluate(some)["accuracy"] > 0.9
    turned = FRAME[["z", "y", "x", "w"]]
    again = portanet.fit(NET, turned, NAMES[CODES], params=run.params, epochs=1)
    assert again.card.columns == ("w", "x", "y", "z")
    assert again.evaluate(turned, NAMES[CODES])["accuracy"] > 0.9


def mixed(rows: int = 60, first: int = 0) -> pd.DataFrame:
    """A table whose kinds follow from the names of cities alone."""
    cities = np.array(["Bonn", "Kiel", "Ulm"])[(np.arange(rows) + first) % 3]
    return pd.DataFrame({"city": cities, "size": np.arange(rows) * 0.5, "kind": NAMES[(np.arange(rows) + first) % 3]})


def test_categories_mean_what_they_meant_in_training(tmp_path: Path) -> None:
    frame = mixed()
    data = portanet.read(frame, label="kind")
    assert data.table is not None
    run = portanet.fit(Sequential(nn.Columns(data.table.kinds), Dense(3)), data, **(FAST | {"epochs": 40}))
    assert run.evaluate(data)["accuracy"] == 1.0
    run = portanet.load(run.save(tmp_path / "model.safetensors"))
    for some in (frame[["size", "city"]], frame.drop(columns="kind").iloc[1::3], frame[frame["city"] != "Bonn"]):
        expected = frame.loc[some.index, "kind"].to_numpy()
        assert np.array_equal(run.predict(some), expected)
        assert run.evaluate(some.drop(columns="kind", errors="ignore"), expected)["accuracy"] == 1.0
    own = portanet.read(frame[frame["city"] != "Bonn"], label="kind")
    with pytest.raises(DataError, match=r"column 'city' .* as in training; .*model\.card"):
        run.evaluate(own)
    again = portanet.read(frame[frame["city"] != "Bonn"], label="kind", table=run.card.table)
    assert run.evaluate(again)["accuracy"] == 1.0
