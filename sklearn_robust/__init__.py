"""Adversarial robustness as ordinary scikit-learn."""

from ._version import __version__
from .metrics import make_robust_scorer, robust_score
from .nets import (
    AdvTrainNet,
    CertifiedNet,
    ClusterRegNet,
    FastATNet,
    FATNet,
    FreeATNet,
    GAIRATNet,
    JacobianRegNet,
    MARTNet,
    MinMaxNet,
    NaturalNet,
    TRADESNet,
    load_net,
)
from .report import robustness_page

__all__ = [
    "AdvTrainNet",
    "CertifiedNet",
    "ClusterRegNet",
    "FATNet",
    "FastATNet",
    "FreeATNet",
    "GAIRATNet",
    "JacobianRegNet",
    "MARTNet",
    "MinMaxNet",
    "NaturalNet",
    "TRADESNet",
    "__version__",
    "load_net",
    "make_robust_scorer",
    "robust_score",
    "robustness_page",
]
