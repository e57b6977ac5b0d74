"""Displays: arrays kept on an object, drawn on request."""

from ._class_dendrogram import ClassDendrogramDisplay
from ._feature_change import FeatureChangeDisplay
from ._geometry_display import GeometryDisplay
from ._hessian_spectrum import HessianSpectrumDisplay
from ._jacobian_display import JacobianDisplay
from ._layer_spectrum import LayerSpectrumDisplay
from ._margin import MarginDisplay
from ._regularization_path import RegularizationPathDisplay
from ._robustness_curve import RobustnessCurveDisplay
from .surfaces._decision_surface import DecisionSurfaceDisplay
from .surfaces._loss_surface import LossSurfaceDisplay

__all__ = [
    "ClassDendrogramDisplay",
    "DecisionSurfaceDisplay",
    "FeatureChangeDisplay",
    "GeometryDisplay",
    "HessianSpectrumDisplay",
    "JacobianDisplay",
    "LayerSpectrumDisplay",
    "LossSurfaceDisplay",
    "MarginDisplay",
    "RegularizationPathDisplay",
    "RobustnessCurveDisplay",
]
