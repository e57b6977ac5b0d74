"""Robustness as a regulariser: margins, singular values and the smoothness of features."""

from ._feature_change import feature_change_report
from ._layer_features import LayerFeatures
from ._layer_spectra import layer_spectra
from ._margin_report import margin_report
from ._singular_values import conv_singular_values

__all__ = [
    "LayerFeatures",
    "conv_singular_values",
    "feature_change_report",
    "layer_spectra",
    "margin_report",
]
