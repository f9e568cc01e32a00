"""`fit`: train a model on rows and labels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from portanet._calls import explained
from portanet._settings import to_dict, with_python_numbers
from portanet._tree import tree_items
from portanet._typing import HostArray, Params
from portanet.backends import Backend
from portanet.data import Dataset
from portanet.data.fingerprint import fingerprint
from portanet.data.pictures.digit import are_like_mnist
from portanet.errors import BackendError
from portanet.mpi.ranks import Ranks, as_ranks
from portanet.nn.layer import Layer
from portanet.nn.losses.loss import LossFunction
from portanet.optim import Adam, Optimizer, Schedule, constant
from portanet.storage.model_card import ModelCard
from portanet.training.callbacks import Callback
from portanet.training.checkpoints import Checkpoints
from portanet.training.inputs.arguments import as_checkpoints, as_loss, require_model
from portanet.training.inputs.arrays import as_array, backend_for, require_numbers, require_rows, to_host
from portanet.training.inputs.ends import outputs_of, require_reach
from portanet.training.inputs.frames import Given, as_table
from portanet.training.inputs.labels import learn_labels, put_labels
from portanet.training.inputs.offsets import name_of
from portanet.training.inputs.row_weights import row_weights
from portanet.training.inputs.tasks import loss_for, task_of
from portanet.training.inputs.units import Unit, require_squares
from portanet.training.inputs.validation import hold_out, pair_of, share_of
from portanet.training.loop.batches import Batches
from portanet.training.loop.history import History
from portanet.training.loop.loop import Plan, train
from portanet.training.loop.resume import Resume
from portanet.training.loop.together import Alone, Together, own_device, require_same, require_shareable
from portanet.training.loop.watchers import watched_by, with_metric
from portanet.training.model import TrainedModel
from portanet.training.progress import Progress, in_notebook
from portanet.training.spec import TrainingSpec, chain_of, require_whole
from portanet.training.steps.gradient import team
from portanet.training.steps.source import Examples, Source, as_source
from portanet.training.stopping import Stop
from portanet.training.trained.calibration import put_right, require_calibratable
from portanet.training.trained.params import TrainedParams, first_params


@explained
def fit(
    model: Layer,
    x: Any,
    labels: Any = None,
    *,
    valid: Dataset | tuple[Any, Any] | float | None = None,
    metric: str | None = None,
    task: str | None = None,
    loss: LossFunction | str | None = None,
    optimizer: Optimizer | str = Adam(),  # noqa: B008 - frozen
    schedule: Schedule | str = constant(),  # noqa: B008 - frozen
    epochs: int = 10,
    batch_size: int | Literal["full", "auto"] = 128,
    sample_weight: Any = None,
    params: Params | None = None,
    accumulate: int = 1,
    backend: Backend | str | None = None,
    dtype: Literal["float32", "float64"] = "float32",
    seed: int = 0,
    class_weight: Mapping[Any, float] | Sequence[float] | Literal["balanced"] | None = None,
    calibrate: bool = False,
    log_every: int = 1,
    workers: int | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
    checkpoints: Checkpoints | str | Path | None = None,
    time_limit: float | None = None,
    communicator: Any = None,
) -> TrainedModel:
    """Train `model` on rows `x` (N, ...) and their `labels`, or on a Dataset, which has both; return the trained model.

    Rows are never changed. From a memory map only the rows of one step are read at a time.

    model          the layers; a Dense with units=None gets one unit for each output of the data
    x              an array, a pandas or polars frame, whose column names the model keeps, or a Dataset; if the model
                   begins with `Columns()`, a frame is read as a table, with text, dates and gaps, as `read` does
    labels         class numbers (N,) from 0, as in PyTorch and Keras; or text, booleans, categories or bytes (N,),
                   which are classes in ascending order, one for each output, and which `predict` returns; or class
                   probabilities (N, K); for a regression, numbers (N,) or (N, K); for binary_cross_entropy, ones and
                   zeros (N, K)
    valid          validation rows, measured at every logging point and never trained on: a Dataset, or rows and
                   labels; or the fraction of the rows to hold out, such as 0.1. Held-out rows are stratified by class,
                   the same for every seed, and the same as those of `portanet train`
    metric         the validation metric for early stopping and the best epoch: "roc_auc", "log_loss",
                   "balanced_accuracy", "f1", "average_precision"; "rmse", "mae", "median_error"; "loss"
    task           "classify", "regress", "multilabel" or "count": the kind of labels; a loss implies it
    loss           the loss to minimise, or its name, such as "mse"; by default that of the task, and cross_entropy
                   without a task. The targets of a regression are standardised for it: see below
    optimizer      an optimizer, whose first argument is the learning rate, as in `Adam(0.001)`; or a name, such as
                   "sgd", for one with its usual rate
    schedule       (step, steps) -> the factor of the learning rate over the run; or a name, such as "cosine_decay",
                   for one with default settings
    epochs         passes over the rows
    batch_size     rows in a step, shuffled each epoch; "full" takes all rows in every step, in their order;
                   "auto" makes equal batches of at least 256 rows, if there are that many
    sample_weight  (N,) the weight of each row, normalised to sum 1 over each batch. `loss` and `valid_loss` in the
                   history are means with these weights, times those of the classes if there are any
    params         initial arrays instead of random ones, such as `load(path).params`
    accumulate     compute each batch in this many parts, one after the other, to need less memory
    backend        a Backend or its name; by default the library that the arrays belong to
    dtype          "float32" or "float64": the dtype of the weights and of the computation
    seed           for weights, shuffling and noise
    class_weight   a number for each class; a dict of numbers by class, in which an omitted class counts 1; or
                   "balanced": inverse class frequency
    calibrate      whether to calibrate class probabilities on the rows of `valid` by temperature scaling of the last
                   Dense; the predicted classes stay the same
    log_every      epochs from one row of the history to the next
    callbacks      called in this order; by default a notebook shows the progress, [] shows nothing
    checkpoints    a folder to save the run in while it trains, and to resume from: see `Checkpoints`
    workers        threads that share a batch on NumPy; by default one for each core, or fewer if a container's quota
                   or OMP_NUM_THREADS says so; the result is the same
    time_limit     seconds after which training stops and returns the model so far
    communicator   an MPI communicator, such as mpi4py.MPI.COMM_WORLD: its processes all make this call, share each
                   batch and return the same model; or `Ranks(communicator, ...)` with settings: see `portanet.mpi`

    The targets of a regression are standardised: minus their mean, divided by their standard deviation, both weighted
    by `sample_weight` and in float64 (counts are divided by their mean). The model keeps both, and `predict` returns
    the target's own unit. Losses in the history are in standard deviations. A model that ends in a layer without
    weights, such as Softplus or Rescale, and a loss with `own_unit` take targets unchanged.

    Initial weights and the order of the rows depend on `seed` alone, on every backend. Ctrl-C stops training after the
    current step and returns the model so far: `stopped` says so, and with checkpoints the next call resumes. A second
    Ctrl-C raises KeyboardInterrupt. If a run diverges, the last finite model is the `model` of the DivergenceError.
    Raises DataError for rows or labels that cannot be used, ModelError if rows and layers do not fit, and ConfigError
    for impossible settings.
    """
    require_model(model)
    require_rows(x, labels)
    stop, ranks = Stop(time_limit), as_ranks(communicator)
    spec = TrainingSpec(
        layers=chain_of(model), loss=loss_for(task, None if loss is None else as_loss(loss)), optimizer=optimizer,  # type: ignore[arg-type]
        schedule=schedule, epochs=epochs, batch_size=batch_size, accumulate=accumulate, dtype=dtype, seed=seed,  # type: ignore[arg-type]
        callbacks=callbacks, class_weight=class_weight, log_every=log_every, valid=share_of(valid),  # type: ignore[arg-type]
        calibrate=calibrate,
    )  # fmt: skip
    spec = with_metric(spec, metric, held_out=valid is not None and valid != 0)
    require_calibratable(spec, model, held_out=valid is not None and valid != 0)
    rows = (x, labels, sample_weight)
    with ranks.together() if ranks else contextlib.nullcontext():
        (x, labels, sample_weight), held_out = hold_out(rows, valid, classes=task_of(spec.loss).has_one_class)
        return fit_spec(
            spec, model, x, labels, valid=held_out, sample_weight=sample_weight, params=params, backend=backend,
            workers=workers, checkpoints=checkpoints, stop=stop, ranks=ranks,
            watchers=[Progress()] if callbacks is None and in_notebook() else (),
        )  # fmt: skip


def fit_spec(
    spec: TrainingSpec,
    model: Layer,
    x: Any,
    labels: Any = None,
    *,
    valid: Dataset | tuple[Any, Any] | None = None,
    sample_weight: Any = None,
    params: Params | None = None,
    backend: Backend | str | None = None,
    workers: int | None = None,
    checkpoints: Checkpoints | str | Path | None = None,
    watchers: Sequence[Callback] = (),
    stop: Stop | None = None,
    ranks: Ranks | None = None,
) -> TrainedModel:
    """Train `model` with the settings of a spec: `fit`, with its settings in one object.

    `watchers` are called with the spec's callbacks. They are not settings of the run, nor are `stop`, which may end the
    run early, and the `ranks` that share it.
    """
    stop = Stop() if stop is None else stop
    workers = None if workers is None else require_whole("workers", workers)
    given = Given.of(x, labels)
    base = params.card if isinstance(params, TrainedParams) else None
    known = ModelCard(()) if base is None else base
    given, model = as_table(given, model, known)
    spec = replace(spec, layers=chain_of(model))
    rows = given.rows(known)
    chosen, full = backend_for(backend, rows), spec.batch_size == "full"
    if ranks and not isinstance(backend, Backend):
        chosen = own_device(ranks, chosen)
    x, model = as_array(rows, chosen), with_python_numbers(model)
    require_numbers(x)
    spec = spec.for_rows(x.shape[0])
    if ranks:
        require_shareable(model, chosen)
    outputs, task = outputs_of(model, tuple(x.shape[1:]), spec.loss), task_of(spec.loss)
    kept = as_checkpoints(checkpoints)
    size = None if full else int(spec.batch_size)
    with chosen.session(spec.dtype), _advising(chosen, size or x.shape[0]):
        source = as_source(x, model, chosen, spec.dtype, offsets=None if base is None else base.offsets)
        if full:
            source.require_full_batch()
        learned = learn_labels(spec.loss, given.labels, len(source), outputs, known.classes)
        host_labels = learned.targets
        if not task.is_classification:
            require_reach(model, host_labels)
        spec = spec.with_weighted_loss(host_labels, outputs, learned.classes)
        weights = row_weights(sample_weight, getattr(spec.loss, "class_weight", ()), host_labels, outputs)
        put_weights = None if weights is None else chosen.put(weights, spec.dtype)
        unit = _unit(spec, model, host_labels, weights, base)
        targets = unit.numbers(host_labels)
        examples = Examples(source, host_labels, put_labels(targets, chosen, spec.dtype), put_weights)
        card = ModelCard(
            tuple(x.shape[1:]), spec.dtype, learned.classes, given.columns(known),
            given.label_for(one_class=task.has_one_class), class_kind=learned.kind, offsets=source.card_offsets,
            pixels=name_of(x.dtype) == "uint8", target_center=unit.center, target_scale=unit.scale,
            levels=getattr(spec.loss, "levels", ()), table=given.table(known), digits=are_like_mnist(rows),
        )  # fmt: skip
        start = TrainedParams(first_params(model, source, params, spec.seed, spec.dtype), card)
        workers = ranks.threads() if ranks and workers is None else workers
        run = TrainedModel(model, start, spec, chosen, card, workers=chosen.threads(workers), held_out=valid)
        held_out = None if valid is None else run.labelled(*pair_of(valid), place=True)
        identity = _identity(run, examples, held_out, params) if kept or ranks else {}
        if ranks:
            require_same(ranks, identity, chosen)
        shared = Together(ranks, len(source)) if ranks else Alone()
        plan = Plan(spec, Batches(len(source), size, spec.seed), shared.watchers((*spec.callbacks, *watchers)), ranks)
        resume = Resume(run, plan.watchers, shared.checkpoints(kept), identity)
        history = History(run, task, targets, weights, held_out, team(run, ranks), watched_by(plan, targets))
        with stop.listening():
            train(run, examples, plan, history, resume, shared.stop(stop))
        if held_out is not None:
            put_right(run, *held_out)
    return run


@contextlib.contextmanager
def _advising(backend: Backend, rows: int) -> Iterator[None]:
    """Add advice to the error if the device runs out of memory."""
    try:
        yield
    except Exception as error:
        if not backend.out_of_memory(error):
            raise
        tried = f"{backend.name} on {backend.device} has no memory left for steps of {rows} rows"
        raise BackendError(f"{tried}.", "memory", remedy=f"try batch_size={max(1, rows // 2)} or less") from error


def _identity(
    run: TrainedModel, examples: Examples, valid: tuple[Source, HostArray] | None, params: Params | None
) -> dict[str, Any]:
    """The settings, layers and data that must be the same to resume an interrupted run."""
    held_out = () if valid is None else (valid[0].host_rows, valid[1])
    weights = None if examples.weights is None else run.backend.to_numpy(examples.weights)
    start = [to_host(array) for _, array in tree_items(params or {})]
    start += [np.asarray(run.card.offsets)] if run.card.offsets else []
    arrays = (examples.source.host_rows, examples.labels, weights, *held_out, *start)
    return run.spec.to_dict() | {"layers": to_dict(run.model), "data": fingerprint(*arrays)}


def _unit(
    spec: TrainingSpec, model: Layer, labels: HostArray, weights: HostArray | None, base: ModelCard | None
) -> Unit:
    """The unit of the targets: that of the model to start from, else one fitted to the targets."""
    task = task_of(spec.loss)
    if task.is_classification:
        return Unit()
    if getattr(spec.loss, "own_unit", False) or not model.learns_unit:
        require_squares(labels, spec.dtype)
        return Unit()
    if base is not None and base.target_scale:
        return Unit.of_card(base)
    return task.unit(labels, weights)
