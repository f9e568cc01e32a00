"""A table's columns as named inputs of a graph, before they become a matrix of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from portanet._text import listed
from portanet.data import categories
from portanet.data.cells import INTEGER
from portanet.data.columns import TRUTHS
from portanet.data.labels import shortest
from portanet.export.calendar import EARLIEST, LATEST, Traced, date_parts
from portanet.export.graph import Graph
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import CATEGORY, CLOCK, DATE, NUMBER, TIME, YES_NO, Column, Schema


def add_columns(graph: Graph, card: ModelCard, table: Schema) -> str:
    """Add an input (N, 1) for each column that the model uses; return the matrix (N, D) that the model takes.

        number    float32, or float64 if float32 would merge numbers; NaN is missing
        category  text, with its code from training; 0 for any other text, such as missing and new values
        yes/no    text: the values from training, and other words for no and yes, as in `codes_of`
        date      int64, the seconds since 1970-01-01 00:00 in local time as written, in any time zone: NumPy's
                  `datetime64[s]` as integers. NaT, and dates outside the years 1 to 9999, are missing

    ONNX's own operators do not compare text; LabelEncoder is from the domain ai.onnx.ml. Text must have no surrounding
    spaces. The matrix has the dtype `matrix_dtype`.
    """
    dtype, place, parts = matrix_dtype(card), 0, []
    for column in table.used:
        width = len(column.parts)
        wide = column.wide or any(card.offsets[place : place + width]) or (table.wide and card.dtype == "float64")
        name = graph.add_input(column.name, input_dtype(column, wide=wide), (1,))
        graph.about[name] = told(column)
        values = _WRITERS[column.kind](graph, column, name)
        parts += [graph.add(column.name, "Cast", value, to=dtype) for value in values]
        place += width
    matrix = graph.add("", "Concat", *parts, axis=1)
    if dtype != "float32":
        graph.raw[matrix] = dtype
    return matrix


def matrix_dtype(card: ModelCard) -> str:
    """The dtype of a model's rows: uint8 for pixels; float64 if the model or its offsets need it; else float32."""
    if card.offsets or (card.dtype == "float64" and not card.pixels):
        return "float64"
    return "uint8" if card.pixels else "float32"


def input_dtype(column: Column, *, wide: bool) -> str:
    """The NumPy name of the dtype of a column's input."""
    if column.kind == NUMBER:
        return "float64" if wide else "float32"
    return "int64" if column.kind == DATE else "str"


def codes_of(column: Column) -> dict[str, int]:
    """Return the known texts of a category with their codes.

    Besides its values they are numbers for padded codes, such as 1067 for 01067; integers with ".0", as frames write
    them if a value is missing; and for yes/no the other words for these, in lower, upper and title case.
    """
    codes = categories.codes_of(column.values)
    for text, code in list(codes.items()):
        if INTEGER.fullmatch(text) and shortest(f"{text}.0") == text:
            codes.setdefault(f"{text}.0", code)
    if column.kind == YES_NO:
        for code, words in enumerate(TRUTHS, 1):
            for word in words:
                for text in (word, word.upper(), word.capitalize()):
                    codes.setdefault(text, code)
    return codes


def told(column: Column) -> str:
    """Return a description of an input."""
    if column.kind == NUMBER:
        return f"a number{f' in {column.sign}' if column.sign else ''}; NaN is missing"
    if column.form == CLOCK:
        return "a time of day: seconds since midnight, or datetime64[s] in integers; NaT is missing"
    if column.kind == DATE:
        return "seconds since 1970-01-01 00:00, as datetime64[s] in integers; NaT is missing"
    return f"text: {listed(column.values, repr)}; any other is missing or new"


def _number(graph: Graph, column: Column, name: str) -> Sequence[str]:
    return [name]


def _category(graph: Graph, column: Column, name: str) -> Sequence[str]:
    codes = codes_of(column)
    return [
        graph.add(
            column.name, "LabelEncoder", name,
            keys_strings=list(codes), values_int64s=list(codes.values()), default_int64=0,
        )
    ]  # fmt: skip


def _date(graph: Graph, column: Column, name: str) -> Sequence[str]:
    def constant(label: str, number: float, dtype: type) -> str:
        return graph.constant(f"{column.name}.{label}", np.array(number, dtype))

    inside = graph.add(
        column.name, "And",
        graph.add(column.name, "GreaterOrEqual", name, constant("earliest", EARLIEST, np.int64)),
        graph.add(column.name, "LessOrEqual", name, constant("latest", LATEST, np.int64)),
    )  # fmt: skip
    seconds = graph.add(column.name, "Cast", name, to="float64")
    seconds = graph.add(column.name, "Where", inside, seconds, constant("missing", np.nan, np.float64))
    parts = date_parts(Traced(graph, column.name, seconds), timed=column.form.endswith((CLOCK, TIME)))
    return [part.name for part in parts[-len(column.parts) :]]


_WRITERS: dict[str, Callable[[Graph, Column, str], Sequence[str]]] = {
    NUMBER: _number, CATEGORY: _category, YES_NO: _category, DATE: _date,
}  # fmt: skip
