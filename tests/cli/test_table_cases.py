"""Tables in the shapes that people have: they train and predict as they come, and what is found is said."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Answer, Call

import portanet

SHORT = ("--epochs", 4, "--hidden", "16", "--backend", "numpy", "--out", "run")
RNG = np.random.default_rng(0)


def titanic(i: int) -> list[object]:
    who = [
        i + 1,
        i % 2,
        i % 3 + 1,
        f"Doe, Mx. Person {i}",
        ["male", "female"][i % 2],
        "" if i % 7 == 0 else 20 + i % 40,
    ]
    return [*who, i % 3, f"T {i * 37}", f"{i * 0.3:.2f}", "C85" if i % 4 == 0 else "", "SCQ"[i % 3]]


def california(i: int) -> list[object]:
    place = [f"-{118 + i % 5}.{i:02}", f"35.{i}", i % 50, "" if i % 9 == 0 else 100 + i * 7 % 300]
    return [*place, 1000 + i * i, ["NEAR BAY", "INLAND"][i % 2]]


def adult(i: int) -> list[object]:
    work = ["Private", "?", "State-gov"][i % 3]
    return [20 + i, work, 200_000 + i * 77, "HS-grad", i % 16, "<=50K" if i % 2 else ">50K"]


def bike(i: int) -> list[object]:
    return [i + 1, f"2011-{i // 28 + 1:02}-{i % 28 + 1:02}", f"0.{i * 7 % 60:02}", 2000 + i * 31 % 977]


def text(header: str, row: Callable[[int], list[object]], separator: str = ",") -> str:
    """60 rows below a header; cells with a comma are quoted."""
    lines = [[f'"{cell}"' if "," in str(cell) else str(cell) for cell in row(i)] for i in range(60)]
    return "\n".join([*([header] if header else []), *map(separator.join, lines)])


PASSENGERS = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Ticket,Fare,Cabin,Embarked"
BLOCKS = "longitude,latitude,age,total_bedrooms,median_house_value,ocean_proximity"
ACIDS = '"fixed acidity";"citric acid";"quality"'

TABLES: dict[str, tuple[str, str, list[str]]] = {
    "titanic.csv": (
        text(PASSENGERS, titanic),
        "Survived",
        [
            "left out: PassengerId",
            "Name (",
            "Ticket (",
            "Age ",
            "number",
            "missing",
            "Survived holds 2 distinct integers",
        ],
    ),
    "wine.csv": (
        text(ACIDS, lambda i: [7 + i % 9 / 10, f"0.{i % 10}5", 4 + i % 4], ";"),
        "quality",
        ["separated by ';'", "4 distinct integers: learned as a class"],
    ),
    "california.csv": (
        text(BLOCKS, california),
        "median_house_value",
        ["60 distinct integers: learned as a number", "ocean_proximity", "category"],
    ),
    "iris.data": (
        text("", lambda i: [5 + i % 7 / 10, f"3.{i % 9}", f"1.{i % 5}", ["setosa", "virginica"][i % 2]]),
        "4",
        ["no header: columns are numbered from 1", "4 holds text: learned as a class"],
    ),
    "adult.csv": (text("", adult, ", "), "6", ["no header", "missing", "2 classes: <=50K 30, >50K 30"]),
    "wdbc.csv": (
        text("id,diagnosis,radius_mean,", lambda i: [842300 + i, "MB"[i % 2], f"{8 + i * 7 % 11}.31", ""]),
        "diagnosis",
        ["left out: id (integers that rise by one from 842300)"],
    ),
    "bike.csv": (text("instant,dteday,temp,cnt", bike), "cnt", ["left out: instant", "dteday", "year-month-day"]),
}


def rows_of(answer: Answer) -> list[dict[str, str]]:
    assert answer.code == 0, answer.err
    return list(csv.DictReader(io.StringIO(answer.out)))


@pytest.mark.parametrize("name", TABLES)
def test_it_trains_as_it_comes_and_predicts(cli: Call, name: str) -> None:
    content, label, facts = TABLES[name]
    Path(name).write_text(content)
    answer = cli("train", name, "--label", label, *SHORT)
    assert answer.code == 0, answer.err
    assert [fact for fact in facts if fact not in answer.err] == []
    table = portanet.load("run").card.table
    assert table is not None
    rows = rows_of(cli("predict", "run", name))
    assert len(rows) == 60
    identifier = next((column.name for column in table.columns if column.kind == "id"), "Row")
    assert list(rows[0]) == [identifier, label]
    Path("packed.csv.gz").write_bytes(gzip.compress(content.encode()))
    assert rows_of(cli("predict", "run", "packed.csv.gz")) == rows


def test_identifiers_go_with_the_answers_as_the_file_has_them(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{i % 5},{i * 0.5},{'ab'[i % 2]},X{i:03}" for i in range(40)]
    Path("train.csv").write_text("\n".join(["a,b,label,code", *lines]))
    assert "left out: code (every value is different)" in cli("train", "train.csv", *SHORT).err
    new = "b;code;a\n" + "\n".join(f"{i / 2};{i:05};{i}" for i in range(3))
    Path("new.csv").write_text(new)
    answer = cli("predict", "run", "new.csv")
    assert [row["code"] for row in rows_of(answer)] == ["00000", "00001", "00002"]
    assert "code" not in answer.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(new.encode())))
    assert cli("predict", "run", "-").out == answer.out
    Path("new.csv").write_text("a,b\n1,2\n")
    assert list(rows_of(cli("predict", "run", "new.csv"))[0]) == ["Row", "label"]
    named = cli("train", "train.csv", "--column", "a=id", *SHORT[:-1], "other")
    assert named.code == 0
    assert next(iter(rows_of(cli("predict", "other", "train.csv"))[1].items())) == ("a", "1")
    assert list(rows_of(cli("predict", "other", "train.csv", "--id", "code"))[0]) == ["code", "label"]


def test_a_column_with_gaps_names_no_rows(cli: Call) -> None:
    lines = [f"{f'{i} Nm at {9000 - i}' if i else ''},{i * 0.5},{'ab'[i % 2]}" for i in range(40)]
    Path("train.csv").write_text("\n".join(["torque,b,label", *lines]))
    assert "left out: torque (every value is different)" in cli("train", "train.csv", *SHORT).err
    assert list(rows_of(cli("predict", "run", "train.csv"))[0]) == ["Row", "label"]


def test_the_form_of_a_date_is_a_kind(cli: Call) -> None:
    lines = [f"{i % 12 + 1}/{i * 5 % 12 + 1}/2020,{i},{'pq'[i % 2]}" for i in range(40)]
    Path("days.csv").write_text("\n".join(["day,n,label", *lines]))
    said = cli("data", "describe", "days.csv").out
    [words] = [line for line in said.splitlines() if "--column" in line]
    option = words.partition("--column ")[2].split(",")[0].rstrip(")")
    assert "day  date  day.month.year" in cli("data", "describe", "days.csv", "--column", option).out
    assert cli("train", "days.csv", "--column", option, *SHORT).code == 0
    assert cli("rerun", "run", "--json").json["equal"]


def test_kinds_are_for_training_and_hold_for_what_it_validates_on(cli: Call) -> None:
    options = ("--column", "a=drop", "--valid", "flowers.csv")
    assert cli("train", "flowers.csv", *options, *SHORT).code == 0
    assert portanet.load("run").card.columns == ("b", "c", "d")
    for command in ("predict", "evaluate"):
        answer = cli(command, "run", "flowers.csv", "--column", "b=drop")
        assert answer.code == 1
        assert "'b'" in answer.err
        assert "leave out --column" in answer.err


def test_sorted_by_class_with_a_row_number(cli: Call) -> None:
    """An identifier that rises with the class would be all that a network learns."""

    def write(name: str, classes: Any) -> None:
        rng = np.random.default_rng(len(name))
        lines = [
            f"{i + 1},{c + rng.normal(0, 0.2):.2f},{-c + rng.normal(0, 0.2):.2f},k{c}" for i, c in enumerate(classes)
        ]
        Path(name).write_text("\n".join(["Id,a,b,Species", *lines]))

    write("sorted.csv", np.repeat([0, 1, 2], 50))
    write("new.csv", np.arange(30) % 3)
    words = ("--hidden", "16", "--epochs", 30, "--backend", "numpy", "--out", "run")
    answer = cli("train", "sorted.csv", "--label", "Species", *words)
    assert "left out: Id (integers that rise by one from 1)" in answer.err
    assert cli("evaluate", "run", "new.csv", "--json").json["accuracy"] >= 0.9


def test_the_kinds_of_a_wide_table_are_cut_short(cli: Call) -> None:
    header = ",".join([*(f"c{i}" for i in range(40)), "label"])
    Path("wide.csv").write_text(
        "\n".join([header, *(",".join(f"{i * j % 7}.5" for j in range(40)) + f",{i % 2}" for i in range(20))])
    )
    answer = cli("train", "wide.csv", *SHORT)
    assert answer.err.count("\n  ") == 20
    assert "\n  and 15 more columns" in answer.err
