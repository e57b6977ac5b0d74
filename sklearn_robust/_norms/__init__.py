"""Norms: how far a sample moves, and the balls in which attacks search."""

from ._base import Norm
from ._box import MISSING, Bounds, Box, is_missing, round_to_grid
from ._lp import L1Norm, L2Norm, LinfNorm
from ._lzero import L0Norm, keep_largest
from ._noise import Noise, column
from ._register import register_norm
from ._registry import check_norm, get_norm, norm_names

__all__ = [
    "MISSING",
    "Bounds",
    "Box",
    "L0Norm",
    "L1Norm",
    "L2Norm",
    "LinfNorm",
    "Noise",
    "Norm",
    "check_norm",
    "column",
    "get_norm",
    "is_missing",
    "keep_largest",
    "norm_names",
    "register_norm",
    "round_to_grid",
]
