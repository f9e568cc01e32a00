"""Names from scikit-learn, Keras, PyTorch and optax, with what they are called here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import Any

from portanet._text import shown

# Arguments of other libraries, by ours where that is a single word; anything else is advice, in a sentence.

_EVERYWHERE = {
    "lr": "learning_rate",
    "step_size": "learning_rate",
    "learning_rate_init": "learning_rate",
    "epsilon": "eps",
    "b1": "beta1",
    "b2": "beta2",
    "beta_1": "beta1",
    "beta_2": "beta2",
    "betas": "write beta1=0.9, beta2=0.999",
    "kernel_initializer": "initializer",
    "weight_init": "initializer",
    "in_features": "leave it out: the inputs are found from the data",
    "in_channels": "leave it out: the inputs are found from the data",
    "input_shape": "leave it out: the inputs are found from the data",
    "input_dim": "leave it out: the inputs are found from the data",
    "num_features": "leave it out: the features are found from the data",
    "normalized_shape": "leave it out: the shape is found from the data",
    "activation": "put the activation after it, as a layer: Dense(16), ReLU()",
    "bias": "leave it out: the bias is always there",
    "use_bias": "leave it out: the bias is always there",
    "inplace": "leave it out: nothing is computed in place",
    "trainable": "wrap layers that are not trained: Frozen(layer)",
    "kernel_regularizer": "weight decay is the optimizer's: AdamW(weight_decay=0.01)",
    "data_format": "leave it out: images are (N, channels, height, width)",
    "name": "leave it out: a layer is named by its position in Sequential",
    "dtype": "give it to fit, which sets it for the whole model: fit(..., dtype='float64')",
    "device": "give fit a backend: fit(..., backend=choose('torch', 'cuda'))",
    "from_logits": "leave it out: losses take logits, and the model ends in Dense, without Softmax or Sigmoid",
    "reduction": "leave it out: a loss is the mean over the rows, by their weights",
    "size_average": "leave it out: a loss is the mean over the rows, by their weights",
    "pos_weight": "give fit sample_weight, which counts rows",
    "ignore_index": "leave those rows out, or give them the weight 0 in fit(..., sample_weight=...)",
    "params": "leave the parameters out: fit passes them to the optimizer",
    "clipnorm": "write ClipByGlobalNorm(Adam(), max_norm=1.0)",
    "global_clipnorm": "write ClipByGlobalNorm(Adam(), max_norm=1.0)",
    "clipvalue": "write ClipByGlobalNorm(Adam(), max_norm=1.0)",
    "max_grad_norm": "write ClipByGlobalNorm(Adam(), max_norm=1.0)",
    "use_ema": "write EMA(Adam(), decay=0.999)",
    "ema_momentum": "decay",
    "initial_learning_rate": "the rate is the optimizer's, and a schedule is a factor of it: optimizer=Adam(0.001)",
    "init_value": "the rate is the optimizer's, and a schedule is a factor of it: optimizer=Adam(0.001)",
    "max_lr": "the rate is the optimizer's, and a schedule is a factor of it: optimizer=Adam(0.001)",
    "decay_steps": "leave it out: fit tells a schedule the length of the run",
    "total_steps": "leave it out: fit tells a schedule the length of the run",
    "steps_per_epoch": "leave it out: fit finds it from rows and batch_size",
    "T_max": "leave it out: fit tells a schedule the length of the run",
    "verbose": "leave it out: callbacks=[Progress()] in fit shows how far the run is",
}

_ARGUMENTS = {
    "Dense": {"out_features": "units", "output_dim": "units", "features": "units", "n_units": "units"},
    "Conv2D": {
        "out_channels": "filters", "features": "filters", "strides": "stride", "kernel": "kernel_size",
        "dilation": "leave it out: the points of a kernel are neighbours",
        "dilation_rate": "leave it out: the points of a kernel are neighbours",
        "groups": "leave it out: each filter looks at all channels",
    },
    "BatchNorm": {"momentum_": "momentum", "axis": "leave it out: axis 1 holds the features"},
    "LayerNorm": {"axis": "leave it out: all values of a row are normalised together"},
    "Dropout": {"p": "rate", "prob": "rate", "seed": "give it to fit: fit(..., seed=0)"},
    "Embedding": {
        "num_embeddings": "vocabulary", "vocab_size": "vocabulary", "input_dim": "vocabulary",
        "embedding_dim": "features", "output_dim": "features",
    },
    "LeakyReLU": {"negative_slope": "slope", "alpha": "slope"},
    "ReLU": {"negative_slope": "write LeakyReLU(0.01)", "alpha": "write LeakyReLU(0.01)"},
    "GELU": {"approximate": "leave it out: it is the form with tanh"},
    "Reshape": {"target_shape": "shape"},
    "Rescale": {"scale": "factor"},
    "RandomAffine": {"degrees": "rotation", "translate": "shift is the most in pixels: RandomAffine(shift=2)"},
    "uniform": {"minval": "low", "maxval": "high", "a": "low", "b": "high"},
    "CrossEntropy": {"weight": "class_weight", "weights": "class_weight"},
    "Huber": {"beta": "delta"},
    "SGD": {"dampening": "leave it out: there is none"},
    "Adam": {"weight_decay": "AdamW has it: AdamW(0.001, weight_decay=0.01)"},
    "NAdam": {"weight_decay": "AdamW has it: AdamW(0.001, weight_decay=0.01)"},
    "RMSProp": {"rho": "alpha", "decay": "alpha"},
    "ClipByGlobalNorm": {"clip_norm": "max_norm", "max_norm_": "max_norm"},
    "EMA": {"momentum": "decay"},
    "step_decay": {"gamma": "factor", "step_size": "every", "decay_rate": "factor"},
    "exponential_decay": {"gamma": "factor", "decay_rate": "factor", "decay_steps": "every"},
    "inverse_scaling": {"power_t": "power"},
    "cosine_decay": {
        "alpha": "final", "warmup_steps": "warmup", "eta_min": "final is relative to the rate: cosine_decay(final=0.1)",
    },
    "linear_warmup": {"warmup_steps": "warmup"},
    "EarlyStopping": {
        "min_delta": "min_change",
        "mode": "leave it out: lower is better for a loss, higher for the other entries",
        "restore_best_weights": "leave it out: the best weights are always restored",
    },
    "ReduceOnPlateau": {
        "min_delta": "threshold is relative: threshold=1e-4",
        "mode": "leave it out: lower is better for a loss, higher for the other entries",
    },
    "fit": {
        "X": "x", "y": "labels", "targets": "labels", "train_labels": "labels",
        "lr": "the rate is the optimizer's: optimizer=Adam(0.001)",
        "learning_rate": "the rate is the optimizer's: optimizer=Adam(0.001)",
        "learning_rate_init": "the rate is the optimizer's: optimizer=Adam(0.001)",
        "weight_decay": "it is the optimizer's: optimizer=AdamW(weight_decay=0.01)",
        "momentum": "it is the optimizer's: optimizer=SGD(0.01, momentum=0.9)",
        "validation_data": "valid", "eval_set": "valid", "validation_split": "valid", "validation_fraction": "valid",
        "n_epochs": "epochs", "num_epochs": "epochs", "max_iter": "epochs", "max_epochs": "epochs",
        "random_state": "seed", "criterion": "loss", "scheduler": "schedule", "lr_scheduler": "schedule",
        "n_jobs": "workers", "num_workers": "workers",
        "shuffle": 'leave it out: rows are shuffled in each epoch, except with batch_size="full"',
        "metrics": "leave it out: accuracy or R2 is always measured",
        "early_stopping": "write callbacks=[EarlyStopping(patience=5)], with valid=...",
        "patience": "write callbacks=[EarlyStopping(patience=5)], with valid=...",
        "device": "name a backend: backend=choose('torch', 'cuda')",
    },
    "load": {
        "layers": "custom", "custom_objects": "custom", "map_location": "name a backend: backend='torch'",
        "device": "name a backend: backend=choose('torch', 'cuda')",
    },
    "read": {
        "y": "label", "target": "label", "label_column": "label", "target_column": "label", "filepath": "source",
        "path": "source", "sep": "separator", "delimiter": "separator", "na_values": "missing",
    },
    "predict": {"batch_size": "leave it out: memory stays bounded, whatever the number of rows"},
    "evaluate": {
        "batch_size": "leave it out: memory stays bounded, whatever the number of rows", "y": "labels",
    },
    "Checkpoints": {
        "filepath": "folder", "path": "folder", "dirpath": "folder", "save_freq": "every",
        "save_best_only": "write callbacks=[EarlyStopping()], which restores the best weights",
    },
}  # fmt: skip

# Calls with more arguments by position than there are, or with one that means something else elsewhere.
_CALLS = {
    ("Dense", 2): "Dense({1}); the inputs are found from the data",
    ("Conv2D", 3): "Conv2D({1}, {2}); the input channels are found from the data",
    ("Conv2D", 4): "Conv2D({1}, {2}, stride={3}); the input channels are found from the data",
    ("BatchNorm", 1): "BatchNorm(); the features are found from the data",
    ("LayerNorm", 1): "LayerNorm(); the shape is found from the data",
    ("MaxPool2D", 2): "MaxPool2D({0}); its squares do not overlap",
    ("AveragePool2D", 2): "AveragePool2D({0}); its squares do not overlap",
    ("RandomAffine", 1): "RandomAffine(rotation=10), in degrees, or RandomAffine(shift=2), in pixels",
    ("CrossEntropy", 1): "CrossEntropy(class_weight={0}) or CrossEntropy(label_smoothing=0.1)",
    ("AdamW", 2): "AdamW({0}, weight_decay={1}) or AdamW({0}, beta1={1})",
    ("AdaGrad", 2): "AdaGrad({0}, weight_decay={1}) or AdaGrad({0}, eps={1})",
    ("constant", 1): "constant(); the rate is the optimizer's, as in Adam(0.001)",
    ("exponential_decay", 3): "exponential_decay({2}, {1}); the rate is the optimizer's, as in Adam({0})",
    ("cosine_decay", 1): "cosine_decay(warmup=0.05); the rate is the optimizer's, as in Adam(0.001)",
    ("cosine_decay", 2): "cosine_decay(); the rate is the optimizer's, as in Adam({0}), and the length the run's",
    ("one_cycle", 1): "one_cycle(); the rate is the optimizer's, as in Adam({0})",
    ("one_cycle", 2): "one_cycle(); the rate is the optimizer's, as in Adam({0}), and the length the run's",
    ("EarlyStopping", 2): "EarlyStopping({0}, patience=5)",
    ("EarlyStopping", 3): "EarlyStopping({0}, min_change={1}, patience={2})",
    ("ReduceOnPlateau", 2): "ReduceOnPlateau({0}, factor=0.1)",
}

_NO_SOFTMAX = "{0} is not a layer here: the loss cross_entropy contains the softmax, so end the model in Dense"

# Names of other libraries, with ours, or with what to do in a sentence.
_NAMES = {
    "Softmax": _NO_SOFTMAX.format("Softmax"),
    "Softmax2d": _NO_SOFTMAX.format("Softmax2d"),
    "LogSoftmax": _NO_SOFTMAX.format("LogSoftmax"),
    "Linear": "Dense",
    "Conv2d": "Conv2D",
    "Convolution2D": "Conv2D",
    "MaxPool2d": "MaxPool2D",
    "MaxPooling2D": "MaxPool2D",
    "AvgPool2d": "AveragePool2D",
    "AveragePooling2D": "AveragePool2D",
    "AdaptiveAvgPool2d": "GlobalAveragePool2D",
    "GlobalAveragePooling2D": "GlobalAveragePool2D",
    "BatchNorm1d": "BatchNorm",
    "BatchNorm2d": "BatchNorm",
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "Dropout2d": "Dropout",
    "Rescaling": "Rescale",
    "Normalization": "Standardize",
    "StandardScaler": "Standardize",
    "Swish": "SiLU",
    "CrossEntropyLoss": "CrossEntropy",
    "NLLLoss": "CrossEntropy",
    "CategoricalCrossentropy": "CrossEntropy",
    "SparseCategoricalCrossentropy": "CrossEntropy",
    "BCELoss": "BinaryCrossEntropy",
    "BCEWithLogitsLoss": "BinaryCrossEntropy",
    "BinaryCrossentropy": "BinaryCrossEntropy",
    "MSELoss": "MeanSquaredError",
    "L1Loss": "MeanAbsoluteError",
    "HuberLoss": "Huber",
    "SmoothL1Loss": "Huber",
    "PoissonNLLLoss": "Poisson",
    "MultiMarginLoss": "Hinge",
    "Adagrad": "AdaGrad",
    "RMSprop": "RMSProp",
    "Nadam": "NAdam",
    "StepLR": "step_decay",
    "ExponentialLR": "exponential_decay",
    "ExponentialDecay": "exponential_decay",
    "CosineAnnealingLR": "cosine_decay",
    "CosineDecay": "cosine_decay",
    "OneCycleLR": "one_cycle",
    "ReduceLROnPlateau": "ReduceOnPlateau",
    "ModelCheckpoint": "fit keeps checkpoints itself: fit(..., checkpoints='folder')",
}


_TRAIN = "train with run = portanet.fit(model, x, labels), "

# Methods of other libraries' models, of layers and of trained models.
_METHODS = {
    "Layer": {
        "compile": f"{_TRAIN}which takes loss, optimizer and epochs",
        "predict": f"{_TRAIN}then run.predict(x)",
        "predict_proba": f"{_TRAIN}then run.probabilities(x)",
        "evaluate": f"{_TRAIN}then run.evaluate(x, labels)",
        "score": f"{_TRAIN}then run.evaluate(x, labels)",
        "summary": f"{_TRAIN}then print(run)",
        "parameters": f"{_TRAIN}then run.params; a layer holds no arrays",
        "state_dict": f"{_TRAIN}then run.to_state_dict(); a layer holds no arrays",
        "load_state_dict": "write TrainedModel.from_state_dict(model, state, input_shape)",
        "train": f"{_TRAIN}which knows when it trains",
        "eval": f"{_TRAIN}which knows when it trains",
        "to": f"{_TRAIN}with backend='cupy' or backend=choose('torch', 'cuda')",
        "cuda": f"{_TRAIN}with backend='cupy' or backend=choose('torch', 'cuda')",
        "add": "give all layers at once: Sequential(Dense(16), ReLU(), Dense(3))",
        "append": "give all layers at once: Sequential(Dense(16), ReLU(), Dense(3))",
    },
    "TrainedModel": {
        "predict_proba": "write run.probabilities(x)",
        "decision_function": "write run.outputs(x)",
        "score": "write run.evaluate(x, labels)",
        "fit": "to train it further write fit(run.model, x, labels, params=run.params)",
        "summary": "write print(run)",
        "parameters": "write run.params",
        "state_dict": "write run.to_state_dict()",
        "load_state_dict": "write TrainedModel.from_state_dict(network, state, input_shape)",
        "save_weights": "write run.save('model.safetensors')",
        "eval": "leave it out: a trained model only predicts",
    },
}


def attribute(owner: str, word: str) -> str:
    """Return the message for an unknown attribute, with what to write in place of another library's method."""
    remedy = _METHODS[owner].get(word, "")
    return f"{owner} has no {word!r}" + (f"; {remedy}." if remedy else "")


def argument(owner: str, word: str, value: Any, allowed: Collection[str]) -> str:
    """Return what to write in place of an argument that `owner` does not take."""
    ours = _ARGUMENTS.get(owner, {}).get(word) or _EVERYWHERE.get(word, "")
    if ours in allowed:
        return f"it is called {ours} here: {owner}({ours}={shown(value)})"
    if " " in ours:
        return ours
    close = difflib.get_close_matches(word, allowed, 1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}it takes {', '.join(allowed) or 'none'}"


def call(owner: str, arguments: Sequence[Any]) -> str:
    """Return what to write in place of a call with too many arguments by position; empty where that is not known."""
    if owner == "Reshape":
        return f"write Reshape(({', '.join(map(shown, arguments))}))"
    if arguments and isinstance(arguments[-1], str) and owner in ("Dense", "Conv2D"):
        return _EVERYWHERE["activation"]
    if callable(arguments[-1]) and owner in ("Dense", "Conv2D", "Embedding"):
        return f"write initializer={getattr(arguments[-1], '__name__', shown(arguments[-1]))}"
    form = _CALLS.get((owner, len(arguments)), "")
    return f"write {form.format(*map(shown, arguments))}" if form else ""


def name(word: str, known: Collection[str]) -> str:
    """Return what to write in place of a name that is not among those known."""
    if other := renamed(word, known):
        return other
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, 1)
    guess = f"did you mean {by_lower[close[0]]!r}? " if close else ""
    return f"{guess}known: {', '.join(sorted(known))}"


def renamed(word: str, known: Collection[str]) -> str:
    """Return what another library's name is called here, or what to do in its place; empty for other names."""
    ours = _NAMES.get(word, "")
    return f"it is called {ours} here" if ours in known else ours if " " in ours else ""
