"""Differentiable models of scikit-learn's classifiers; importing them fills the registry."""

from . import (  # noqa: F401
    _bayes,
    _calibration,
    _ensemble,
    _kernel,
    _linear,
    _multiclass,
    _neural,
)
from ._accelerated import Accelerated

__all__ = ["Accelerated"]
