"""Robustness as a regulariser: margins, singular values and the smoothness of features."""

from ._bound import generalization_bound_terms
from ._feature_change import feature_change_report
from ._layer_features import LayerFeatures
from ._layer_spectra import layer_spectra
from ._margin_report import margin_report
from ._path import regularization_path
from ._scorer import make_regularization_scorer
from ._singular_values import conv_singular_values

__all__ = [
    "LayerFeatures",
    "conv_singular_values",
    "feature_change_report",
    "generalization_bound_terms",
    "layer_spectra",
    "make_regularization_scorer",
    "margin_report",
    "regularization_path",
]
