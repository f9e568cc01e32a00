"""A safetensors file with arrays and a JSON header, which is refused unless intact."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy.typing as npt

from portanet._settings import UnknownNameError
from portanet.errors import CheckpointError, ConfigError
from portanet.storage.fold_folder import name_a_fold

HostArrays = dict[str, npt.NDArray[Any]]

_FORMAT = 1
_HEADER_LIMIT = 10 * 2**20
_DTYPES = {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64"}


def encoded(header: Mapping[str, Any], named: HostArrays) -> bytes:
    """The file's bytes; equal contents give equal bytes.

    The arrays must be in C order: safetensors writes wrong values for others (its issue 825).
    Raises ConfigError for a header that is not plain data, or that is too large for `decoded`.
    """
    import safetensors.numpy

    header = {"format": _FORMAT, **header}
    try:
        metadata = json.dumps({**header, "sha256": _checksum(header, named)}, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a setting cannot be written to a file: {error}.") from error
    content = safetensors.numpy.save(named, metadata={"portanet": metadata})
    if (length := _header_length(content)) > _HEADER_LIMIT:
        raise ConfigError(f"settings of {length} bytes are too many for a file; it takes {_HEADER_LIMIT}.")
    return content


def decoded(path: Path, kind: str = "file", origin: str = "") -> tuple[dict[str, Any], HostArrays]:
    """The header and the arrays of a file; raises CheckpointError if it is missing, not portanet's, or damaged."""
    import safetensors

    with explained(f"{path} cannot be read as a safetensors file"):
        if not path.is_file():
            raise CheckpointError(f"the {kind} {path} does not exist; {name_a_fold(path.parent) or origin}.")
        _check_header(path)
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            named = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    with explained(f"{path} is a safetensors file, but not one of portanet's"):
        header = json.loads(metadata["portanet"], object_pairs_hook=_distinct)
        version, digest = header["format"], header.pop("sha256")
        intact = digest == _checksum(header, named)
    if version != _FORMAT:
        raise CheckpointError(
            f"{path} has file format {brief(version)}, this portanet reads {_FORMAT}; update portanet."
        )
    if not intact:
        raise CheckpointError(f"{path} is damaged: its content does not match its SHA-256; take another copy.")
    del header["format"]
    return header, named


def _check_header(path: Path) -> None:
    """Refuse huge headers, duplicate names, and dtypes that NumPy lacks, all of which safetensors accepts."""
    with open(path, "rb") as file:
        if (length := _header_length(file.read(8))) > _HEADER_LIMIT:
            raise ValueError(f"its header of {length} bytes is too large")
        header = json.loads(file.read(length), object_pairs_hook=_distinct)
    for name, array in header.items():
        if name != "__metadata__" and array["dtype"] not in _DTYPES:
            raise ValueError(f"array {brief(name)} has the type {brief(array['dtype'])}")


def _header_length(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name appears twice")
    return entries


def _checksum(header: Mapping[str, Any], named: HostArrays) -> str:
    """SHA-256 over the header and every array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(named):
        digest.update(f"{name} {named[name].dtype.str} {named[name].shape}".encode())
        digest.update(named[name].tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn any exception that an untrusted file causes into a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except UnknownNameError as error:
        remedy = f"if it is your own, give load its class: custom=[{error.name or '...'}]"
        raise CheckpointError(f"{what}: {error.message}", remedy=remedy) from error
    except Exception as error:
        raise CheckpointError(f"{what}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
