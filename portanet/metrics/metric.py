"""Metrics as values: a key, a title, a format and a direction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """The name and the format of a measure of a model.

    key               its name in histories and results, with a prefix such as "valid_" where there is one
    title             its name in charts and messages
    format            the format of its values, as in `format(0.98765, ".2%")`
    higher_is_better  the direction for early stopping; False for losses and errors
    has_unit          whether its values are in the unit of the target, so that several targets have no mean of it
    """

    key: str
    title: str
    format: str
    higher_is_better: bool = True
    has_unit: bool = False

    def text(self, value: float) -> str:
        """The formatted value."""
        return format(value, self.format)


ACCURACY = Metric("accuracy", "accuracy", ".2%")
BALANCED_ACCURACY = Metric("balanced_accuracy", "balanced accuracy", ".2%")
F1 = Metric("f1", "F1", ".4f")
ROC_AUC = Metric("roc_auc", "ROC AUC", ".4f")
AVERAGE_PRECISION = Metric("average_precision", "average precision", ".4f")
LOG_LOSS = Metric("log_loss", "log loss", ".4f", higher_is_better=False)
R2 = Metric("r2", "R2", ".4f")
RMSE = Metric("rmse", "root mean squared error", ".6g", higher_is_better=False, has_unit=True)
MAE = Metric("mae", "mean absolute error", ".6g", higher_is_better=False, has_unit=True)
MEDIAN_ERROR = Metric("median_error", "median error", ".6g", higher_is_better=False, has_unit=True)
COVERAGE = Metric("coverage", "inside the intervals", ".2%")
WIDTH = Metric("width", "mean width of intervals", ".6g", higher_is_better=False, has_unit=True)
LOSS = Metric("loss", "loss", ".4g", higher_is_better=False)
METRICS = (
    ACCURACY, BALANCED_ACCURACY, F1, ROC_AUC, AVERAGE_PRECISION, LOG_LOSS, R2, RMSE, MAE, MEDIAN_ERROR, COVERAGE,
    WIDTH, LOSS,
)  # fmt: skip
