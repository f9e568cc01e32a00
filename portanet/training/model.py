"""A trained model, with its history and metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from portanet._calls import explained as explains
from portanet._tree import tree_items, tree_map
from portanet._typing import Array, HostArray, Params, Shape
from portanet.backends import Backend, choose
from portanet.errors import CheckpointError
from portanet.export.files import FORMATS, write_export
from portanet.nn.layer import Layer
from portanet.nn.losses.loss import LossFunction, TaskKind
from portanet.report.figure import Page, figure
from portanet.storage import model_file
from portanet.storage.model_card import ModelCard
from portanet.storage.safetensors_file import explained
from portanet.training.inputs.arguments import as_custom, as_path, model_path
from portanet.training.inputs.arrays import to_host
from portanet.training.inputs.frames import Given
from portanet.training.inputs.labels import known_labels
from portanet.training.inputs.tasks import Task, task_of
from portanet.training.inputs.units import Unit
from portanet.training.spec import TrainingSpec, chain_of
from portanet.training.steps import shards
from portanet.training.steps.source import Source
from portanet.training.stopping import FINISHED
from portanet.training.trained.intervals import bounds
from portanet.training.trained.measure import measure, measure_targets, source_for
from portanet.training.trained.outputs import Outputs
from portanet.training.trained.params import TrainedParams, on_backend
from portanet.training.trained.report import record_of, report_of
from portanet.training.trained.summary import describe, html_table, table
from portanet.training.trained.weights import Weights


@dataclass(repr=False)
class TrainedModel(Weights):
    """The result of `fit` and `load`: a model that predicts, evaluates and is saved.

    model    the layers
    params   their arrays, by child name, on the backend's device
    spec     the settings of the run
    backend  the backend that it computes on
    card     what it knows of the data: the shape of a row, classes, columns, ...
    history  one dict for each logging point: step, epoch, learning_rate, loss, accuracy or r2, seconds, ...
    about    metadata kept in the model file: data, scores, ...; plain JSON data
    steps    the number of steps it was trained for
    seconds  the time that took
    workers  threads that share its batches
    stopped  why training ended: "finished", "early stopping", "interrupted" or "time limit"; "diverged" in the model
             of a DivergenceError, and empty after `load`
    held_out  the rows that `fit` validated on, with their labels; a file does not keep them
    sharing  the workers of several processes that share its batches, while they train; None otherwise
    """

    model: Layer
    params: Params
    spec: TrainingSpec
    backend: Backend
    card: ModelCard
    history: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    workers: int = 1
    stopped: str = ""
    held_out: Any = field(default=None, compare=False)
    sharing: shards.Workers | None = None

    _outputs: Outputs | None = field(default=None, init=False, compare=False)

    def __repr__(self) -> str:
        """The model as a table: layers, output shapes, parameters, and the multiply-accumulates of one row."""
        return f"{table(self.model, self.params, self.input_shape)}\n{self._size()}"

    def _repr_html_(self) -> str:
        """The same for a notebook, with the last row of the history."""
        lines = [self._size(), *(describe(row, self.spec.epochs, self.task.metric) for row in self.history[-1:])]
        below = "<br>".join(map(escape, lines))
        return f"{html_table(self.model, self.params, self.input_shape)}<p>{below}</p>"

    def _size(self) -> str:
        size = " x ".join(map(str, self.input_shape))
        trained = f"{self.steps} steps" if self.steps else ""
        if not self.steps and self.history:  # from an estimator, which counts epochs
            trained = f"{(count := self.history[-1]['epoch'])} epoch{'s' if count > 1 else ''}"
        ended = self.stopped if self.stopped != FINISHED else ""
        return ", ".join(filter(None, (f"input {size}", self.dtype, repr(self.backend), trained, ended)))

    @property
    def dtype(self) -> str:
        """The parameters' dtype, by name."""
        return self.card.dtype

    @property
    def input_shape(self) -> Shape:
        """The shape of one row."""
        return self.card.input_shape

    @property
    def loss(self) -> LossFunction:
        """The loss that it was trained with."""
        return self.spec.loss

    @property
    def task(self) -> Task:
        """The kind of labels that the model predicts: classes, several classes at once, or numbers."""
        return task_of(self.loss)

    @explains
    def predict(self, x: Any, *, codes: bool = False) -> npt.NDArray[Any]:
        """The prediction for each row, on the host.

        For a classifier, labels (N,) of the type used in training: text, booleans, integers as in `Dataset.labels`; or
        class numbers (int32) if it was trained on those, or with `codes`. For a multi-label model, ones and zeros
        (N, K), int32. For a regression model, numbers in the unit of the targets, (N, K), float64. The last two are
        (N,) if the model has one output.

        x      an array, a frame or a Dataset, whose columns are matched by name with those of the training; for a model
               of images also the path of a picture or of a folder of pictures, or a list of paths: see `portanet.read`
        codes  whether to return class numbers, which index `card.classes`, as in `Dataset.targets`

        Raises ModelError for rows of another shape.
        """
        if self.task.is_classification:
            answers = self._over(x, self.task.predictions)
            return self.card.named(answers) if self.task.has_one_class and not codes else answers
        outputs: Any = self.wide(self.outputs(x))
        return Unit.of_card(self.card).targets(np.asarray(self.task.predictions(outputs)))

    @explains
    def probabilities(self, x: Any) -> npt.NDArray[Any]:
        """The probability of each class for each row, (N, K), on the host.

        x  as for `predict`

        Raises ModelError for a regression model.
        """
        return self._over(x, self.task.probabilities)

    @explains
    def outputs(self, x: Any) -> npt.NDArray[Any]:
        """The output of the last layer for each row, (N, K), on the host: logits, or standardised numbers.

        x  as for `predict`

        Raises ModelError for rows of another shape.
        """
        return self._over(x, lambda outputs: outputs)

    @explains
    def intervals(self, x: Any) -> npt.NDArray[Any]:
        """The lower and upper bound of each target, in its unit, on the host: (N, 2), or (N, 2, K) for K targets.

        For a model trained with `nn.Quantile`. The bounds are its first and last level, calibrated on the rows of
        `valid` so that they hold that fraction of targets; without `valid` they are not calibrated.

        x  as for `predict`

        Raises ModelError for another model, and for rows of another shape.
        """
        found = bounds(self.wide(self.outputs(x)), self.card)
        return found[:, :, 0] if found.shape[2] == 1 else found

    @explains
    def evaluate(self, x: Any, labels: Any = None) -> dict[str, Any]:
        """Return the mean loss and metrics over the rows: {"accuracy" or "r2": ..., "loss": ..., "samples": ..., ...}.

        x       rows of the kinds that `fit` takes, or a Dataset, which has its labels
        labels  of the kinds that `fit` takes, matched with the model's classes by name; not all classes need to occur

        The loss is that of training: with class weights a weighted mean (0 if all weights are 0). The metrics count all
        rows alike. The loss of a regression is in standard deviations of the target, errors ("rmse", "mae",
        "median_error") in the target's unit. For several targets R2 is the mean, and "targets" has the metrics of each
        by name. Metrics that are not defined for these rows are left out, such as "roc_auc" if all are of one class;
        for more than 2^24 outputs only metric and loss are computed. Raises DataError for unknown labels, ModelError
        for rows of another shape.
        """
        with self.backend.session(self.dtype):
            found = measure(self, *self.labelled(x, labels), None)
        return found | ({"targets": each} if (each := measure_targets(self, x, labels)) else {})

    def labelled(self, x: Any, labels: Any = None, *, place: bool = False) -> tuple[Source, HostArray]:
        """Return rows and labels as `measure` takes them.

        x       as for `evaluate`
        labels  as for `evaluate`
        place   whether to place the rows on the device, for repeated use

        Raises DataError and ModelError as `evaluate`.
        """
        source, given = source_for(self, x, place=place), Given.of(x, labels)
        outputs = self.model.output_shape(self.input_shape)[0]
        return source, known_labels(self.loss, given.labels, len(source), outputs, self.card)

    @explains
    def save(self, path: str | Path) -> Path:
        """Write the model to one file and return its path; equal models give equal bytes.

        path  its suffix is the format: .safetensors is what `load` reads, on any backend; .onnx (extra `onnx`) runs in
              onnxruntime and other programs, .py in any Python with NumPy, .html in a browser: see `portanet.export`

        Raises ConfigError for another format, ModelError for arrays that do not match the layers, and DataError if the
        file cannot be written.
        """
        target = model_path(path, (*FORMATS, ".html"))
        if target.suffix == ".html":
            self.explore(target)
            return target
        params = tree_map(dict(self.params), to_host)
        arrays = dict(tree_items(params))
        model_file.require_arrays(self.model, arrays, self.card)
        if target.suffix in FORMATS:
            kind = getattr(self.loss, "task", TaskKind.CLASSIFY)
            return write_export(target, self.model, params, self.card, kind)
        return model_file.save_model(target, self.model, arrays, self.card, self.spec.to_dict(), self.about)

    def plot(self) -> Page:
        """The curves of the history: a notebook shows them, and `write_html(path)` saves them as one file.

        Raises PortanetError if jinja2 is missing, or there is no history, as after `load`.
        """
        return figure(record_of(self, "model"))

    @overload
    def report(self, path: None = None, x: Any = None, labels: Any = None) -> Page: ...
    @overload
    def report(self, path: str | Path, x: Any = None, labels: Any = None) -> Path: ...
    def report(self, path: str | Path | None = None, x: Any = None, labels: Any = None) -> Page | Path:
        """The report of the run, which a notebook shows; or with a path, written as one file, and that path.

        path       a file, or a folder for its report.html; the file opens offline
        x, labels  rows to measure on, as `evaluate` takes them; by default those that `fit` validated on

        Raises PortanetError if jinja2 is missing, DataError if the file cannot be written.
        """
        return report_of(self, path, x, labels)

    def _over(self, x: Any, answer: Callable[[Array], Array]) -> npt.NDArray[Any]:
        with self.backend.session(self.dtype):
            source = source_for(self, x)
            answers = self.map_outputs(source, lambda _, logits: self.backend.to_numpy(answer(logits)))
            return np.concatenate(list(answers))

    def wide(self, x: Any) -> Any:
        """A copy on the host, in float64.

        x  an array, or a number
        """
        return np.array(x if isinstance(x, np.ndarray) else self.backend.to_numpy(x), np.float64)

    def map_outputs(self, source: Source, part: Callable[[int, Array], Any]) -> Iterator[Any]:
        """Return the result of `part` for each block of rows, in order.

        source  the rows
        part    called with the number of the block's first row, and with its outputs
        """
        outputs = self._outputs
        if outputs is None or outputs.model is not self.model or outputs.backend is not self.backend:
            outputs = self._outputs = Outputs(self.model, self.backend, self.input_shape)
        size = outputs.rows
        workers, blocks = self.sharing or shards.workers(self.workers), source.blocks(size)
        return workers.map(lambda i: part(i * size, outputs(self.params, blocks[i])), len(blocks))


@explains
def load(
    path: str | Path, *, custom: Sequence[Any] | Mapping[str, Any] = (), backend: Backend | str = "numpy"
) -> TrainedModel:
    """The model in a file or a run folder; it gives the same predictions on any backend.

    path     a .safetensors file, or a run folder
    custom   your own layers, losses, optimizers, schedules, callbacks (dataclasses) and functions, as in
             `custom=[MyLayer]`: a file names what it needs, and never holds code
    backend  a Backend or its name

    Raises CheckpointError for a file that is missing, damaged or not a model, or that needs an unknown class;
    ConfigError for invalid settings; BackendError if the backend cannot run.
    """
    path, own = as_path("path", path), as_custom(custom)
    path = path / "model.safetensors" if path.is_dir() else path
    chosen = backend if isinstance(backend, Backend) else choose(backend)
    file = model_file.load_model(path, own)
    with explained(f"{path}: its settings cannot be used"):
        spec = replace(TrainingSpec.of_file(file.spec, own), layers=chain_of(file.model))
    if not callable(spec.loss):
        raise CheckpointError(f"{path} does not name its loss.")
    with chosen.session(file.card.dtype):
        params = TrainedParams(on_backend(file.params, chosen, file.card.dtype), file.card)
    return TrainedModel(file.model, params, spec, chosen, file.card, about=file.about)
