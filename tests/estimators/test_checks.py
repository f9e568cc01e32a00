"""All of scikit-learn's checks of estimators."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from portanet import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore")  # of checks that use few epochs, columns of text and the like


@parametrize_with_checks([MLPClassifier(max_iter=60), MLPRegressor(max_iter=60)])
def test_scikit_learns_checks_pass(estimator: Any, check: Any) -> None:
    if "cuda" in repr(check) and not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("PyTorch finds no GPU; scikit-learn asks only whether it was built for one")
    check(estimator)
