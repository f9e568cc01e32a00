"""Evaluation metrics: values with a title and a format, and functions computed where the arrays live."""

from portanet.metrics.calibration import calibration_error
from portanet.metrics.confusion import confusion_matrix, precision_recall_f1, precision_recall_f1_from
from portanet.metrics.counts import accuracy, correct, correct_entries, top_k
from portanet.metrics.metric import ACCURACY, LOSS, METRICS, R2, Metric
from portanet.metrics.regression import r2, r2_from, squared_residuals

__all__ = [
    "ACCURACY",
    "LOSS",
    "METRICS",
    "R2",
    "Metric",
    "accuracy",
    "calibration_error",
    "confusion_matrix",
    "correct",
    "correct_entries",
    "precision_recall_f1",
    "precision_recall_f1_from",
    "r2",
    "r2_from",
    "squared_residuals",
    "top_k",
]
