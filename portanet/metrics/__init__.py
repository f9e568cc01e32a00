"""Evaluation metrics: values with a title and a format, and functions computed where the arrays live."""

from portanet.metrics.calibration import calibration_bins, calibration_error, log_loss
from portanet.metrics.confusion import (
    balanced_accuracy,
    confusion_matrix,
    f1,
    precision_recall_f1,
    precision_recall_f1_from,
)
from portanet.metrics.counts import accuracy, correct, correct_entries, top_k
from portanet.metrics.metric import (
    ACCURACY,
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    F1,
    LOG_LOSS,
    LOSS,
    MAE,
    MEDIAN_ERROR,
    METRICS,
    R2,
    RMSE,
    ROC_AUC,
    Metric,
)
from portanet.metrics.ranking import average_precision, roc_auc
from portanet.metrics.regression import (
    mean_absolute_error,
    median_absolute_error,
    r2,
    r2_from,
    root_mean_squared_error,
    squared_residuals,
)

__all__ = [
    "ACCURACY",
    "AVERAGE_PRECISION",
    "BALANCED_ACCURACY",
    "F1",
    "LOG_LOSS",
    "LOSS",
    "MAE",
    "MEDIAN_ERROR",
    "METRICS",
    "R2",
    "RMSE",
    "ROC_AUC",
    "Metric",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "calibration_bins",
    "calibration_error",
    "confusion_matrix",
    "correct",
    "correct_entries",
    "f1",
    "log_loss",
    "mean_absolute_error",
    "median_absolute_error",
    "precision_recall_f1",
    "precision_recall_f1_from",
    "r2",
    "r2_from",
    "roc_auc",
    "root_mean_squared_error",
    "squared_residuals",
    "top_k",
]
