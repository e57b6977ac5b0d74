"""How robust a classifier is: scores under attack, and indicators that need none.

Scores and scorers are functions of (estimator, X, y), greater is better. Indicators give one entry
a sample.
"""

from ._assert_robust import assert_robust
from ._boundary import boundary_distance
from ._clever import clever_score
from ._curve import robustness_curve
from ._divergence import prediction_divergence
from ._hessian import hessian_eigvals
from ._hessian_norm import hessian_norm
from ._hessian_sparsity import hessian_sparsity
from ._indicator import robustness_indicator
from ._indicator_scorer import make_indicator_scorer
from ._jacobian import input_jacobian, jacobian_norm, jacobian_sparsity
from ._margin import decision_margin
from ._report import robustness_report
from ._robust import prediction_stability, robust_score
from ._scorer import make_robust_scorer
from ._study import indicator_study
from ._suggest_eps import suggest_eps
from ._taylor import taylor_bound
from ._taylor_radius import taylor_radius

__all__ = [
    "assert_robust",
    "boundary_distance",
    "clever_score",
    "decision_margin",
    "hessian_eigvals",
    "hessian_norm",
    "hessian_sparsity",
    "indicator_study",
    "input_jacobian",
    "jacobian_norm",
    "jacobian_sparsity",
    "make_indicator_scorer",
    "make_robust_scorer",
    "prediction_divergence",
    "prediction_stability",
    "robust_score",
    "robustness_curve",
    "robustness_indicator",
    "robustness_report",
    "suggest_eps",
    "taylor_bound",
    "taylor_radius",
]
