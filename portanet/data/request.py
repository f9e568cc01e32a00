"""Request: the settings for reading a table, and Source: a table that can be read with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from portanet._typing import Shape
from portanet.data.checks import Check
from portanet.data.chunk import Chunks
from portanet.data.csv.dialect import Asked
from portanet.data.csv.header import Header
from portanet.errors import DataError
from portanet.storage.label import Label
from portanet.storage.schema import Dialect, Schema


@dataclass(frozen=True)
class Request:
    """Settings for reading a table, from the caller and from a trained model.

    label    the label column, or several; `default_label` is that of a model, which may be missing
    image    the shape of a row's pixels
    digits   whether to prepare pictures as digits of MNIST
    regress  whether labels are numbers to predict; None to infer it from the labels
    yes_no   whether each of several labels is a yes or a no
    classes  the classes of a model
    table    the schema of a model, whose columns are matched by name
    asked    the user's settings for a text file's dialect
    kinds    the kinds set by the user, by column name
    coerce   whether a cell not of its column's kind counts as missing
    labelled whether labels are wanted; otherwise a label column is ignored
    held_out the fraction of the rows that `holdout` will hold out: kinds are decided on the others
    id       the column whose cells become `Dataset.ids`; by default, for rows without labels, the identifier column of
             the model, if it is there
    cells    whether rows are the cell values of the model's columns, see `CellValues`, in place of numbers
    """

    label: Label = None
    default_label: Label = None
    image: Shape | None = None
    regress: bool | None = False
    classes: Sequence[str] | None = None
    table: Schema | None = None
    asked: Asked = field(default_factory=Asked)
    kinds: Mapping[str, str] = field(default_factory=dict)
    coerce: bool = False
    labelled: bool = True
    held_out: float = 0.0
    id: str | None = None
    digits: bool = False
    yes_no: bool = False
    cells: bool = False

    @property
    def wanted(self) -> Label:
        """The label of the request, else that of the model."""
        return self.default_label if self.label is None else self.label


class Source(Chunks, Protocol):
    """A table whose columns are known, and that can locate its faults."""

    @property
    def name(self) -> str:
        """The name of the table in messages."""

    @property
    def dialect(self) -> Dialect:
        """The format of its cells."""

    @property
    def header(self) -> Header:
        """The roles of its columns."""

    def explained(self, error: Exception, checks: Mapping[int, Check] | None, valid_rows: int) -> DataError:
        """The DataError with the positions of all faults.

        `checks` maps positions of columns to their checks, None while kinds are undecided. The first `valid_rows` are
        known to be valid.
        """
