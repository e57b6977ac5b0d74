"""The decision function of a classifier."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from .. import _functional as F
from .. import _validation as check
from ._indicator_input import IndicatorInput

__all__ = ["decision_margin"]


def decision_margin(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    tau: float | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[Any]:
    """Logit of the true class minus the largest other logit.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    tau : float, default=None
        Temperature of the smooth margin; None is the margin itself.
    batch_size : int, default=None
        Samples computed together; None fits the cache.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    margin : array of shape (n_samples,)
        In units of the logits; negative where the classifier errs. In the precision of X, or
        float64 for scikit-learn's own classifiers.

    Raises
    ------
    ValueError
        If X does not fit the estimator, or y holds a label that it does not know.

    See Also
    --------
    input_jacobian : Its gradient.
    boundary_distance : How far from the sample it is zero.

    Notes
    -----
    ``S(x) = z_y - max_{i != y} z_i`` with the logits z (paper 001, eq. 2). The smooth margin
    ``S_tau = z_y - tau log sum_{i != y} exp(z_i / tau)`` obeys
    ``S_tau <= S <= S_tau + tau log(n_classes - 1)``.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import decision_margin
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> bool(((decision_margin(model, X, y) > 0) == (model.predict(X) == y)).all())
    True
    """
    check.validate(locals(), tau=check.optional(check.check_number))
    if tau is not None:
        check.check_number("tau", tau, strict=True)
    inputs = IndicatorInput(estimator, X, y)

    def margin(x, y):
        z = inputs.module(x)
        return F.margin(z, y) if tau is None else F.smooth_margin(z, y, tau)

    return inputs.map(margin, "decision_margin", batch_size=batch_size, verbose=verbose)
