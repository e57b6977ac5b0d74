"""Any fitted estimator as one torch module from raw ``X`` to logits."""

from . import _estimators, _pipeline, _transformers  # noqa: F401  (they fill the registry)
from ._registry import as_module, register
from ._state import frozen, module_of
from ._view import AnyDtype, View

__all__ = ["AnyDtype", "View", "as_module", "frozen", "module_of", "register"]
