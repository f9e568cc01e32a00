"""CSV files that must be refused, with the file, the row and the column named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from csv_files import Write, read_table

from portanet import read
from portanet.data import tables
from portanet.data.cells import cell_error
from portanet.data.csv import frames
from portanet.errors import DataError

HEAD = "label,pixel0,pixel1,pixel2,pixel3\n"
PLACE = r"digits\.csv: row 2 \(line 3\)"
REFUSED = {
    "300": (f"{HEAD}1,0,0,0,0\n2,0,0,0,300\n", PLACE + ", column 'pixel3': 300 is not a pixel value"),
    "256": (f"{HEAD}1,0,0,0,0\n2,256,0,0,0\n", PLACE + ", column 'pixel0': 256"),
    "minus 1": (f"{HEAD}1,0,0,0,0\n2,-1,0,0,0\n", PLACE + ", column 'pixel0': -1"),
    "1.5": (f"{HEAD}1,0,0,0,0\n2,1.5,0,0,0\n", PLACE + ", column 'pixel0': 1.5"),
    "1e3": (f"{HEAD}1,0,0,0,0\n2,1e3,0,0,0\n", PLACE + ", column 'pixel0': 1e3"),
    "hexadecimal": (f"{HEAD}1,0,0,0,0\n2,0x1,0,0,0\n", PLACE + ", column 'pixel0': '0x1' is not a number"),
    "NaN": (f"{HEAD}1,0,0,0,0\n2,NaN,0,0,0\n", PLACE + ", column 'pixel0': 'NaN' is not a number"),
    "inf": (f"{HEAD}1,0,0,0,0\n2,inf,0,0,0\n", PLACE + ", column 'pixel0': 'inf' is not a number"),
    "empty": (f"{HEAD}1,0,0,0,0\n2,0,,0,0\n", PLACE + ", column 'pixel1': the cell is empty"),
    "empty column": (f"{HEAD}1,0,,0,0\n2,0,,0,0\n", r"row 1 \(line 2\), column 'pixel1': the cell is empty"),
    "text": (f"{HEAD}1,0,0,0,0\n2,0,one,0,0\n", PLACE + ", column 'pixel1': 'one' is not a number"),
    "True": (f"{HEAD}1,0,True,0,0\n2,0,True,0,0\n", r"row 1 \(line 2\), column 'pixel1': 'True'"),
    "underscore": (f"{HEAD}1,0,0,0,0\n2,0,1_0,0,0\n", PLACE + ", column 'pixel1': '1_0' is not a number"),
    "Arabic digit": (f"{HEAD}1,0,0,0,0\n2,0,٣,0,0\n", PLACE + ", column 'pixel1': '٣' is not a number"),
    "2**63": (f"{HEAD}1,0,0,0,0\n2,0,{2**63},0,0\n", PLACE + ", column 'pixel1'"),
    "2**64": (f"{HEAD}1,0,0,0,0\n2,0,{2**64 + 1},0,0\n", PLACE + ", column 'pixel1'"),
    "too large for float32": ("a,b\n1,2\n1,1e39\n", PLACE + ", column 'b': .* is too large"),
    "long row": (f"{HEAD}1,0,0,0,0\n2,0,0,0,0,0\n", PLACE + ": 6 cells, but the header has 5"),
    "long first row": (f"{HEAD}1,0,0,0,0,9\n2,0,0,0,0\n", r"row 1 \(line 2\): 6 cells, but the header has 5"),
    "long rows": (f"{HEAD}1,0,0,0,0,9\n2,0,0,0,0,9\n", r"row 1 \(line 2\): 6 cells, but the header has 5"),
    "a comma after one row": (f"{HEAD}1,0,0,0,0\n2,0,0,0,0,\n", PLACE + ": 6 cells"),
    "short row": (f"{HEAD}1,0,0,0,0\n2,0,0,0\n", PLACE + ": 4 cells, but the header has 5"),
    "short first row": (f"{HEAD}1,0,0,0\n2,0,0,0,0\n", r"row 1 \(line 2\): 4 cells"),
    "short rows": (f"{HEAD}1,0,0,0\n2,0,0,0\n", r"row 1 \(line 2\): 4 cells"),
    "empty labels": (f"{HEAD},0,0,0,0\n  ,0,0,0,0\n", r"digits\.csv: none of the 2 rows has a label"),
    "open quote": (f'{HEAD}1,0,0,0,0\n"2,0,0,0,0\n', r"row 2 \(line 3\): a quote begins a cell"),
    "NUL in a header": ("label,\x00a\n1,1\n", "UTF-8"),
    "NUL in a number": (f"{HEAD}1,0,0,0,0\n2,1\x002,0,0,0\n", "NUL"),
    "NUL in a label": (f"{HEAD}1,0,0,0,0\n2\x00,1,0,0,0\n", "NUL"),
    "label only": ("label\n1\n", "no column beside the label"),
    "header only": (HEAD, "a header but no rows"),
    "header only, no line end": (HEAD.strip(), "a header but no rows"),
    "nothing": ("", "is empty"),
    "blank lines": ("\n\n\n", "is empty"),
    "byte order mark only": (b"\xef\xbb\xbf", "is empty"),
    "endless name": ("a" * 200_000, "does not begin with a row"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(write: Write, case: str) -> None:
    content, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(content))
    assert "digits.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_the_chunks_from_the_fault_on_are_searched(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def counted(cell: str, *, pixel: bool) -> str | None:
        searched.append(cell)
        return cell_error(cell, pixel=pixel)

    monkeypatch.setattr(frames, "_CELLS", 20)
    monkeypatch.setattr(frames, "_ROWS", 1)
    monkeypatch.setattr(tables, "cell_error", counted)
    rows = "".join(f"{i},2\n" for i in range(99))
    with pytest.raises(DataError, match=r"row 100 \(line 101\), column 'pixel0': 'x'"):
        read_table(write(f"pixel0,label\n{rows}x,0"))
    assert len(searched) <= 20
    with pytest.raises(DataError, match=r"row 100 \(line 101\): 1 cells"):
        read_table(write(f"pixel0,label\n{rows}1"))


def test_all_faults_are_told_at_once(write: Write) -> None:
    """By column, with the first row, its line, and how many there are."""
    rows = [[i, i * 2.5, f"2024-01-{i % 28 + 1:02}", i % 3] for i in range(60)]
    for i, cell in ((20, "x"), (30, "many"), (40, "?")):
        rows[i][0] = cell
    rows[50][1] = "1e99"
    rows[11][2] = "soon"
    rows[25][3] = "few"
    lines = ["a,b,day,label", *(",".join(map(str, row)) for row in rows)]
    with pytest.raises(DataError) as caught:
        read_table(write("\n".join(lines)), regress=True)
    told = str(caught.value)
    for fact in (
        "row 12 (line 13), column 'day': 'soon' is not a date",
        "row 21 (line 22), column 'a': 'x' is not a number and 1 more",
        "row 26 (line 27), column 'label': 'few' is not a number",
        "row 51 (line 52), column 'b': '1e99' is too large",
    ):
        assert fact in told
    assert "coerce=True" in told
    lines[5:7] = ["1,2", "1,2,2024-01-01,1,5"]
    with pytest.raises(DataError) as caught:
        read_table(write("\n".join(lines)), regress=True)
    told = str(caught.value)
    assert "row 5 (line 6): 2 cells, but the header has 4 and 1 more" in told
    assert "row 12 (line 13), column 'day': 'soon' is not a date" in told
    assert "row 21 (line 22), column 'a': 'x' is not a number and 1 more" in told


def test_a_byte_that_is_no_letter_of_the_encoding(write: Write) -> None:
    path = write(b"label,a\n1,0\n\xff,2\n")
    with pytest.raises(DataError, match=r"row 2 \(line 3\): not UTF-8 text; .*encoding="):
        read_table(path, encoding="utf-8")
    assert read_table(path).classes == ("1", "\xff")


def test_line_numbers_count_blank_lines_and_quoted_line_ends(write: Write) -> None:
    with pytest.raises(DataError, match=r"row 3 \(line 6\), column 'pixel0'"):
        read_table(write('label,pixel0\n"two\nlines",1\n\nx,2\ny,oops\n'))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "folder.csv", "zero.csv", "absent.csv"):
        with pytest.raises(DataError, match=name):
            read_table(tmp_path / name)


def test_a_name_in_other_letters_is_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("size,label\n1,x\n2.5,y\n")
    known = read(tmp_path / "t.csv").table
    (tmp_path / "t.csv").write_text("SIZE\n1\n2.5\n")
    with pytest.raises(DataError, match="has no column 'size', which the model needs; it has 'SIZE'"):
        read(tmp_path / "t.csv", table=known)


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        ("Sales of 2020\n\na,b,label\n1,2,x\n3,4,y\n", ("'Sales of 2020'", "above the names")),
        ('a,b,label\n1,"say \\"hi\\", he",x\n', ("row 1 (line 2)", "written twice")),
        ('a,b,label\n1,2,x\n3,"4,y\n5,6,x\n', ("row 2", "none ends it")),
        ("a,b,Label\n1,2,x\n", ("has no column 'label'; did you mean 'Label'?",)),
    ],
    ids=["title", "backslash", "open quote", "case"],
)
def test_what_people_do_is_named(tmp_path: Path, content: str, facts: tuple[str, ...]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read(path, label="label")
    assert [fact for fact in facts if fact not in f"{caught.value} {caught.value.remedy}"] == []
