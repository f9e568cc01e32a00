"""L-BFGS by SciPy, on the flat vector of all weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from portanet._typing import HostArray
from portanet.estimators.step import penalty
from portanet.estimators.training import Rows, Training
from portanet.nn.noise import Key

Watch = Callable[[Training], bool]


def fit_lbfgs(training: Training, rows: Rows, watches: Sequence[Watch], **options: Any) -> OptimizeResult:
    """Minimise the mean loss over all rows; update `training` and return SciPy's result.

    watches  called after each iteration; training stops if one returns True
    options  of SciPy's L-BFGS-B: Liu and Nocedal 1989, Byrd et al. 1995
    """
    problem, state = training.problem, training.state
    gradient, data = problem.gradient(training.layout, len(rows)), rows.data()
    if rows.is_sparse:
        data = data._replace(x=problem.backend.put(rows.x.toarray(), problem.dtype))

    def put(point: HostArray) -> None:
        training.state = state._replace(flat=problem.backend.put(point, problem.dtype))

    def value(point: HostArray) -> tuple[float, HostArray]:
        put(point)
        flat = training.state.flat
        batch: Any = gradient(flat, state.buffers, data, None, Key(0), measure=True)
        penalty_grads, penalty_value = penalty(flat, state.optimizer.decay, batch.weight)
        loss: Any = batch.sums["loss"] * problem.loss_scale + penalty_value
        grads = problem.backend.to_numpy(batch.grads + penalty_grads).astype(np.float64)
        return float(loss), grads

    def after(intermediate_result: OptimizeResult) -> None:
        put(intermediate_result.x)
        if any(watch(training) for watch in watches):
            raise StopIteration

    start = problem.backend.to_numpy(state.flat).astype(np.float64)
    result = minimize(
        value, start, method="L-BFGS-B", jac=True, callback=after if watches else None, options=options
    )  # fmt: skip
    put(result.x)
    return result
