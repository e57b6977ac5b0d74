"""Surfaces over planes through input space and through weight space."""

from ._decision_surface import DecisionSurfaceDisplay
from ._loss_surface import LossSurfaceDisplay

__all__ = ["DecisionSurfaceDisplay", "LossSurfaceDisplay"]
