"""Labels, checked once on the host: a device would silently accept a bad label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from portanet._text import listed
from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.data import Dataset
from portanet.errors import DataError, ModelError
from portanet.nn.losses.loss import Loss
from portanet.storage.class_kind import ClassKind
from portanet.storage.label import label_names
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.arrays import to_host
from portanet.training.inputs.classes import Named, as_named, by_number, codes_among, is_absent, require_present
from portanet.training.inputs.frames import columns_of, rows_of, without_objects
from portanet.training.inputs.tasks import task_of

_UNKNOWN = ModelCard(())


def put_labels(labels: HostArray, backend: Backend, dtype: str) -> Array:
    """Return the labels on the backend: class numbers stay int32, other numbers take the model's dtype."""
    return backend.as_device_array(labels, "int32" if labels.dtype.kind == "i" else dtype)


class Learned(NamedTuple):
    """The labels to train on, as the loss takes them, and the class names if they have any."""

    targets: HostArray
    classes: tuple[str, ...] = ()
    kind: ClassKind | None = None


def learn_labels(loss: object, labels: Any, count: int, outputs: int, known: Sequence[str] = ()) -> Learned:
    """Return the labels of `count` training rows, on the host; raises DataError for unusable ones.

    Labels by name have the classes that occur, in ascending order, or those already `known` if there are no others.
    Raises ModelError unless there are as many classes as outputs.
    """
    task, columns = task_of(loss), _shares(labels)
    if columns is not None or not task.has_one_class:
        targets = _checked(loss, _numbers(labels), count, outputs)
        return Learned(targets, columns) if columns is not None and task.is_classification else Learned(targets)
    named = as_named(labels, known)
    if not isinstance(named, Named):
        return Learned(_checked(loss, named, count, outputs))
    declared = (known if set(named.names) <= set(known) else ()) or named.further
    classes = tuple(declared) if len(declared) == outputs else named.names
    if len(classes) == 1:
        raise DataError(f"all {count} labels are {classes[0]!r}, so there is nothing to learn.")
    if len(classes) != outputs:
        raise ModelError(
            f"the labels have {len(classes)} classes ({listed(classes)}), the model has {outputs} outputs.",
            remedy=f"end the model in Dense({len(classes)})",
        )
    return Learned(_checked(loss, codes_among(named, classes), count, outputs), classes, named.kind)


def known_labels(loss: object, labels: Any, count: int, outputs: int, card: ModelCard) -> HostArray:
    """Return labels for a trained model, on the host as the loss takes them; raises DataError for unknown ones."""
    if _shares(labels) is not None or not task_of(loss).has_one_class:
        return _checked(loss, _numbers(labels, card), count, outputs)
    named = as_named(labels, card.classes)
    if card.classes and not isinstance(named, Named) and named.ndim == 1:
        named = by_number(named)
    if not isinstance(named, Named):
        return _checked(loss, named, count, outputs)
    if card.classes:
        return _checked(loss, codes_among(named, card.classes), count, outputs)
    if named.kind in (ClassKind.TEXT, ClassKind.BYTES):
        raise DataError(f"the labels are text; this model was trained on class numbers, 0 to {outputs - 1}.")
    return _checked(loss, named.values().astype(np.int64), count, outputs)


def _checked(loss: object, labels: HostArray, count: int, outputs: int) -> HostArray:
    checked = task_of(loss).labels(labels, count, outputs)
    if isinstance(loss, Loss):
        loss.require_labels((count, outputs), checked.shape)
    return checked


def _shares(labels: Any) -> tuple[str, ...] | None:
    """The class names, if the labels are a frame or a Dataset with a column for each class."""
    columns = label_names(labels.label) if isinstance(labels, Dataset) else columns_of(labels)
    return columns if columns is not None and len(columns) > 1 else None


def _numbers(labels: Any, card: ModelCard = _UNKNOWN) -> HostArray:
    """Labels as numbers; named columns in the order of the model's classes or targets."""
    own, names = _shares(labels), card.classes or card.targets
    if own is not None and card.targets and set(own) != set(names):
        names = own  # other targets keep their names and order
    if isinstance(labels, Dataset):
        values = labels.require_labels()
        return values[:, [own.index(name) for name in names]] if own and set(own) == set(names) else values
    values = without_objects(to_host(rows_of(labels, names or None, what="the frame of labels")))
    if values.dtype.kind == "O" and values.ndim == 1:
        require_present(np.fromiter(map(is_absent, values), bool, len(values)))
    return values
