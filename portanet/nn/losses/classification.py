"""Classification losses. Models end in logits: the losses turn them into probabilities themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.nn.losses.class_weight import ClassWeight, as_class_weight, is_resolved
from portanet.nn.losses.loss import Loss as Loss
from portanet.nn.losses.loss import TaskKind, require_positive
from portanet.xp import cast, device, namespace


def softmax(logits: Array) -> Array:
    """The probabilities of logits.

        p_k = exp(z_k - max z) / sum_j exp(z_j - max z)        z, p (N, K)

    logits  (N, K) z

    The row's maximum is subtracted, so no exponential overflows (Goodfellow et al. 2016, section 4.1).
    """
    xp, z = namespace(logits), _columns(logits)
    p = xp.exp(z - xp.max(z, axis=0))
    p /= xp.sum(p, axis=0)
    return p.T


def sigmoid(logits: Array) -> Array:
    """The independent probability of each class, without overflow for any logit.

        p = 1 / (1 + exp(-z))        any shape

    logits  z

    Berkson 1944, "Application of the Logistic Function to Bio-Assay".
    """
    xp = namespace(logits)
    return xp.exp(xp.minimum(logits, 0.0)) / (1.0 + xp.exp(-xp.abs(logits)))  # no exponent is ever positive


@dataclass(frozen=True, repr=False)
class CrossEntropy(Loss):
    """The negative log-likelihood of the label under the softmax of the outputs.

        nll_ik = log(sum_j exp z_ij) - z_ik        value_i = nll_i,label        dz_ik = weights_i (p_ik - [k = label_i])

    outputs z (N, K) are logits, labels (N,) int32 in 0..K-1, or (N, K) a probability y_ik for each class, weights (N,).
    Each row's maximum is subtracted first, so nothing overflows.

    label_smoothing  e: the label has weight 1 - e, and every class e / K (Szegedy et al. 2016, arXiv:1512.00567)
    class_weight     w: the weight of each class, one number per class; by default 1 for all. Or a dict of numbers by
                     class, in which an omitted class has weight 1, or "balanced", inverse class frequency: `fit`, which
                     knows the classes, turns both into numbers

    As in torch.nn.functional.cross_entropy, with class weights the loss is a sum over rows divided by the sum of
    their labels' weights, or by N if labels are probabilities. So for class numbers the caller, as `fit` and
    `evaluate` do, multiplies the weights by w_label before normalising them to sum 1, and the value is divided by it
    again:

        labels (N,)      value_i = ((1 - e) w_label nll_i,label + e/K sum_k w_k nll_ik) / w_label
        labels (N, K)    value_i = sum_k w_k ((1 - e) y_ik + e/K) nll_ik

    So a row whose label has weight 0 does not count, whereas PyTorch still smooths it. scikit-learn has no label
    smoothing. Good 1952, "Rational Decisions". Raises ConfigError unless 0 <= label_smoothing <= 1, and for class
    weights that are negative, all zero or not one for each output, and DataError for labels of another shape.
    """

    takes_shares: ClassVar[bool] = True
    takes_logits: ClassVar[str] = "it contains the softmax"

    _: KW_ONLY
    label_smoothing: float = 0.0
    class_weight: ClassWeight = ()

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing <= 1:
            raise ConfigError(f"CrossEntropy needs 0 <= label_smoothing <= 1, got {self.label_smoothing!r}.")
        object.__setattr__(self, "class_weight", as_class_weight(type(self).__name__, self.class_weight))

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, labels.shape)
        xp, z = namespace(outputs), _columns(outputs)
        shares, row_sums = self._shares(z, labels, weights)
        z = z - xp.max(z, axis=0)
        p = xp.exp(z)
        total = xp.sum(p, axis=0)
        values = xp.log(total) - z
        values *= shares
        p *= row_sums / total
        p -= shares
        return xp.sum(values), p.T

    def _shares(self, z: Array, labels: Array, weights: Array) -> tuple[Array, Array]:
        """The weight of each nll, (K, N), and its sum over the classes."""
        xp = namespace(z)
        classes = xp.arange(z.shape[0], dtype=xp.int32, device=device(z))[:, None]
        numbers = self._numbers(z.shape[0], ratios=labels.ndim == 1)
        if labels.ndim == 1:
            shares = xp.astype(labels == classes, z.dtype)
            shares *= weights
            if self.label_smoothing == 0:
                return shares, weights
        else:
            shares = cast(_columns(labels), z.dtype) * weights
        if self.label_smoothing:
            shares = shares * (1.0 - self.label_smoothing) + weights * (self.label_smoothing / z.shape[0])
        if self.class_weight:
            of_class = self._of_class(numbers, classes, z)
            shares *= of_class
            if labels.ndim == 1:
                of_label = xp.take(of_class[:, 0], labels, axis=0)
                shares /= xp.where(of_label > 0, of_label, 1.0)  # if it is 0, so is the row's weight
        return shares, xp.sum(shares, axis=0)

    def _numbers(self, outputs: int, *, ratios: bool) -> list[float]:
        """The class weights as Python numbers, over the largest where only `ratios` count: so they fit any dtype."""
        if not is_resolved(self.class_weight):
            raise ConfigError("CrossEntropy has class weights by name, which fit makes numbers: call it with numbers.")
        if self.class_weight and len(self.class_weight) != outputs:
            raise ConfigError(f"CrossEntropy has {len(self.class_weight)} class weights for {outputs} outputs.")
        numbers = [float(weight) for weight in self.class_weight]
        largest = max(numbers, default=1.0) if ratios else 1.0
        return [weight / largest for weight in numbers]

    @staticmethod
    def _of_class(weights: Sequence[float], classes: Array, z: Array) -> Array:
        """The class weights as a column, created on z's device: a copy from the host would stall each step."""
        column = namespace(z).zeros_like(z[:, :1])
        for index, weight in enumerate(weights):
            column = namespace(z).where(classes == index, weight, column)
        return column


@dataclass(frozen=True, repr=False)
class BinaryCrossEntropy(Loss):
    """The cross-entropy of each class separately, for rows with any number of classes.

        value_i = mean_k max(z, 0) - z y + log(1 + exp(-|z|))        dz_ik = weights_i / K (sigmoid(z_ik) - y_ik)

    outputs z (N, K) are logits, labels y (N, K) are from 0 to 1. It is -y log p - (1 - y) log(1 - p) for
    p = sigmoid(z), without overflow, as in torch.nn.functional.binary_cross_entropy_with_logits.
    scikit-learn's MLPClassifier takes the sum over classes instead: K times as much. Good 1952, "Rational Decisions".
    """

    task: ClassVar[TaskKind] = TaskKind.MULTILABEL
    takes_logits: ClassVar[str] = "it contains the sigmoid"

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, labels.shape)
        xp, each = namespace(outputs), (weights / outputs.shape[1])[:, None]
        values = xp.log1p(xp.exp(-xp.abs(outputs)))
        values += xp.maximum(outputs, 0.0)
        values -= outputs * labels
        return xp.sum(values * each), (sigmoid(outputs) - labels) * each


@dataclass(frozen=True, repr=False)
class Hinge(Loss):
    """Multi-class hinge loss: penalises outputs that come within a margin of the label's output, or exceed it.

        value_i = 1/K sum_{k != label_i} max(0, margin - z_i,label + z_ik)

    outputs z (N, K), labels (N,) int32.

    margin  how far the label's output should exceed each other one

    Weston and Watkins 1999, divided by K: torch.nn.functional.multi_margin_loss.
    scikit-learn's hinge_loss takes only the largest term of the sum (Crammer and Singer 2001).
    The outputs are scores, not logits; their softmax is not a calibrated probability.
    Raises ConfigError unless margin > 0.
    """

    margin: float = 1.0

    takes_logits: ClassVar[str] = "it compares scores of any size"

    def __post_init__(self) -> None:
        require_positive(self, "margin", self.margin)

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, labels.shape)
        xp, z = namespace(outputs), _columns(outputs)
        each = weights / z.shape[0]
        right = labels == xp.arange(z.shape[0], dtype=xp.int32, device=device(z))[:, None]
        score = xp.sum(xp.where(right, z, 0.0), axis=0)
        short = xp.where(right, 0.0, xp.maximum(z - score + self.margin, 0.0))
        dz = xp.where(short > 0, each, 0.0)
        dz -= xp.where(right, xp.sum(dz, axis=0), 0.0)
        return xp.sum(short * each), dz.T


def _columns(x: Array) -> Array:
    """The transpose (K, N), contiguous: with few classes, CPUs sum and broadcast long rows far faster."""
    xp = namespace(x)
    return xp.reshape(xp.reshape(x.T, (-1,)), (x.shape[1], x.shape[0]))


cross_entropy = CrossEntropy()
binary_cross_entropy = BinaryCrossEntropy()
hinge = Hinge()
