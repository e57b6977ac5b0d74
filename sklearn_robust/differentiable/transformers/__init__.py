"""Differentiable models of scikit-learn's transformers; importing them fills the registry."""

from . import _columns, _expansions, _projections, _scalers  # noqa: F401
