"""Adversarial robustness as ordinary scikit-learn."""

from ._version import __version__
from .metrics import make_robust_scorer, robust_score
from .nets import (
    AdvTrainNet,
    CertifiedNet,
    ClusterRegNet,
    CURENet,
    FastATNet,
    FATNet,
    FreeATNet,
    GAIRATNet,
    JacobianRegNet,
    LLRNet,
    MARTNet,
    MinMaxNet,
    NaturalNet,
    SpectralRegNet,
    TRADESNet,
    load_net,
)
from .report import robustness_page

__all__ = [
    "AdvTrainNet",
    "CURENet",
    "CertifiedNet",
    "ClusterRegNet",
    "FATNet",
    "FastATNet",
    "FreeATNet",
    "GAIRATNet",
    "JacobianRegNet",
    "LLRNet",
    "MARTNet",
    "MinMaxNet",
    "NaturalNet",
    "SpectralRegNet",
    "TRADESNet",
    "__version__",
    "load_net",
    "make_robust_scorer",
    "robust_score",
    "robustness_page",
]
