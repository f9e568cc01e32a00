"""Facts that several commands print about models, data and versions."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import portanet
from portanet import backends
from portanet import data as readers
from portanet.cli.remedies import with_flags
from portanet.data import Dataset
from portanet.data.pictures.digit import are_like_mnist
from portanet.errors import DataError
from portanet.storage.label import Label
from portanet.training.inputs.frames import require_pixels
from portanet.training.model import TrainedModel
from portanet.training.progress import ReadProgress


def read(source: Any, **settings: Any) -> Dataset:
    """`portanet.read`, with progress on stderr for a large file, except under --quiet."""
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("quiet"):
        return readers.read(source, **settings)
    with ReadProgress(source if isinstance(source, str) else "pictures") as progress:
        data = readers.read(source, progress=progress, **settings)
    return replace(data, notes=tuple(map(with_flags, data.notes)))


def read_like(source: str, training: Dataset, label: Label, task: str, **settings: Any) -> Dataset:
    """Labelled data with the classes, columns and image shape of the training data."""
    image = training.x.shape[1:] if are_images(training) else None
    rows = read(
        source, default_label=label, image=image, task=task, classes=training.classes, columns=training.columns,
        table=training.table, digits=are_like_mnist(training.x), **settings | {"kinds": None},
    )  # fmt: skip
    rows.require_targets()
    if rows.x.shape[1:] != training.x.shape[1:]:
        shapes = f"{rows.x.shape[1:]}; {training.name} has rows of {training.x.shape[1:]}"
        raise DataError(f"{source} has rows of the shape {shapes}.")
    return rows


def read_for(run: TrainedModel, source: Any, label: Label = None, **settings: Any) -> Dataset:
    """Data with the classes, columns and image shape of a trained model."""
    columns = run.card.columns
    image = run.input_shape if columns is None and len(run.input_shape) == 3 else None
    rows = read(
        source, label=label, default_label=run.card.label, image=image, digits=run.card.digits,
        task=run.task.name, classes=class_names(run), columns=columns, table=run.card.table, **settings,
    )  # fmt: skip
    require_pixels(rows, run.card)
    return rows


def class_names(run: TrainedModel) -> list[str]:
    """The name of each class, or its number if the model was trained without names."""
    outputs = run.model.output_shape(run.input_shape)[0]
    return list(run.card.classes) or [str(number) for number in range(outputs)]


def are_images(data: Dataset) -> bool:
    """Whether the rows are images (channels, height, width) and not those of a table."""
    return data.x.ndim == 4


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python, portanet, NumPy and the named packages."""
    installed = {"python": platform.python_version(), "portanet": portanet.__version__}
    for package in ("numpy", "array-api-compat", *packages):
        if (version := version_of(package)) is not None:
            installed[package] = version
    return installed


def version_of(package: str) -> str | None:
    """The installed version; None if the package is missing. CuPy's package name contains the CUDA version."""
    names = backends.wheels().get(package, (package,))
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def folder_or_file(path: Path) -> Path:
    """The model file of a run folder, or the file itself."""
    return path / "model.safetensors" if path.is_dir() else path
