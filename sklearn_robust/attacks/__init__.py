"""Attacks: transformers that look for an adversarial example near every sample."""

from .._norms import Norm, register_norm
from .._threat_model import ThreatModel
from ._apgd import APGD
from ._arrays import auto_batch_size as auto_batch_size
from ._auto_attack import AutoAttack
from ._base import BaseAttack
from ._bim import BIM, MIFGSM
from ._carlini_wagner import CarliniWagner
from ._deepfool import DeepFool
from ._external import External
from ._fab import FAB
from ._fgsm import FGSM
from ._gradient import GradientAttack
from ._other_libraries import to_art, to_foolbox
from ._parameters import attack_class
from ._pgd import PGD
from ._square import Square
from ._worst_case import WorstCase

__all__ = [
    "APGD",
    "AutoAttack",
    "BIM",
    "BaseAttack",
    "CarliniWagner",
    "DeepFool",
    "External",
    "FAB",
    "FGSM",
    "GradientAttack",
    "MIFGSM",
    "Norm",
    "PGD",
    "Square",
    "ThreatModel",
    "WorstCase",
    "attack_class",
    "register_norm",
    "to_art",
    "to_foolbox",
]
