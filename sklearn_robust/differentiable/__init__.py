"""Any fitted estimator as one torch module from raw ``X`` to logits."""

from . import (  # noqa: F401  (they fill the registry)
    _bayes,
    _calibration,
    _columns,
    _ensemble,
    _expansions,
    _kernel,
    _linear,
    _meta,
    _multiclass,
    _neural,
    _projections,
    _refusals,
    _scalers,
)
from ._registry import as_module, register
from ._state import frozen, module_of
from ._view import AnyDtype, View

__all__ = ["AnyDtype", "View", "as_module", "frozen", "module_of", "register"]
