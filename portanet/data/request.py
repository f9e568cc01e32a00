"""Request: how a table is to be read, and Source: a table that can be read so."""

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
    """How a table is to be read: what the caller says of it, and what a trained model knows.

    label    the label's column, or several; `default_label` is that of a model, which may be missing
    image    the shape of a row's pixels
    digits   whether pictures become digits as MNIST has them
    regress  whether labels are numbers to predict; None to decide it by what they are
    yes_no   whether each of several labels is a yes or a no
    classes  those of a model
    table    the model's schema, by which columns are matched by name
    asked    what is said of a text file's dialect
    kinds    the kinds that columns were told to have
    coerce   whether a cell that does not fit its column is missing
    labelled whether labels are wanted; what a label column holds does not matter else
    held_out the fraction of the rows that will be held out, as `holdout` does: kinds are decided on the others
    id       the column whose cells become `Dataset.ids`; by default the identifier of a model whose rows are read
             without labels, if it is there
    cells    whether the rows are what the cells of the model's columns hold, as `CellValues` has them, and not numbers
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
        """The label that is named, or else that of a model."""
        return self.default_label if self.label is None else self.label


class Source(Chunks, Protocol):
    """A table whose columns are known, and that can say where it is wrong."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def dialect(self) -> Dialect:
        """How its cells are written."""

    @property
    def header(self) -> Header:
        """What its columns are for."""

    def explained(self, error: Exception, checks: Mapping[int, Check] | None, valid_rows: int) -> DataError:
        """The error with the places of all faults.

        `checks` are those of columns, None where it is not decided what they hold; the first rows are valid.
        """
