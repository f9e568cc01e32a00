"""Currencies, percent and units beside numbers: read as numbers of one unit, and never as those of two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import Dataset, read
from portanet.data.cells import number_of
from portanet.data.signs import sign_of
from portanet.errors import DataError
from portanet.storage.schema import Dialect, Schema

pandas = pytest.importorskip("pandas")

AMOUNTS = np.random.default_rng(4).integers(1, 99_999, 60) / 4
WRITTEN: dict[str, tuple[Callable[[float], str], str]] = {
    "dollars": (lambda v: f"${v:,.2f}", "$"),
    "behind": (lambda v: f"{v:.2f} €", "€"),
    "code": (lambda v: f"{v:,.2f} USD", "USD"),
    "of a country": (lambda v: f"R$ {v:,.2f}", "R$"),
    "losses": (lambda v: f"({v - 1e4:,.2f} £)".replace("-", "") if v < 1e4 else f"{v - 1e4:,.2f} £", "£"),
    "minus": (lambda v: f"${v - 1e4:,.2f}".replace("$-", "-$"), "$"),
    "percent": (lambda v: f"{v}%", "%"),
    "unit": (lambda v: f"{v} km", "km"),
    "unit of thousands": (lambda v: f"{v:,.2f} mi.", "mi."),
    "area": (lambda v: f"{v}m²", "m²"),
    "two words": (lambda v: f"{v:.2f} sq. ft.", "sq. ft."),
    "ratio": (lambda v: f"{v} km/l", "km/l"),
    "negative": (lambda v: f"{v - 1e4:.2f}°C", "°C"),
}


def table(path: Path, **columns: Any) -> tuple[Any, Path]:
    """The columns with a label, as a frame and as a file."""
    frame = pandas.DataFrame({**columns, "label": np.resize(["p", "q"], len(AMOUNTS))})
    frame.to_csv(path, index=False)
    return frame, path


def notes(data: Dataset) -> str:
    return "\n".join(data.notes)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_column_with_a_sign_holds_numbers(name: str, tmp_path: Path) -> None:
    write, sign = WRITTEN[name]
    expected = AMOUNTS - 1e4 * (name in ("losses", "minus", "negative"))
    for source in table(tmp_path / "t.csv", price=[write(value) for value in AMOUNTS]):
        data = read(source)
        assert data.table is not None
        [column] = data.table.columns
        assert (column.kind, column.sign) == ("number", sign)
        np.testing.assert_allclose(data.x[:, 0], np.round(expected, 2))
        assert f"price (in {sign})" in notes(data)
        assert Schema.from_dict(data.table.to_dict()) == data.table


def test_a_decimal_comma_is_found_in_numbers_with_signs(tmp_path: Path) -> None:
    lines = [f"{value:,.2f} €;{share:.1f} %" for value, share in zip(AMOUNTS, AMOUNTS / 1e3, strict=True)]
    german = [line.translate(str.maketrans(",.", ".,")) for line in lines]
    (tmp_path / "t.csv").write_text(
        "\n".join(["preis;anteil;label", *(f"{line};{'ab'[i % 2]}" for i, line in enumerate(german))])
    )
    data = read(tmp_path / "t.csv")
    np.testing.assert_allclose(data.x[:, 0], np.round(AMOUNTS, 2), rtol=1e-6)
    np.testing.assert_allclose(data.x[:, 1], np.round(AMOUNTS / 1e3, 1), atol=1e-6)


def test_later_rows_are_read_in_the_same_sign(tmp_path: Path) -> None:
    """Without a sign they are taken to have it, and counted; with another one they are a fault, or missing."""
    _, path = table(tmp_path / "t.csv", price=[f"${value:,.2f}" for value in AMOUNTS])
    known = read(path).table
    rows = pandas.DataFrame({"price": ["$5", "6", "1,000.50", ""]})
    for source in (rows, rows.iloc[:3].assign(price=[5.0, 6.0, 1000.5])):
        data = read(source, table=known, labelled=False)
        np.testing.assert_array_equal(data.x[:3, 0], [5.0, 6.0, 1000.5])
        count = 2 if source is rows else 3
        assert f"price: {count} cells without $, taken as $" in notes(data)
    for other in ("€5", "5%", "$ 5 $", "$five", "$1,5"):
        rows = pandas.DataFrame({"price": ["$5", other]})
        rows.to_csv(tmp_path / "new.csv", index=False)
        for source in (rows, tmp_path / "new.csv"):
            with pytest.raises(DataError, match="is not a number in") as caught:
                read(source, table=known, labelled=False)
            assert repr(other) in str(caught.value)
            data = read(source, table=known, labelled=False, coerce=True)
            assert np.isnan(data.x[1, 0])


def test_two_currencies_are_not_one_number(tmp_path: Path) -> None:
    mixed = [f"{'$€'[i % 2]}{value:.0f}" for i, value in enumerate(AMOUNTS)]
    half = [f"{value:.0f}{'%' if i % 2 else ''}" for i, value in enumerate(AMOUNTS)]
    few = [f"{'$€'[i % 2]}{i % 4}" for i in range(60)]
    for source in table(tmp_path / "t.csv", price=mixed, share=half, few=few, n=AMOUNTS):
        data = read(source)
        assert data.table is not None
        assert [column.kind == "number" for column in data.table.columns] == [False, False, False, True]
        assert "numbers in $, €" in notes(data)
        assert "numbers in %, no sign" in notes(data)
        assert "taken as category: few (numbers in $, €)" in notes(data)
        with pytest.raises(DataError, match="is not a number in"):
            read(source, kinds={"price": "number"})


def test_a_column_of_two_units_or_of_words_is_text(tmp_path: Path) -> None:
    """It was read so before units were, and is not refused: what becomes of them is for the user to say."""
    two = [f"{value} {'km/kg' if i == 7 else 'kmpl'}" for i, value in enumerate(AMOUNTS)]
    words = ["on request" if i == 7 else f"{value} bhp" for i, value in enumerate(AMOUNTS)]
    classes = [f"{1 + i % 3}{('st', 'nd', 'rd')[i % 3]}" for i in range(len(AMOUNTS))]
    for source in table(tmp_path / "t.csv", two=two, words=words, klass=classes):
        data = read(source)
        assert data.table is not None
        assert [column.kind for column in data.table.columns] == ["id", "id", "category"]
        assert "two (every value is different, numbers in kmpl, km/kg)" in notes(data)
        assert "klass" not in notes(data)
        chosen = read(source, kinds={"two": "number"}, coerce=True)
        assert np.isnan(chosen.x[:, 0]).sum() == 1


def test_labels_of_which_a_few_are_numbers_with_units_are_text(tmp_path: Path) -> None:
    kinds = [("2seater", "suv", "pickup")[i % 3] for i in range(len(AMOUNTS))]
    for source in table(tmp_path / "t.csv", kind=kinds, n=AMOUNTS):
        assert read(source, label="kind", task="auto").notes[-1] == "kind holds text: learned as a class"


def test_distinct_codes_under_the_name_of_an_identifier_are_one(tmp_path: Path) -> None:
    codes = [f"{100 + 7 * i}A" for i in range(len(AMOUNTS))]
    for source in table(tmp_path / "t.csv", id=codes, n=AMOUNTS):
        data = read(source)
        assert data.table is not None
        assert [column.kind for column in data.table.columns] == ["id", "number"]


def test_labels_with_a_sign_are_numbers_to_predict(tmp_path: Path) -> None:
    for source in table(tmp_path / "t.csv", price=[f"${value:,.2f}" for value in AMOUNTS], n=AMOUNTS):
        for task in ("auto", "regress"):
            data = read(source, label="price", task=task)
            np.testing.assert_allclose(data.targets, np.round(AMOUNTS, 2), rtol=1e-6)
        assert "learned as a number in $" in notes(read(source, label="price", task="auto"))
        assert len(read(source, label="price", task="classify").classes) > 20
        two = read(source, label=["price", "n"], task="regress")
        np.testing.assert_allclose(two.targets, np.stack([np.round(AMOUNTS, 2), AMOUNTS], axis=1), rtol=1e-6)
    for source in table(tmp_path / "t.csv", price=[f"{'$€'[i % 2]}{i}" for i in range(60)], n=AMOUNTS):
        with pytest.raises(DataError, match="not one unit"):
            read(source, label="price", task="regress")
        assert "holds text" in notes(read(source, label="price", task="auto"))


def test_text_beside_digits_is_no_sign() -> None:
    for text in (
        "5th",
        "km 5",
        "5_a",
        "2h 50m",
        "5 to 6",
        "5 x 6",
        "1 km (new)",
        "T 8364",
        "$",
        "%",
        "12A",
        "1. White",
        "0e",
        "A5",
        "$5-10",
        "1/2",
        "50% off",
        "",
        "($5",
        "USD EUR 5",
    ):
        sign = sign_of(text)
        assert not sign or number_of(text, Dialect(), sign) is None, text


def test_marks_between_thousands_stand_between_thousands() -> None:
    dialect = Dialect(thousands=",")
    texts = {"1,234": 1234.0, "12,34,567.5": 1234567.5, "1,23": None, "1,2": None, ",123": None, "1234,567": None}
    assert {text: number_of(text, dialect) for text in texts} == texts
