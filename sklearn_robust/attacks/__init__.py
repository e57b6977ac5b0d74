"""Attacks: each is a transformer, and finds the worst point of a ball around every sample."""

from ._apgd import APGD
from ._arrays import auto_batch_size as auto_batch_size
from ._auto_attack import AutoAttack
from ._bim import BIM, MIFGSM
from ._carlini_wagner import CarliniWagner
from ._deepfool import DeepFool
from ._fab import FAB
from ._fgsm import FGSM
from ._pgd import PGD
from ._square import Square
from ._worst_case import WorstCase

__all__ = [
    "APGD",
    "AutoAttack",
    "BIM",
    "CarliniWagner",
    "DeepFool",
    "FAB",
    "FGSM",
    "MIFGSM",
    "PGD",
    "Square",
    "WorstCase",
]
