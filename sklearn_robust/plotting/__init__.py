"""Displays: arrays kept on an object, and drawn on request."""

from ._class_dendrogram import ClassDendrogramDisplay
from ._display import Display
from ._feature_change import FeatureChangeDisplay
from ._geometry_display import GeometryDisplay
from ._hessian_spectrum import HessianSpectrumDisplay
from ._indicator_study import IndicatorStudyDisplay
from ._jacobian_display import JacobianDisplay
from ._jacobian_histogram import JacobianHistogramDisplay
from ._layer_spectrum import LayerSpectrumDisplay
from ._margin import MarginDisplay
from ._regularization_path import RegularizationPathDisplay
from ._robust_overfitting import RobustOverfittingDisplay
from ._robustness_curve import RobustnessCurveDisplay
from .surfaces import DecisionSurfaceDisplay, LossSurfaceDisplay

__all__ = [
    "ClassDendrogramDisplay",
    "DecisionSurfaceDisplay",
    "Display",
    "FeatureChangeDisplay",
    "GeometryDisplay",
    "HessianSpectrumDisplay",
    "IndicatorStudyDisplay",
    "JacobianDisplay",
    "JacobianHistogramDisplay",
    "LayerSpectrumDisplay",
    "LossSurfaceDisplay",
    "MarginDisplay",
    "RegularizationPathDisplay",
    "RobustOverfittingDisplay",
    "RobustnessCurveDisplay",
]
