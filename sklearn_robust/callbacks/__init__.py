"""Callbacks that can be added to the training of any net; they are skorch's callbacks too."""

from ..exceptions import StopTraining
from ._averaging import WeightAveraging
from ._base import TrainingCallback
from ._early_stopping import RobustEarlyStopping
from ._overfitting_guard import CatastrophicOverfittingGuard
from ._perturbation import WeightPerturbation
from ._robust_history import RobustHistory

__all__ = [
    "CatastrophicOverfittingGuard",
    "RobustEarlyStopping",
    "RobustHistory",
    "StopTraining",
    "TrainingCallback",
    "WeightAveraging",
    "WeightPerturbation",
]
