"""What can be added to the training of any net, as skorch callbacks."""

from ._averaging import WeightAveraging
from ._early_stopping import RobustEarlyStopping
from ._overfitting_guard import CatastrophicOverfittingGuard
from ._perturbation import WeightPerturbation

__all__ = [
    "CatastrophicOverfittingGuard",
    "RobustEarlyStopping",
    "WeightAveraging",
    "WeightPerturbation",
]
