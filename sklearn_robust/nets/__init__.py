"""Classifiers: each net is one training objective behind fit and predict; and their bases."""

from ._adv_train import AdvTrainNet
from ._adversarial import AdversarialNet
from ._base import BaseNet
from ._certified import CertifiedNet
from ._cluster_reg import ClusterRegNet
from ._cure import CURENet
from ._engine import skorch_models as _views  # noqa: F401  (registers skorch nets with as_module)
from ._engine.recipes import recipe_params
from ._fast_at import FastATNet
from ._fat import FATNet
from ._free_at import FreeATNet
from ._gairat import GAIRATNet
from ._jacobian import JacobianRegNet
from ._llr import LLRNet
from ._mart import MARTNet
from ._min_max import MinMaxNet
from ._natural import NaturalNet
from ._persistence.save_load import load_net
from ._spectral_reg import SpectralRegNet
from ._trades import TRADESNet

__all__ = [
    "AdvTrainNet",
    "AdversarialNet",
    "BaseNet",
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
    "load_net",
    "recipe_params",
]
