"""What training makes small: each loss gives its value and its gradient for the model's last output.

A loss is called with (logits, labels, weights) and returns (loss, dlogits), where

    loss = sum_i weights_i * value_i        weights (N,), which the trainer makes sum to 1 over the batch

so the losses of the parts of a batch simply add.
"""

from __future__ import annotations

from typing import Protocol

from portanet._typing import Array
from portanet.namespace import device, namespace


class Loss(Protocol):
    """Anything that gives the weighted loss and its gradient for the logits."""

    def __call__(self, logits: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        """The loss, without axes, and its gradient in the shape of `logits`."""


def softmax(logits: Array) -> Array:
    """The probabilities that logits stand for.

        p_k = exp(z_k - max z) / sum_j exp(z_j - max z)        z, p (N, K)

    The row's maximum is subtracted, so no exponential overflows (Goodfellow et al. 2016, section 4.1).
    """
    xp = namespace(logits)
    exponentials = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
    return exponentials / xp.sum(exponentials, axis=1, keepdims=True)


def cross_entropy(logits: Array, labels: Array, weights: Array) -> tuple[Array, Array]:
    """Minus the logarithm of the probability that the softmax of the logits gives to the label.

        value_i = log(sum_k exp z_ik) - z_i,label        dlogits_ik = weights_i (p_ik - [k = label_i])

    logits (N, K), labels (N,) int32 in 0..K-1, weights (N,). Each row's maximum is subtracted first, so
    nothing overflows. With weights that sum to 1 it is the weighted mean, as torch.nn.functional.cross_entropy
    has it (a sum over samples divided by the sum of their weights).
    """
    xp = namespace(logits)
    classes = xp.arange(logits.shape[1], dtype=labels.dtype, device=device(logits))
    one_hot = xp.astype(labels[:, None] == classes[None, :], logits.dtype)
    shifted = logits - xp.max(logits, axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    totals = xp.sum(exponentials, axis=1, keepdims=True)
    values = xp.log(totals[:, 0]) - xp.sum(shifted * one_hot, axis=1)
    dlogits = (exponentials / totals - one_hot) * weights[:, None]
    return xp.sum(weights * values), dlogits
