"""Parquet files as tables, by pyarrow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portanet._text import plain
from portanet.data.dataset import Dataset
from portanet.data.files import expansion_limit, reading
from portanet.data.frame import read_frames
from portanet.data.request import Request
from portanet.errors import DataError

_CELLS = 2**21  # per chunk


def read_parquet(path: str | Path, request: Request, *, name: str) -> Dataset:
    """The rows of a Parquet file; raises DataError if pyarrow is missing or cannot read the file."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise DataError(f"{name} needs pyarrow: pip install 'portanet[parquet]'.") from None
    with reading(path) as stream:
        try:
            file = parquet.ParquetFile(stream)
            columns = file.schema_arrow.names
            _require_credible(name, file.metadata, os.fstat(stream.fileno()).st_size)
            size = max(1, _CELLS // max(1, len(columns)))

            def frames() -> Iterator[Any]:
                for batch in file.iter_batches(size):
                    yield batch.to_pandas()

            return read_frames(name, columns, frames, request)
        except (ArrowException, OSError) as error:  # pyarrow raises OSError for invalid bytes
            raise DataError(f"{name} is not a Parquet file, or it is damaged ({plain(error, 200)}).") from error


def _require_credible(name: str, about: Any, size: int) -> None:
    cells = about.num_rows * about.num_columns
    if 8 * cells > max(expansion_limit(size), 2**30):
        raise DataError(f"{name} declares {cells:,} values, more than is credible for {size:,} bytes.")
