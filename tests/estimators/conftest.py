"""The estimators need scikit-learn 1.9, which `nox -s sklearn` installs."""

from __future__ import annotations

import importlib.util

HAS_SKLEARN = importlib.util.find_spec("sklearn") is not None and importlib.util.find_spec("sklearn.callback")
collect_ignore_glob = [] if HAS_SKLEARN else ["test_*.py"]
