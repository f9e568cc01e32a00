"""Tables as ONNX: named columns with text, gaps, dates and new values, run by onnxruntime against the model here."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import mixed_table
import numpy as np
import pandas as pd
import pytest

import portanet.export
from portanet import TrainedModel, fit, nn, read
from portanet.data.source import read_cells
from portanet.errors import ModelError
from portanet.export.calendar import EARLIEST, LATEST, Traced, date_parts
from portanet.export.graph import Graph, Value
from portanet.export.onnx import load_onnx, onnx_bytes
from portanet.export.table_inputs import codes_of
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Column
from portanet.training.fit import fit_spec
from portanet.training.presets import PRESETS
from portanet.training.trained.verify import differences

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module", params=["float32", "float64", "preset"])
def run(request: Any, tmp_path_factory: Any) -> TrainedModel:
    folder = tmp_path_factory.mktemp("rows")
    if request.param != "preset":
        return mixed_table.trained(folder, dtype=request.param)
    data = mixed_table.training_data(folder)
    card = ModelCard(data.x.shape[1:], classes=data.classes, columns=data.columns, table=data.table)
    spec = replace(PRESETS["table"].for_data(card), epochs=3, valid=0.0, callbacks=())
    return fit_spec(spec, nn.Sequential(*spec.layers), data)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_rows_that_training_did_not_have_are_answered_as_here(run: TrainedModel, count: int, tmp_path: Path) -> None:
    rows = mixed_table.new_rows()[:count]
    here = read(mixed_table.write(tmp_path / "new.csv", rows), table=run.card.table, labelled=False)
    assert here.x.dtype == np.float64  # as the grid needs
    answers = load_onnx(run.save(tmp_path / "model.onnx"))(mixed_table.columns_of(rows))
    assert answers["probabilities"].dtype == np.float32
    np.testing.assert_allclose(answers["probabilities"], run.probabilities(here), rtol=0, atol=1e-5)
    assert answers["label"].tolist() == run.predict(here).tolist()


def test_the_reference_implementation_of_onnx_answers_alike(run: TrainedModel, tmp_path: Path) -> None:
    """So the file says what it means by ONNX's own specification, not just as onnxruntime reads it."""
    rows = mixed_table.new_rows()
    model = onnx.load(run.save(tmp_path / "model.onnx"))
    kinds = {1: np.float32, 7: np.int64, 8: object, 11: np.float64}  # by their numbers in TensorProto
    given = {
        value.name: column.astype(kinds[value.type.tensor_type.elem_type])[:, None]
        for value, column in zip(model.graph.input, mixed_table.columns_of(rows), strict=True)
    }
    label, probabilities = pytest.importorskip("onnx.reference").ReferenceEvaluator(model).run(None, given)
    here = read(mixed_table.write(tmp_path / "new.csv", rows), table=run.card.table, labelled=False)
    np.testing.assert_allclose(probabilities, run.probabilities(here), rtol=0, atol=1e-5)
    assert np.asarray(label).tolist() == run.predict(here).tolist()


def test_no_rows_have_no_answers(run: TrainedModel, tmp_path: Path) -> None:
    none = [column[:0] for column in mixed_table.columns_of(mixed_table.new_rows())]
    answers = load_onnx(run.save(tmp_path / "model.onnx"))(none)
    assert {name: answer.shape for name, answer in answers.items()} == {"label": (0,), "probabilities": (0, 2)}


def test_every_column_counts(run: TrainedModel, tmp_path: Path) -> None:
    """A column that did not reach the network would agree with a model that has not learned from it."""
    answer = load_onnx(run.save(tmp_path / "model.onnx"))
    columns = mixed_table.columns_of(mixed_table.training_rows(40))
    before = answer(columns)["probabilities"]
    for i, column in enumerate(columns):
        turned = [*columns[:i], column[::-1], *columns[i + 1 :]]
        assert np.abs(answer(turned)["probabilities"] - before).max() > 1e-4, i


def test_inputs_are_named_typed_and_told(run: TrainedModel, tmp_path: Path) -> None:
    path = run.save(tmp_path / "model.onnx")
    model = onnx.load(path)
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    kind = onnx.TensorProto
    number = kind.DOUBLE if run.dtype == "float64" else kind.FLOAT
    assert types == {
        "size": number, "grid": kind.DOUBLE, "colour": kind.STRING, "town": kind.STRING, "smoker": kind.STRING,
        "zip": kind.STRING, "day": kind.INT64, "seen at": kind.INT64, "month": kind.INT64, "opens": kind.INT64,
    }  # fmt: skip
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"
        assert value.doc_string
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert facts["classes"] == ["high", "low"]
    assert facts["columns"] == list(types)
    entry = next(entry for entry in facts["inputs"] if entry["input"] == "colour")
    assert (entry["kind"], entry["values"]) == ("category", ["blue", "grün", "red"])
    assert set(facts["outputs"]) == {"label", "probabilities"}
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", 17), ("ai.onnx.ml", 3)}
    assert path.read_bytes() == run.save(tmp_path / "again.onnx").read_bytes()


def test_the_example_of_a_data_frame_runs(run: TrainedModel, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    run.save("model.onnx")
    mixed_table.write(tmp_path / "new.csv", mixed_table.new_rows())
    frame = pd.read_csv("new.csv", parse_dates=["seen at"], dtype={"zip": str})
    for name in ("day", "month"):
        frame[name] = frame[name].astype("datetime64[s]")
    frame["opens"] = pd.to_datetime("1970-01-01 " + frame["opens"])
    [example] = re.findall(r"```py\n(.*?)```", portanet.export.__doc__ or "", re.DOTALL)
    names: dict[str, Any] = {"frame": frame, "onnxruntime": pytest.importorskip("onnxruntime")}
    exec(example, names)
    here = read(tmp_path / "new.csv", table=run.card.table, labelled=False)
    np.testing.assert_allclose(names["answers"][1], run.probabilities(here), rtol=0, atol=1e-5)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"colour": ["red", "\udcff"] * 4}, dtype=object)
    run = fit(nn.Sequential(nn.Columns(), nn.Dense(2)), frame, np.arange(8) % 2, epochs=1)
    with pytest.raises(ModelError, match="Unicode"):
        run.save(tmp_path / "model.onnx")


def test_intervals_are_in_the_unit_of_the_targets(tmp_path: Path) -> None:
    rows = mixed_table.training_rows()
    mixed_table.write(tmp_path / "rows.csv", rows)
    data = read(tmp_path / "rows.csv", label="grid", task="regress", kinds=mixed_table.KINDS)
    model = nn.Sequential(nn.Columns(), nn.Dense(8), nn.Tanh(), nn.Dense(3))
    run = fit(model, data, loss=nn.Quantile((0.05, 0.5, 0.95)), valid=0.3, epochs=3)
    path = run.save(tmp_path / "model.onnx")
    cells = read_cells(tmp_path / "rows.csv", run.card.table, label="grid")  # type: ignore[arg-type]
    answers = load_onnx(path)(list(cells.values()))
    assert list(answers) == ["prediction", "lower", "upper"]
    np.testing.assert_allclose(answers["prediction"] - 1e9, run.predict(data) - 1e9, rtol=1e-5, atol=1e-5)
    found = differences(run, path, data, cells)
    assert list(found) == ["prediction", "lower", "upper"]
    assert max(found.values()) < 1e-5
    other = fit(model, data, loss=nn.Quantile((0.05, 0.5, 0.95)), valid=0.3, epochs=1)
    assert min(differences(other, path, data, cells).values()) > 1e-3  # differences are seen


@pytest.mark.parametrize(
    ("names", "inputs"),
    [(["day", "seen at"], None), (["seen at"], None), (["size"], None), (["grid"], ["input"])],
    ids=["dates with gaps", "dates", "numbers with gaps", "numbers"],
)
def test_only_numbers_without_gaps_are_a_matrix(names: list[str], inputs: list[str] | None, tmp_path: Path) -> None:
    rows = [{name: row[name] for name in [*names, "label"]} for row in mixed_table.training_rows()]
    path = mixed_table.write(tmp_path / "rows.csv", rows)
    data = read(path)
    run = fit(nn.Sequential(nn.Columns(), nn.Dense(2)), data, epochs=2)
    model = run.save(tmp_path / "model.onnx")
    assert [value.name for value in onnx.load(model).graph.input] == (inputs or names)
    cells = None if inputs else read_cells(path, run.card.table, label="label")  # type: ignore[arg-type]
    assert differences(run, model, data, cells)["probabilities"] < 1e-6


def test_a_column_called_like_an_output_gets_a_number(tmp_path: Path) -> None:
    """Whatever its model's outputs are, so that it has the same name in each."""
    lines = [f"{i % 7},{'red' if i % 2 else 'blue'},{'yes' if i % 3 else 'no'}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("prediction,probabilities,label\n" + "\n".join(lines) + "\n")
    data = read(tmp_path / "rows.csv")
    run = fit(nn.Sequential(nn.Columns(), nn.Dense(2)), data, epochs=2)
    graph = onnx.load(run.save(tmp_path / "model.onnx")).graph
    assert [value.name for value in graph.input] == ["prediction_2", "probabilities_2"]
    assert [value.name for value in graph.output] == ["label", "probabilities"]
    cells = read_cells(tmp_path / "rows.csv", run.card.table)  # type: ignore[arg-type]
    assert differences(run, tmp_path / "model.onnx", data, cells)["probabilities"] < 1e-6


def test_texts_of_categories_and_truths() -> None:
    codes = codes_of(Column("zip", "category", values=("07", "8", "x")))
    assert codes == {"07": 1, "7": 1, "7.0": 1, "8": 2, "8.0": 2, "x": 3}
    codes = codes_of(Column("smoker", "yes/no", values=("no", "yes")))
    assert (codes["no"], codes["yes"]) == (1, 2)
    assert {codes[text] for text in ("False", "OFF", "0", "n")} == {1}
    assert {codes[text] for text in ("True", "ON", "1", "Y")} == {2}


MOMENTS = [
    datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59), datetime.datetime(2000, 2, 29, 12),
    datetime.datetime(1900, 2, 28), datetime.datetime(1900, 3, 1), datetime.datetime(1969, 12, 31, 23, 59, 59),
    datetime.datetime(1970, 1, 1), datetime.datetime(2023, 12, 31), datetime.datetime(2024, 1, 1),
]  # fmt: skip


def test_the_calendar_is_that_of_python(tmp_path: Path) -> None:
    epoch, rng = datetime.datetime(1970, 1, 1), np.random.default_rng(2)
    seconds = [int((moment - epoch).total_seconds()) for moment in MOMENTS]
    seconds += rng.integers(EARLIEST, LATEST, 3000).tolist()
    assert seconds[:2] == [EARLIEST, LATEST]
    moments = [epoch + datetime.timedelta(seconds=each) for each in seconds]
    expected = [
        [each.year, each.month, each.weekday(), each.toordinal() - epoch.toordinal(),
         each.hour + each.minute / 60 + each.second / 3600]
        for each in moments
    ]  # fmt: skip
    given = np.array(seconds, np.float64)
    np.testing.assert_allclose(np.stack(date_parts(given, timed=True), axis=1), expected, rtol=1e-12, atol=1e-12)
    graph = Graph()
    x = graph.add("", "Identity", graph.add_input("seconds", "float64", ()))
    parts = [part.name for part in date_parts(Traced(graph, "day", x), timed=True)]
    graph.outputs += [Value(name, "float64", ()) for name in parts]
    (tmp_path / "model.onnx").write_bytes(onnx_bytes(graph, {}))
    answers = load_onnx(tmp_path / "model.onnx")(given)
    np.testing.assert_allclose(np.stack(list(answers.values()), axis=1), expected, rtol=1e-12, atol=1e-12)
