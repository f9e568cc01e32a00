"""Kinds of classes: files store class names as text, which stand for labels of some type."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from portanet._typing import HostArray

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"-?[0-9]{1,30}([.][0-9]{1,30})?(e[+-]?[0-9]{1,3})?")
_TRUTHS = ("False", "True")
_LETTERS = 256  # maximum length of a name in an array of fixed-width text


class ClassKind(StrEnum):
    """The type of the labels that class names stand for.

    TEXT     the name
    INTEGER  an integer of at most 64 bits: "7" stands for 7
    NUMBER   a number: "0.5" stands for 0.5
    BOOLEAN  "False" and "True"
    BYTES    the name in UTF-8
    """

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    BYTES = "bytes"

    @classmethod
    def of_names(cls, names: Sequence[str]) -> ClassKind:
        """Return the kind of classes named in a file: integers, booleans, or else text."""
        return next((kind for kind in (cls.INTEGER, cls.BOOLEAN) if kind.has(names)), cls.TEXT)

    def has(self, names: Sequence[str]) -> bool:
        """Whether each of the names stands for a label of this kind."""
        match self:
            case ClassKind.INTEGER:
                return all(_INTEGER.fullmatch(name) and -(2**63) <= int(name) < 2**63 for name in names)
            case ClassKind.NUMBER:
                return all(_NUMBER.fullmatch(name) and math.isfinite(float(name)) for name in names)
            case ClassKind.BOOLEAN:
                return all(name in _TRUTHS for name in names)
            case _:
                return True

    def labels(self, names: Sequence[str]) -> HostArray:
        """Return the label (K,) that each name stands for."""
        match self:
            case ClassKind.INTEGER:
                values = np.array([int(name) for name in names], np.int64)
                narrow = values.astype(np.int32)
                return narrow if np.array_equal(narrow, values) else values
            case ClassKind.NUMBER:
                return np.array([float(name) for name in names], np.float64)
            case ClassKind.BOOLEAN:
                return np.array([name == "True" for name in names], np.bool_)
            case _:
                # In a fixed-width array every label takes the space of the longest, and loses trailing NULs.
                fixed = max(map(len, names), default=0) <= _LETTERS and not any(name[-1:] == "\0" for name in names)
                is_bytes = self is ClassKind.BYTES
                texts = [name.encode("utf-8", "surrogateescape") if is_bytes else name for name in names]
                return np.array(texts, (np.bytes_ if is_bytes else np.str_) if fixed else object)
