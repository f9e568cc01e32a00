"""Archives with any name, and workbooks of spreadsheet programs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from portanet import read
from portanet.errors import DataError

TABLE = "a,b,label\n" + "".join(f"{i % 7},{i % 5},{'xy'[i % 2]}\n" for i in range(30))


def packed(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("inside", ["train.csv", "a folder/train.txt", "train"])
@pytest.mark.parametrize("name", ["house-prices.zip", "train.csv.zip"])
def test_one_table_in_an_archive(tmp_path: Path, inside: str, name: str) -> None:
    assert len(read(packed(tmp_path / name, **{inside: TABLE}))) == 30


def test_several_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds 2 files \(train\.csv, test\.csv\), not one table; unpack it"):
        read(packed(tmp_path / "house-prices.zip", **{"train.csv": TABLE, "test.csv": TABLE}))


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataError, match="damaged or cut short"):
        read(tmp_path / "a.zip")


def test_a_picture_in_an_archive_is_not_a_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zip is not a table"):
        read(packed(tmp_path / "a.zip", **{"cat.gif": "GIF89a"}))


@pytest.mark.parametrize("name", ["sales.xlsx", "sales.csv"])
@pytest.mark.parametrize("member", ["[Content_Types].xml", "content.xml"])
def test_a_workbook(tmp_path: Path, name: str, member: str) -> None:
    path = packed(tmp_path / name, **{member: "<a/>", "b.xml": "<b/>"})
    with pytest.raises(DataError, match=r"is a workbook .*save its sheet as CSV"):
        read(path)
