"""Weights from other programs and for them: nested dicts of arrays, and PyTorch's flat state dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from portanet import _peers
from portanet._calls import explained
from portanet._text import listed, shown
from portanet._tree import Path, tree_items, tree_map, tree_set
from portanet._typing import HostArray, Params, Shape
from portanet.backends import Backend, choose
from portanet.errors import ModelError
from portanet.nn import BatchNorm, Dense, Layer, LayerNorm, cross_entropy
from portanet.storage.model_card import ModelCard
from portanet.storage.model_file import require_arrays
from portanet.training.inputs.arguments import model_path, require_model, require_params
from portanet.training.inputs.arrays import to_host
from portanet.training.spec import TrainingSpec, chain_of
from portanet.training.trained.params import on_backend

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

# PyTorch's names for the arrays of a layer, if they differ from ours.
_NAMES: list[tuple[type[Layer], dict[str, str]]] = [
    (BatchNorm, {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}),
    (LayerNorm, {"scale": "weight", "shift": "bias"}),
]
_COUNTERS = "num_batches_tracked"  # of PyTorch's BatchNorm, which has no counterpart here


class Weights:
    """The part of `TrainedModel` that imports weights from elsewhere, and exports them."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(_peers.attribute("TrainedModel", name), name=name)

    @classmethod
    @explained
    def from_params(
        cls,
        network: Layer,
        params: Params,
        input_shape: Shape,
        *,
        loss: Any = cross_entropy,
        classes: Sequence[str] = (),
        dtype: str = "float32",
        backend: Backend | str = "numpy",
    ) -> Self:
        """A model of these layers and arrays, as if it had been trained here: it predicts, evaluates and is saved.

        network      the layers
        params       arrays by child name, as `TrainedModel.params` has them: {"0": {"weight": ..., "bias": ...}}
        input_shape  of one row, such as (784,) or (1, 28, 28)
        loss         what `evaluate` measures; it decides what the outputs are, such as logits for cross_entropy
        classes      the names of the classes, if they have names
        dtype        "float32" or "float64"
        backend      a Backend or its name

        Raises ModelError unless the arrays are those of the layers, by name and shape, DataError for masked arrays,
        ConfigError for other invalid settings, and BackendError if the backend cannot run.
        """
        require_model(network)
        require_params(params)
        spec = TrainingSpec(layers=chain_of(network), loss=loss, dtype=dtype)  # type: ignore[arg-type]
        card = ModelCard(_shape(input_shape), spec.dtype, tuple(map(str, classes)))
        host = tree_map(dict(params), lambda array: np.asarray(to_host(array), spec.dtype))
        require_arrays(network, dict(tree_items(host)), card)
        chosen = backend if isinstance(backend, Backend) else choose(backend)
        with chosen.session(spec.dtype):
            placed = on_backend(host, chosen, spec.dtype)
        made: Any = cls
        return made(network, placed, spec, chosen, card)

    @classmethod
    @explained
    def from_state_dict(
        cls,
        network: Layer,
        state: Mapping[str, Any],
        input_shape: Shape,
        *,
        loss: Any = cross_entropy,
        classes: Sequence[str] = (),
        dtype: str = "float32",
        backend: Backend | str = "numpy",
    ) -> Self:
        """A model of these layers with the arrays of a state dict of PyTorch, in the layout of `to_state_dict`.

        network      the layers
        state        tensors or arrays by name, as `torch_model.state_dict()` gives them
        input_shape  as for `from_params`
        loss         as for `from_params`
        classes      as for `from_params`
        dtype        as for `from_params`
        backend      as for `from_params`

        Layers that PyTorch lacks, such as Rescale, keep the arrays that `init` gives where the state has none.
        Raises ModelError for names that are missing or left over, and for other shapes; DataError for masked
        arrays.
        """
        require_model(network)
        if not isinstance(state, Mapping):
            raise ModelError(f"state must be a dict of arrays by name, got {shown(state)}.")
        drawn = network.init(np.random.default_rng(0), _shape(input_shape))
        left = {str(name) for name in state if not str(name).endswith(_COUNTERS)}
        params: Params = {}
        for entry in _entries(network.unfrozen(), drawn, ()):
            if entry.name in left:
                array = to_host(state[entry.name])
                tree_set(params, entry.path, array.T if entry.turned else array)
                left.remove(entry.name)
            elif entry.is_fixed:
                tree_set(params, entry.path, entry.array)
            else:
                there = listed(sorted(left)) or "nothing"
                raise ModelError(f"the state dict has no {entry.name}, which {entry.owner} needs; there is {there}.")
        if left:
            raise ModelError(f"the state dict has {min(left)}, which belongs to no layer of the network.")
        return cls.from_params(network, params, input_shape, loss=loss, classes=classes, dtype=dtype, backend=backend)

    def to_state_dict(self) -> dict[str, HostArray]:
        """The arrays on the host under the names and in the layout of PyTorch, for a `torch.nn.Sequential` like it.

        A Dense is a Linear, whose weight is transposed, (units, inputs); a BatchNorm's mean and variance are
        running_mean and running_var. `{name: torch.from_numpy(array) for name, array in ...}` makes tensors of them.
        """
        own: Any = self
        host = tree_map(dict(own.params), lambda array: np.array(to_host(array)))
        entries = _entries(own.model.unfrozen(), host, ())
        return {entry.name: np.array(entry.array.T if entry.turned else entry.array, order="C") for entry in entries}

    @explained
    def as_estimator(self) -> Any:
        """Return the model as a fitted `MLPClassifier` or `MLPRegressor` (extra `sklearn`).

        Raises ModelError for a network that does not end in Dense, PortanetError if scikit-learn is missing.
        """
        from portanet.estimators import as_estimator

        return as_estimator(self)

    @explained
    def explore(
        self, path: str | FilePath, *, examples: Any = None, precision: str = "auto", snapshots: Any = None
    ) -> TrainedModel:
        """Write one HTML page that runs the model, to play with; return the model with the weights that the page has.

        path       the file, a .html
        examples   labelled rows to show in it, a Dataset, preferably not those of training
        precision  of its weights: int8 with one scale a unit, float16 or float32; auto is int8 where the score on the
                   examples stays within 0.1 points, else float16
        snapshots  the callback `Snapshots` of the run, or what it kept, to replay the training

        The page opens from disk, without a network. Raises ConfigError for other settings, ModelError for a layer
        that the page cannot run, DataError if the file cannot be written.
        """
        from portanet.training.explorer.page import explore

        own: Any = self
        return explore(own, model_path(path, (".html",)), examples=examples, precision=precision, snapshots=snapshots)


def _shape(given: Any) -> Shape:
    """The shape of a row; raises ModelError for anything else."""
    sizes = (given,) if isinstance(given, int) else given
    if not isinstance(sizes, (tuple, list)) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ModelError(f"input_shape must be the shape of one row, such as (784,), got {shown(given)}.")
    return tuple(sizes)


class _Entry(NamedTuple):
    """An array of a model: its path in portanet, and its name in PyTorch.

    turned    whether PyTorch has it transposed
    is_fixed  whether it follows from the layer's settings alone
    owner     the layer, for messages
    """

    path: Path
    name: str
    array: HostArray
    turned: bool
    is_fixed: bool
    owner: str


def _entries(layer: Layer, params: Params, above: Path) -> Iterator[_Entry]:
    """The arrays of a layer and of the layers inside it."""
    names = next((names for kind, names in _NAMES if isinstance(layer, kind)), {})
    for name, array in params.items():
        if name in layer.children:
            yield from _entries(layer.children[name], array, (*above, name))
            continue
        theirs = ".".join((*above, names.get(name, name)))
        turned = isinstance(layer, Dense) and name == "weight"
        is_fixed = not (layer.trainable_names or layer.needs_fit)
        yield _Entry((*above, name), theirs, array, turned, is_fixed, repr(layer))
