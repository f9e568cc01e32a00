"""What stands above a table, and lines that begin with #."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from portanet import read
from portanet.errors import DataError

BODY = "".join(f"{i % 7};x{i % 3};{'yes' if i % 2 else 'no'}\n" for i in range(30))


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_excels_line_of_the_separator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool, newline: str, encoding: str
) -> None:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.csv"
    text = "a;town;label\n" + BODY
    path.write_text("sep=;\n" + text, encoding=encoding, newline=newline)
    data = read(path, mapped=mapped)
    (tmp_path / "b.csv").write_text(text)
    plain = read(tmp_path / "b.csv")
    assert data.columns == ("a", "town")
    assert data.x.tolist() == plain.x.tolist()
    assert data.require_labels().tolist() == plain.require_labels().tolist()


def test_the_separator_that_is_named_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=|\n" + "a,b|label\n" + "".join(f"{i},5|{'xy'[i % 2]}\n" for i in range(30)))
    data = read(path)
    assert data.columns == ("a,b",)


def test_lines_are_counted_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\na;town;label\n" + BODY + "1;2\n")
    with pytest.raises(DataError, match=r"row 31 \(line 33\): 2 cells"):
        read(path)


def test_excels_errors_are_not_comments(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    cells = [f"{error},1,x" for error in ("#DIV/0!", "#REF!", "#N/A", "#NAME?")]
    path.write_text("n,m,label\n# a comment\n" + "\n".join([*cells, *(f"{i}.5,{i},y" for i in range(60))]))
    with pytest.raises(DataError, match=r"row 1 \(line 3\), column 'n': '#DIV/0!' is not a number and 2 more"):
        read(path)
    assert len(read(path, coerce=True)) == 64


def test_values_that_begin_with_a_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("colour,label\n" + "".join(f"#{'f0' * (1 + i % 3)},{'xy'[i % 2]}\n" for i in range(30)))
    data = read(path)
    assert len(data) == 30
    assert data.table is not None
    assert data.table.columns[0].values == ("#f0", "#f0f0", "#f0f0f0")


def test_a_row_that_names_the_label_is_a_header(tmp_path: Path) -> None:
    """Though the other names are numbers, as years are; a label's number names no column of a header."""
    path = tmp_path / "a.csv"
    rows = "".join(f"x{i % 3},{i * i},{i % 5},{i % 2}\n" for i in range(30))
    path.write_text("town,1999,2000,grown\n" + rows)
    data = read(path, label="grown")
    assert (data.columns, len(data)) == (("town", "1999", "2000"), 30)
    path.write_text("x1,1,2,4\n" + rows)
    data = read(path, label="4")
    assert (data.columns, len(data)) == (("1", "2", "3"), 31)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_first_accent_decides_the_encoding_wherever_it_is(tmp_path: Path, encoding: str, suffix: str) -> None:
    path = tmp_path / f"a.csv{suffix}"
    lines = ["town,label", *(f"{'north of the river' * 8},{'xy'[i % 2]}" for i in range(9000)), "Köln,x"]
    content = "\n".join(lines).encode(encoding)
    path.write_bytes(gzip.compress(content) if suffix else content)
    table = read(path).table
    assert table is not None
    assert table.dialect is not None
    assert ("Köln" in table.columns[0].values, table.dialect.encoding) == (True, encoding)
