"""portanet predict on the files that people have: empty answers, new answers, columns to carry along."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from console import Call, write_csv


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def rewritten(source: str, new: str, /, **columns: list[object]) -> str:
    """A copy of a file with columns replaced, or more of them at the front."""
    rows = table(Path(source).read_text())
    header = [*(column for column in columns if column not in rows[0]), *rows[0]]
    whole: dict[str, list[object]] = {column: [row[column] for row in rows] for column in rows[0]}
    whole |= columns
    write_csv(Path(new), header, zip(*(whole[column] for column in header), strict=True))
    return new


@pytest.mark.parametrize("label", ["", "?", "NA", "rose", "7"])
def test_what_is_in_the_label_column_does_not_matter(cli: Call, label: str) -> None:
    expected = cli("predict", "flowers", "bare.csv").out
    answer = cli("predict", "flowers", rewritten("flowers.csv", "own.csv", label=[label] * 90))
    assert (answer.code, answer.out, answer.err) == (0, expected, "")


def test_empty_answers_of_images(cli: Call) -> None:
    expected = cli("predict", "digits", "unknown.csv").out
    assert cli("predict", "digits", rewritten("digits.csv", "own.csv", label=[""] * 80)).out == expected


def test_empty_numbers_to_predict(cli: Call) -> None:
    assert (
        cli("train", "numbered.csv", "--task", "regress", "--epochs", 1, "--backend", "numpy", "--out", "n").code == 0
    )
    expected = cli("predict", "n", "numbered.csv").out
    assert cli("predict", "n", rewritten("numbered.csv", "own.csv", label=[""] * 60)).out == expected


def test_labels_beside_the_rows_do_not_matter(cli: Call) -> None:
    with np.load("table.npz") as file:
        np.savez("own.npz", x=file["x"], y=np.full(90, "rose"))
    assert cli("predict", "flowers", "own.npz").out == cli("predict", "flowers", "table.npz").out


def test_more_columns_are_left_out_with_a_note(cli: Call) -> None:
    expected = cli("predict", "flowers", "bare.csv").out
    names: list[object] = [f"plant {i}, of 90" for i in range(90)]
    for label in ({}, {"label": [""] * 90}):
        data = rewritten("flowers.csv", "own.csv", name=names, height=list(range(90)), **label)
        answer = cli("predict", "flowers", data)
        assert (answer.code, answer.out) == (0, expected)
        assert answer.err.count("\n") == 1
        for fact in ("own.csv", "name", "height"):
            assert fact in answer.err


def test_an_identifier_is_carried_along(cli: Call) -> None:
    names: list[object] = [f'{i:03}, "plant"' for i in range(90)]
    expected = [row["label"] for row in table(cli("predict", "flowers", "bare.csv").out)]
    data = rewritten("flowers.csv", "own.csv", name=names, label=[""] * 90)
    answer = cli("predict", "flowers", data, "--id", "name")
    rows = table(answer.out)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("name,label\n")
    assert [row["name"] for row in rows] == names
    assert [row["label"] for row in rows] == expected
    shares = table(cli("predict", "flowers", data, "--id", "name", "--probabilities").out)
    assert list(shares[0])[:3] == ["name", "label", "probability_setosa"]
    assert cli("predict", "flowers", data, "--id", "name", "--out", "answers.csv").code == 0
    assert Path("answers.csv").read_text() == answer.out


def test_an_identifier_of_images(cli: Call) -> None:
    data = rewritten("digits.csv", "own.csv", label=[f"image{i}" for i in range(80)])
    rows = table(cli("predict", "digits", data, "--id", "label").out)
    assert [row["label"] for row in rows] == [f"image{i}" for i in range(80)]


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ("bare.csv --id nmae", ["bare.csv has no column 'nmae'", "a, b, c, d"]),
        ("table.npz --id name", ["table.npz", "no columns", "leave out --id"]),
    ],
)
def test_refused(cli: Call, words: str, facts: list[str]) -> None:
    answer = cli("predict", "flowers", *words.split())
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.count("\n") == 1
    for fact in facts:
        assert fact in answer.err


def test_rows_of_an_identifier_are_those_of_the_answers(cli: Call) -> None:
    """Blank lines are no rows for either."""
    lines = Path(rewritten("bare.csv", "own.csv", name=[f"p{i}" for i in range(90)])).read_text().splitlines()
    Path("gaps.csv").write_text("\n".join([*lines[:5], "", *lines[5:], "", ""]))
    expected = cli("predict", "flowers", "own.csv", "--id", "name").out
    assert cli("predict", "flowers", "gaps.csv", "--id", "name").out == expected


def test_a_dash_is_stdout(cli: Call) -> None:
    expected = cli("predict", "flowers", "bare.csv").out
    assert cli("predict", "flowers", "bare.csv", "--out", "-").out == expected
    assert not Path("-").exists()
