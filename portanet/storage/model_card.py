"""ModelCard: the description of a model's data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from reprlib import repr as brief
from typing import Any

from portanet._typing import HostArray, Shape
from portanet.errors import ConfigError
from portanet.storage.class_kind import ClassKind
from portanet.storage.label import Label, label_names
from portanet.storage.schema import Schema


@dataclass(frozen=True)
class ModelCard:
    """The data that a model was trained on, and the data that it takes.

    input_shape  the shape of one row
    dtype        the name of the parameters' dtype
    classes      the name of each class; none for a regression, and for a model trained on class indices
    class_kind   the type that class names stand for; by default `ClassKind.of_names`
    columns      the names of a table's columns, in order
    label        the name of a table's label column, or a tuple of several, one for each target or class
    offsets      offsets subtracted from each column of a table, or channel of an image, in float64 before anything
                 else: see training/inputs/offsets.py; empty without offsets
    pixels       whether rows are bytes (uint8), like the pixels in files
    digits       whether rows are digits like MNIST, light on black and centred by mass, so that pictures of digits are
                 prepared in the same way, see data/pictures/digit.py
    target_center, target_scale
                 the units of each output of a regression: target = center + scale * output, see
                 training/inputs/units.py; empty if the output is the target itself, and for classes
    levels       the quantiles that the outputs of a regression predict, see nn/losses/quantile.py; empty for plain
                 predictions
    margins      for each target, the amount by which its interval is widened, in units of the outputs: see
                 training/trained/intervals.py
    table        the schema of a table's columns and its file format, to read the next file in the same way
    """

    input_shape: Shape
    dtype: str = "float32"
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    label: Label = None
    offsets: tuple[float, ...] = ()
    class_kind: ClassKind | None = None
    pixels: bool = False
    target_center: tuple[float, ...] = ()
    target_scale: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    margins: tuple[float, ...] = ()
    table: Schema | None = None
    digits: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        for name in _LISTS:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "label", tuple(self.label) if isinstance(self.label, list) else self.label)
        object.__setattr__(self, "columns", None if self.columns is None else tuple(self.columns))
        kind = (self.class_kind or ClassKind.of_names(self.classes)) if self.classes else None
        object.__setattr__(self, "class_kind", kind)

    @property
    def outputs(self) -> int:
        """The number of outputs of the last layer: one for each class, or for each number to predict."""
        return len(self.classes) or len(label_names(self.label)) or 1

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of several numbers to predict; empty for a single one, and without names."""
        return self.label if isinstance(self.label, tuple) and not self.classes else ()

    def target_names(self, count: int) -> tuple[str, ...]:
        """Return the names of the `count` labels of a row; empty for a single one, numbers if they have no names."""
        names = self.classes or label_names(self.label)
        if count == 1 or len(names) == count:
            return names if count > 1 else ()
        return tuple(f"output {number}" for number in range(1, count + 1))

    @property
    def title(self) -> str:
        """The title of predictions: the name of a table's label column, else "Label", as in Kaggle's submissions."""
        named = isinstance(self.label, str) and not self.has_images
        return str(self.label) if named else "Label"

    @property
    def has_images(self) -> bool:
        """Whether a row is an image (channels, height, width), not a row of a table."""
        return len(self.input_shape) == 3

    def named(self, codes: HostArray) -> HostArray:
        """Return the labels of class indices; the indices themselves if the classes have no names."""
        return self.class_kind.labels(self.classes)[codes] if self.class_kind else codes

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON data."""
        entries = asdict(replace(self, table=None)) | {"table": self.table and self.table.to_dict()}
        return {name: list(entry) if isinstance(entry, tuple) else entry for name, entry in entries.items()}

    @classmethod
    def from_dict(cls, card: Mapping[str, Any]) -> ModelCard:
        """Return the card that `to_dict` gave; raises ConfigError for impossible entries."""
        if not isinstance(card, Mapping):
            raise ConfigError(f"its card cannot be {brief(card)}.")
        if unknown := [name for name in card if name not in _IS_VALID]:
            raise ConfigError(f"its card has no entry {brief(unknown[0])}.")
        for name, is_valid in _IS_VALID.items():
            if not is_valid(card.get(name)):
                raise ConfigError(f"its {name} cannot be {brief(card.get(name))}.")
        shape, columns = card["input_shape"], card.get("columns")
        if columns is not None and len(shape) == 1 and len(columns) != shape[0]:
            raise ConfigError(f"it names {len(columns)} columns for rows of {shape[0]} numbers.")
        offsets = card.get("offsets") or ()
        if offsets and len(offsets) != (shape[0] if len(shape) == 3 else math.prod(shape)):
            raise ConfigError(f"it has {len(offsets)} offsets for rows of the shape {tuple(shape)}.")
        classes, kind = card.get("classes") or (), card.get("class_kind")
        if kind is not None and not (classes and ClassKind(kind).has(classes)):
            raise ConfigError(f"its classes cannot be {brief(classes)}, of the kind {kind}.")
        center, scale = card.get("target_center") or (), card.get("target_scale") or ()
        if len(center) != len(scale) or not all(number > 0 for number in scale):
            raise ConfigError(f"its target_scale cannot be {brief(scale)}, beside the target_center {brief(center)}.")
        table = None if card.get("table") is None else Schema.from_dict(card["table"])
        if table is not None and tuple(columns or ()) != table.names:
            raise ConfigError("its columns are not those of its table.")
        typed: dict[str, Any] = {name: card.get(name) or () for name in _LISTS}
        typed |= {"pixels": bool(card.get("pixels")), "digits": bool(card.get("digits"))}
        typed |= {"class_kind": kind and ClassKind(kind), "table": table}
        return cls(**{**card, **typed})


_LISTS = ("classes", "offsets", "target_center", "target_scale", "levels", "margins")


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 9 and all(type(size) is int and 0 < size < 2**31 for size in value)


def _is_names(value: Any) -> bool:
    """Whether the value is None, or a list of distinct texts."""
    if not isinstance(value, list):
        return value is None
    return all(isinstance(name, str) and _is_text(name) for name in value) and len(set(value)) == len(value)


def _is_text(name: str) -> bool:
    """Whether the name can be encoded: JSON may contain lone surrogates."""
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_numbers(value: Any) -> bool:
    """Whether the value is None, or a list of finite numbers."""
    if not isinstance(value, list):
        return value is None
    return all(type(number) is float and math.isfinite(number) for number in value)


_IS_VALID: dict[str, Callable[[Any], bool]] = {
    "input_shape": _is_shape,
    "dtype": lambda value: value in ("float32", "float64"),
    "classes": _is_names,
    "columns": _is_names,
    "label": lambda value: isinstance(value, str) or (_is_names(value) and (value is None or len(value) > 1)),
    "offsets": _is_numbers,
    "table": lambda value: value is None or isinstance(value, dict),
    "class_kind": lambda value: value is None or (isinstance(value, str) and value in list(ClassKind)),
    "pixels": lambda value: value is None or isinstance(value, bool),
    "digits": lambda value: value is None or isinstance(value, bool),
    "target_center": _is_numbers,
    "target_scale": _is_numbers,
    "levels": _is_numbers,
    "margins": _is_numbers,
}
