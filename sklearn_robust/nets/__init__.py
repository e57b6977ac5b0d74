"""Classifiers: each net is one training objective behind fit and predict."""

from . import _views  # noqa: F401  (tells as_module about skorch)
from ._adv_train import AdvTrainNet
from ._cluster_reg import ClusterRegNet
from ._gairat import GAIRATNet
from ._io import load_net
from ._jacobian import JacobianRegNet
from ._min_max import MinMaxNet
from ._natural import NaturalNet

__all__ = [
    "AdvTrainNet",
    "ClusterRegNet",
    "GAIRATNet",
    "JacobianRegNet",
    "MinMaxNet",
    "NaturalNet",
    "load_net",
]
