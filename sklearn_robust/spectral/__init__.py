"""Robustness as a regulariser: margins, singular values and the smoothness of features."""

from ._layer_spectra import layer_spectra
from ._singular_values import conv_singular_values

__all__ = ["conv_singular_values", "layer_spectra"]
