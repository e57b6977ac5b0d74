"""Attacks: transformers that look for an adversarial example near every sample."""

from .._norms import Norm, register_norm
from .._threat_model import ThreatModel
from ._alma import ALMA
from ._apgd import APGD
from ._arrays import auto_batch_size as auto_batch_size
from ._auto_attack import AutoAttack
from ._base import BaseAttack
from ._bim import BIM, MIFGSM
from ._carlini_wagner import CarliniWagner
from ._ddn import DDN
from ._deepfool import DeepFool
from ._external import External
from ._fab import FAB
from ._fgsm import FGSM
from ._fmn import FMN
from ._gradient import GradientAttack
from ._hop_skip_jump import HopSkipJump
from ._nearest_of import MinimumNorm
from ._other_libraries import to_art, to_foolbox
from ._parameters import attack_class
from ._pgd import PGD
from ._sigma_zero import SigmaZero
from ._square import Square
from ._trees import TreeAttack
from ._worst_case import WorstCase

__all__ = [
    "ALMA",
    "APGD",
    "AutoAttack",
    "BIM",
    "BaseAttack",
    "CarliniWagner",
    "DDN",
    "DeepFool",
    "External",
    "FAB",
    "FGSM",
    "FMN",
    "GradientAttack",
    "HopSkipJump",
    "MIFGSM",
    "MinimumNorm",
    "Norm",
    "PGD",
    "SigmaZero",
    "Square",
    "ThreatModel",
    "TreeAttack",
    "WorstCase",
    "attack_class",
    "register_norm",
    "to_art",
    "to_foolbox",
]
