"""Files that nobody vouches for: rows, or a PortanetError of one line, soon and in little memory."""

from __future__ import annotations

import gzip
import io
import os
import socket
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import limited, mutations
from hypothesis import given, settings
from hypothesis import strategies as st

from portanet.data.cells import NUMBER
from portanet.data.csv.table import read_table
from portanet.data.idx import read_idx, read_images, read_labels
from portanet.data.npz import read_npz
from portanet.data.source import read
from portanet.errors import DataError, PortanetError

READERS: dict[str, Callable[[Path], object]] = {
    "rows.csv": read_table,
    "rows.npz": read_npz,
    "images-idx3-ubyte": read_images,
    "labels-idx1-ubyte": read_labels,
}


def refused(reader: Callable[[Path], object], path: Path, message: str = ".") -> None:
    with pytest.raises(PortanetError, match=message) as caught:
        reader(path)
    assert str(path) in str(caught.value)
    one_line(caught.value)


def one_line(error: Exception) -> None:
    """No end of a line, nothing that a terminal obeys, and no end in sight for nobody."""
    assert str(error).isprintable()
    assert len(str(error)) < 1000


@pytest.mark.parametrize("name", READERS)
def test_only_regular_files_are_opened(tmp_path: Path, name: str) -> None:
    read = READERS[name]
    refused(read, tmp_path / name, "does not exist")
    (tmp_path / "folder").mkdir()
    refused(read, tmp_path / "folder", "is a folder, not a file")
    os.mkfifo(tmp_path / "pipe")
    refused(read, tmp_path / "pipe", "is a pipe or a device; give a regular file")
    for device in ("zero", "null", "tty"):
        (tmp_path / device).symlink_to(f"/dev/{device}")
        refused(read, tmp_path / device, "is a pipe or a device; give a regular file")
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:  # the names of sockets are
        listener.bind(f"{short}/s")
        refused(read, Path(short, "s"), "is a pipe or a device; give a regular file")
    (tmp_path / "loop").symlink_to("loop")
    refused(read, tmp_path / "loop", "Too many levels of symbolic links")
    refused(read, tmp_path / ("x" * 300), "File name too long")


def idx(shape: tuple[int, ...], body: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + body


def npz(save: Callable[..., None] = np.savez_compressed, **arrays: Any) -> bytes:
    save(file := io.BytesIO(), **arrays)
    return file.getvalue()


def npy(shape: str, descr: str = "'|u1'", body: bytes = b"", size: int = 117) -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(size) + "\n"
    return b"\x93NUMPY\2\0" + len(head).to_bytes(4, "little") + head.encode() + body


def zipped(*members: tuple[str, bytes]) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def put(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    """Files with these contents."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def zeros(size: int) -> bytes:
    """That many zeros, compressed a thousand to one."""
    packer = zlib.compressobj(wbits=31)
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(size // 2**20)) + packer.flush()


def zip_bomb(size: int) -> bytes:
    """An .npz whose x is `size` MiB of zeros."""
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as x:
        x.write(npy(f"({size}, {2**20})"))
        for _ in range(size):
            x.write(bytes(2**20))
    return file.getvalue()


def lying(content: bytes, size: int) -> bytes:
    """An archive of one member that declares another size in its directory."""
    at = content.rindex(b"PK\1\2") + 24
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


X = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
FIELDS = str([(f"f{i}", "|u1") for i in range(500)])
LOCKED = (b"PK\1\2\x2d\3\x2d\0\0\0", b"PK\1\2\x2d\3\x2d\0\1\0")


def x(shape: str, descr: str = "'|u1'", body: bytes = b"", size: int = 117) -> bytes:
    """An archive with this x."""
    return zipped(("x.npy", npy(shape, descr, body, size)))


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "labels of no letters": (
        zipped(("x.npy", npy("(3, 1)", body=b"123")), ("y.npy", npy(f"({2**60},)", "'<U0'"))),
        ".",
    ),
    "2**62 rows of nothing": (x(f"({2**62}, {2**62}, 0)"), "."),
    "2**64 rows": (x(f"({2**64}, 1)"), "declares the shape"),
    "sizes whose product is 1 modulo 2**64": (x(f"({2**32 - 1}, {2**32 + 1}, 1)", body=b"1"), "declares the shape"),
    "5000 dimensions": (x(str((1,) * 5000), body=b"1", size=20_000), "."),
    "dimensions that are truths": (x("(True, True)", body=b"1"), r"array header: the shape \(True, True\)"),
    "dimensions that are text": (x("('3', '4')", body=b"1" * 12), "damaged"),
    "rows of rows": (x("(3, 4)", "('|u1', (2,))", b"1" * 24), "."),
    "500 fields": (x("(1, 1)", FIELDS, b"1" * 500, 9000), "has the dtype"),
    "an object": (x("(1, 1)", "'|O'", b"\x80\x04\x8c\x02os."), "has the dtype object"),
    "a header of brackets": (x("[" * 5000, size=6000), "damaged"),
    "a header of minus signs": (x("(" + "-" * 9000 + "1,)", size=9500), "damaged"),
    "a header of a megabyte": (x("(3, 4)", size=2**20), "damaged"),
    "a header of 4 GiB": (zipped(("x.npy", b"\x93NUMPY\2\0\xff\xff\xff\xff{}")), "damaged"),
    "paths": (zipped(("../x.npy", b""), ("/etc/x.npy", b"")), r"no array x, .*its arrays: \.\./x, /etc/x"),
    "a name for a terminal": (zipped(("\x1b[2J\n.npy", b"")), r"its arrays: \\x1b\[2J\\n\."),
    "a long name": (zipped(("a" * 60_000, b"")), r"no array x, .*its arrays: none"),
    "an end in the middle": (npz(x=X)[:-30], "damaged"),
    "less than declared": (lying(x("(999, 1)", body=b"1"), 128 + 999 + 2), "."),
    "more than declared": (lying(x("(3, 1)", body=b"123" * 999), 130 + 3), "."),
    "an archive within": (zipped(("x.npy", x("(3, 1)", body=b"123"))), "damaged"),
    "a locked member": (npz(x=X).replace(*LOCKED), "damaged"),
}
NUMBERS = b"".join(b"%d,%d\n" % (i, i * i) for i in range(30))
TABLES: dict[str, tuple[bytes, str]] = {
    "a name for a terminal": (b'"a\n\x1b[2J",b\n' + NUMBERS + b"x,1\n", r"column 'a\\n\\x1b\[2J': 'x' is not"),
    "a name of 100,000 letters": (b"a" * 100_000 + b",b\n" + NUMBERS + b"x,1\n", r"column 'a{40}'\.\.\.: 'x' is not"),
    "a label of a megabyte": (b"a,label\n1,1" + b"1" * 2**20 + b"\n1,1.5\n", "."),
    "a number but for its end": (
        b"a,b\n" + NUMBERS + b"1," + b"1" * 100_000 + b"x\n",
        r"'b': '1{40}'\.\.\. is not a number",
    ),
    "a name that is nearly a number": (b"1" * 100_000 + b"x,b\n" + NUMBERS + b"1,y\n", "column 'b': 'y' is not"),
    "100,000 columns": (b",".join(b"c%d" % i for i in range(100_000)) + b"\n1,2\n", "2 cells, .* has 100000"),
    "200,000 columns": (b",".join(b"c%d" % i for i in range(200_000)) + b"\n1,2\n", "200000 columns, .* as .npz"),
    "a cell that never ends": (b'a,b\n1,"' + b"2\n" * 500_000, r"row 1 \(line \d+\): field larger than"),
    "a first row that never ends": (b"a,b\n" + b"1," * 1_000_000, r"row 1 \(line 2\): 1000001 cells, .* has 2"),
    "a later row that never ends": (b"a,b\n1,2\n" + b"1," * 1_000_000, r"row 2 \(line 3\): 1000001 cells"),
    "a blank first row of one column": (b"pixel0\n\n1\n", r"row 1 \(line 2\), column 'pixel0': the cell is empty"),
    "carriage returns alone": (b"pixel0,label\r1,2\rx,3\r", r"row 2 .*column 'pixel0': 'x' is not a number"),
    "a number of 4000 digits": (b"a,b\n1,1" + b"0" * 4000 + b"\n", "is too large"),
}
MALICE = [(name, case) for name, cases in (("rows.npz", ARCHIVES), ("rows.csv", TABLES)) for case in cases]


@pytest.mark.parametrize(("name", "case"), MALICE)
def test_malice(tmp_path: Path, name: str, case: str) -> None:
    content, message = (ARCHIVES if name == "rows.npz" else TABLES)[case]
    (tmp_path / name).write_bytes(content)
    start = time.monotonic()
    refused(READERS[name], tmp_path / name, message)
    assert time.monotonic() - start < 5


def test_names_from_a_file_in_messages(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b'"a\n\x1b[2J",b\n1,2\n')
    refused(lambda path: read(path, label="kind"), tmp_path / "rows.csv", r"its columns: a\\n\\x1b\[2J, b\.")


def test_a_number_is_recognised_in_time_that_grows_with_its_length() -> None:
    start = time.monotonic()
    for end in ("x", ".x", "e", "e+", ".1.1"):
        assert not NUMBER.fullmatch("1" * 10**5 + end)
    assert NUMBER.fullmatch("1" * 10**5 + "." + "1" * 10**5 + "e-7")
    assert time.monotonic() - start < 5


SMALL = "from portanet.data import files; files._SMALL = 2**22; "  # a limit for bombs that are soon made


def test_images_that_are_bombs(tmp_path: Path) -> None:
    contents = {
        "more than declared": gzip.compress(idx((3, 2, 2), bytes(12))) + zeros(2**26),
        "as much as may be": gzip.compress(idx((2**12, 2**10), b"")) + zeros(2**22),
        "more than may be": gzip.compress(idx((2**13, 2**10), b"")) + zeros(2**23),
        "packed twice": gzip.compress(zeros(2**26)),
        "many members": gzip.compress(b"") * 5_000 + gzip.compress(idx((2, 1), b"12")),
        "2**32 - 1 rows": gzip.compress(idx((2**32 - 1, 1, 1), bytes(9))),
        "2**32 - 1 rows of as many": idx((2**32 - 1,) * 4, bytes(9)),
    }
    paths = put(tmp_path, contents)
    answers = limited(f"{SMALL}from portanet.data.idx import read_idx; read_idx(path)", *paths, megabytes=100)
    told = ["holds more", "taken", "size cannot hold", "is not an IDX file", "taken", "cannot hold", "cannot hold"]
    assert [want in answer for want, answer in zip(told, answers, strict=True)] == [True] * 7, answers


def test_archives_that_are_bombs(tmp_path: Path) -> None:
    labels = npy("(1,)", f"'<U{2**19}'", bytes(2**21))
    contents = {
        "a bomb": zip_bomb(16),
        "a bomb that lies": lying(zip_bomb(16), 2**22),
        "as much as may be": zip_bomb(3),
        "many members": zipped(*((f"a{i}.npy", b"") for i in range(20_000))),
        "text": zipped(("x.npy", npy("(1, 1)", body=b"1")), ("y.npy", labels)),
    }
    paths = put(tmp_path, contents)
    answers = limited(f"{SMALL}from portanet.data.npz import read_npz; read_npz(path)", *paths, megabytes=150)
    told = ["more than is credible", "declares the shape", "taken", "no array x", "has no label"]
    assert [want in answer for want, answer in zip(told, answers, strict=True)] == [True] * 5, answers


def test_tables_that_are_bombs(tmp_path: Path) -> None:
    contents = {
        "one cell": b"a,b\n1," + b"2" * 2**23,
        "one name": b"a" * 2**23,
        "blank lines": b"a,b\n" + b"\n" * 2**22,
        "commas": b"," * 2**21,
        "quotes": b'a,b\n"' * 2**21,
    }
    paths = [tmp_path / f"{name}.csv" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    answers = limited(
        "from portanet.data.csv.table import read_table; read_table(path)", *paths, megabytes=1500, seconds=20
    )
    assert "taken" not in answers
    assert all(str(path) in answer for path, answer in zip(paths, answers, strict=True)), answers


def test_files_that_are_large_for_what_they_hold(tmp_path: Path) -> None:
    """Sparse files, blank lines and zeros behind the data: told in one line, in little memory and time."""
    contents = {
        "zeros.csv": (b"", 20 * 2**30),
        "zeros behind.csv": (b"a,label\n1,x\n", 20 * 2**30),
        "one line.csv": (b"a" * 2**26, 0),
        "blank.csv": (b"\n" * 10**7, 0),
        "blank before.csv": (b"a,label\n" + b"\n" * 10**7 + b"1,x\n", 0),
        "blank within.csv": (b"a,label\n1,x\n" + b"\n" * 10**7 + b"b,x,y\n", 0),
        "tail.gz": (gzip.compress(idx((3, 2, 2), bytes(12))), 2**30),
    }
    paths = []
    for name, (content, size) in contents.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
        if size:
            os.truncate(paths[-1], size)
    action = (
        "from portanet.data.csv.table import read_table; from portanet.data.idx import read_idx; "
        "(read_idx if path.endswith('gz') else read_table)(path)"
    )
    answers = limited(action, *paths, megabytes=400, seconds=3)
    told = [
        "NUL bytes",
        "NUL bytes",
        "begin with a row",
        "is empty",
        *["blank lines"] * 2,
        "ends in over 65,536 zero bytes",
    ]
    assert [want in answer for want, answer in zip(told, answers, strict=True)] == [True] * 7, answers


def test_an_archive_as_large_as_it_may_be(tmp_path: Path) -> None:
    x, labels = np.zeros((2**22 - 64, 4), np.float32), np.full(2**22 - 64, "a")
    (tmp_path / "a.npz").write_bytes(npz(x=x, labels=labels))
    (tmp_path / "b.npz").write_bytes(npz(x=np.zeros((2**22, 5), np.float32), labels=labels))
    paths = tmp_path / "a.npz", tmp_path / "b.npz"
    answers = limited("from portanet.data.npz import read_npz; read_npz(path)", *paths, megabytes=800)
    assert answers[0] == "taken"
    assert "more than is credible; save it with numpy.savez" in answers[1]


def test_a_file_that_does_not_fit_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.idx"
    with open(path, "wb") as file:
        file.write(idx((2**31, 1), b""))
        file.truncate(12 + 2**31)
    (answer,) = limited("from portanet.data.idx import read_idx; read_idx(path)", path, megabytes=500)
    assert answer == f"{path} does not fit into memory."


SEEDS: dict[str, list[bytes]] = {
    "rows.csv": [
        b"label,pixel0,pixel1,pixel2,pixel3\n7,0,1,2,255\n1,4,5,6,7\n",
        b'a,b,label\n1.5,2,x\n-3e4,1e2,y\n"7",8,"z\n"\n',
        b"\xef\xbb\xbfa\r\n1\r\n2\r\n",
        "näme,label\n1,é\n".encode(),
    ],
    "rows.npz": [
        npz(np.savez, x=X, labels=np.array([7, 3, 7])),
        npz(x=X, y=np.array(["a", "b", "c"])),
        npz(np.savez, x_train=X / 3, y_train=[1.0, 2.0, 3.0]),
    ],
    "images-idx3-ubyte": [
        idx((3, 2, 2), bytes(range(12))),
        gzip.compress(idx((3, 2, 2), bytes(range(12))), mtime=0),
        idx((3, 2, 2), bytes(8 * 12), 14),
    ],
    "labels-idx1-ubyte": [idx((3,), b"abc"), idx((3,), bytes(12), 12)],
}


@pytest.mark.parametrize("name", READERS)
@given(st.data())
@settings(derandomize=True, max_examples=100)
def test_any_damage_gives_rows_or_a_portanet_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    content = data.draw(st.sampled_from(SEEDS[name]).flatmap(mutations))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        READERS[name](path)
    except PortanetError as error:
        assert str(path) in str(error)
        one_line(error)


def test_the_files_that_were_damaged_are_whole(tmp_path: Path) -> None:
    for name, contents in SEEDS.items():
        for content in contents:
            (tmp_path / name).write_bytes(content)
            READERS[name](tmp_path / name)


def test_no_reader_takes_an_error_of_the_system_for_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in the middle of a file."""
    path = tmp_path / "rows.idx"
    path.write_bytes(idx((3, 2, 2), bytes(12)))

    def fail(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("portanet.data.idx.decode", fail)
    with pytest.raises(DataError, match=r"rows\.idx: Input/output error"):
        read_idx(path)
