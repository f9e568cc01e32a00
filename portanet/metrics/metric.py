"""A metric: its name, its title and how people read its values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A number that tells how good a model is.

    key     its name in a history and in results, where "valid_" and the like may stand before it
    title   its name for people
    format  how people read its values, as in `format(0.98765, ".2%")`
    """

    key: str
    title: str
    format: str
    higher_is_better: bool = True

    def text(self, value: float) -> str:
        """A value as people read it."""
        return format(value, self.format)


ACCURACY = Metric("accuracy", "accuracy", ".2%")
R2 = Metric("r2", "R2", ".4f")
LOSS = Metric("loss", "loss", ".4g", higher_is_better=False)
METRICS = (ACCURACY, R2, LOSS)
