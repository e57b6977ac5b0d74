"""Scorers of robustness: functions of (estimator, X, y), greater is better."""

from ._curve import robustness_curve
from ._robust import prediction_stability, robust_score
from ._scorer import make_robust_scorer

__all__ = ["make_robust_scorer", "prediction_stability", "robust_score", "robustness_curve"]
