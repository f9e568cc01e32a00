"""CSV files that must be refused, with the file, the row and the column named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from portanet.data.cells import complaint
from portanet.data.csv import fault, table
from portanet.data.csv.table import read_table
from portanet.errors import DataError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "digits.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


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
    "2**63 in a table": (f"a,b\n1,2\n1,{2**63}\n", PLACE + ", column 'b': .* is too large"),
    "2**70 in a table": (f"a,b\n1,2\n1,{2**70}\n", PLACE + ", column 'b': .* is too large"),
    "-2**63 - 1 in a table": (f"a,b\n1,2\n1,{-(2**63) - 1}\n", PLACE + ", column 'b': .* is too large"),
    "too large for float32": ("a,b\n1,2\n1,1e39\n", PLACE + ", column 'b': .* is too large"),
    "long row": (f"{HEAD}1,0,0,0,0\n2,0,0,0,0,0\n", PLACE + ": 6 cells, but the header has 5"),
    "long first row": (f"{HEAD}1,0,0,0,0,9\n2,0,0,0,0\n", r"row 1 \(line 2\): 6 cells, but the header has 5"),
    "long rows": (f"{HEAD}1,0,0,0,0,9\n2,0,0,0,0,9\n", r"row 1 \(line 2\): 6 cells, but the header has 5"),
    "a comma after every row": (f"{HEAD}1,0,0,0,0,\n2,0,0,0,0,\n", r"row 1 \(line 2\): 6 cells"),
    "a comma after one row": (f"{HEAD}1,0,0,0,0\n2,0,0,0,0,\n", PLACE + ": 6 cells"),
    "short row": (f"{HEAD}1,0,0,0,0\n2,0,0,0\n", PLACE + ": 4 cells, but the header has 5"),
    "short first row": (f"{HEAD}1,0,0,0\n2,0,0,0,0\n", r"row 1 \(line 2\): 4 cells"),
    "short rows": (f"{HEAD}1,0,0,0\n2,0,0,0\n", r"row 1 \(line 2\): 4 cells"),
    "short row before a text label": ("a,label\n1,x\n2\n", PLACE + ": 1 cells"),
    "empty label": (f"{HEAD}1,0,0,0,0\n,0,0,0,0\n", PLACE + ", column 'label': the label is empty"),
    "blank label": (f"{HEAD}1,0,0,0,0\n  ,0,0,0,0\n", PLACE + ", column 'label': the label is empty"),
    "blank line in one column": ("a\n1\n\n2\n", PLACE + ", column 'a': the cell is empty"),
    "open quote": (f'{HEAD}1,0,0,0,0\n"2,0,0,0,0\n', r"row 2 \(line 3\): unexpected end of data"),
    "undecodable cell": (HEAD.encode() + b"1,0,0,0,0\n\xff,0,0,0,0\n", PLACE + ": not UTF-8"),
    "undecodable header": (b"label,\xff\n1,0\n", "UTF-8"),
    "UTF-16": ("label,a\n1,0\n".encode("utf-16"), "UTF-8"),
    "UTF-16 without mark": ("label,a\n1,0\n".encode("utf-16-le"), "UTF-8"),
    "NUL in a header": ("label,\x00a\n1,1\n", "UTF-8"),
    "NUL in a number": (f"{HEAD}1,0,0,0,0\n2,1\x002,0,0,0\n", "NUL"),
    "NUL in a label": (f"{HEAD}1,0,0,0,0\n2\x00,1,0,0,0\n", "NUL"),
    "duplicate name": ("label,a,a\n1,2,3\n", "two columns are named 'a'"),
    "duplicate label": ("label,a,label\n1,2,3\n", "two columns are named 'label'"),
    "missing name": (",label,a\n0,1,2\n", "column 1 has no name.*index=False"),
    "no header": ("5,0,0,7\n4,0,0,9\n", "column"),
    "no header, distinct": ("5.1,3.5,1.4,0.2\n4.9,3,1.4,0.3\n", "begins with numbers"),
    "semicolons": ("label;a\n1;2\n", "not separated by commas"),
    "tabs": ("label\ta\n1\t2\n", "not separated by commas"),
    "text column": ("kind,a\nsetosa,2\n", "column 'kind': 'setosa' is not a number; .*label=NAME"),
    "label only": ("label\n1\n", "no column beside the label"),
    "header only": (HEAD, "a header but no rows"),
    "header only, no line end": (HEAD.strip(), "a header but no rows"),
    "nothing": ("", "is empty"),
    "blank lines": ("\n\n\n", "is empty"),
    "byte order mark only": (b"\xef\xbb\xbf", "is empty"),
    "endless name": ("a" * 200_000, "does not begin with a line"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(write: Write, case: str) -> None:
    content, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(content))
    assert "digits.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_the_chunk_with_the_fault_is_searched(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def counted(cell: str, *, pixel: bool) -> str | None:
        searched.append(cell)
        return complaint(cell, pixel=pixel)

    monkeypatch.setattr(table, "_CELLS", 20)
    monkeypatch.setattr(table, "_ROWS", 1)
    monkeypatch.setattr(fault, "complaint", counted)
    for last in ("x,0", "1"):
        searched.clear()
        with pytest.raises(DataError, match=r"row 100 \(line 101\)"):
            read_table(write("a,b\n" + "1,2\n" * 99 + last))
        assert len(searched) <= 20


def test_line_numbers_count_blank_lines_and_quoted_line_ends(write: Write) -> None:
    with pytest.raises(DataError, match=r"row 3 \(line 6\), column 'a'"):
        read_table(write('label,a\n"two\nlines",1\n\nx,2\ny,oops\n'))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "folder.csv", "zero.csv", "absent.csv"):
        with pytest.raises(DataError, match=name):
            read_table(tmp_path / name)
