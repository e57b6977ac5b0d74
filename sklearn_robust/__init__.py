"""Adversarial robustness as ordinary scikit-learn."""

from ._version import __version__
from .metrics import make_robust_scorer, robust_score
from .nets import (
    AdvTrainNet,
    ClusterRegNet,
    GAIRATNet,
    JacobianRegNet,
    MinMaxNet,
    NaturalNet,
    load_net,
)

__all__ = [
    "AdvTrainNet",
    "ClusterRegNet",
    "GAIRATNet",
    "JacobianRegNet",
    "MinMaxNet",
    "NaturalNet",
    "__version__",
    "load_net",
    "make_robust_scorer",
    "robust_score",
]
