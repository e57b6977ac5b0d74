"""CLEVER: the distance to the boundary by extreme values of random gradients."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import weibull_max

from .. import _validation as check
from .._random import seed_of
from ._indicator_input import IndicatorInput
from ._taylor_radius import all_classes_at, points_around

__all__ = ["clever_score"]

_SHAPES = (2.0, 10.0)  # starts of the fit, of which the most likely one counts


def clever_score(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    radius: float,
    norm: str | float = "l2",
    n_batches: int = 50,
    n_draws: int = 20,
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Estimate the distance to the decision boundary by extreme value theory (CLEVER).

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    radius : float
        Radius of the ball in which gradients are drawn, in units of X, and the largest score.
    norm : {"linf", "l2", "l1"}, default="l2"
        Norm of the distance.
    n_batches : int, default=50
        Largest gradients that the Weibull distribution is fitted to; the paper takes 500.
    n_draws : int, default=20
        Random points that each of them is the largest of; the paper takes 1024.
    random_state : int, RandomState or None, default=None
        Seed of the points.
    batch_size : int, default=None
        Samples computed together; None fits the cache.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    score : array of shape (n_samples,), float64
        In units of X, at most ``radius``; 0 where the classifier errs. An estimate of a lower
        bound, and no certificate: it may exceed the true distance.

    Raises
    ------
    ValueError
        If a number is not positive, ``n_batches`` is below 3, or X or y do not fit the estimator.

    Warns
    -----
    UserWarning
        If no fit was found for some samples; their largest gradient stands in for it, which makes
        the score too large.

    See Also
    --------
    taylor_radius : With ``neighborhood``, the same without the fit.
    sklearn_robust.certification.certified_radius : A radius that is proven.

    Notes
    -----
    ``min(radius, min_j (z_y - z_j) / L_j)``, where L_j estimates the largest dual norm of the
    gradient of ``z_y - z_j`` in the ball: the end point of the reverse Weibull distribution that is
    fitted by maximum likelihood to ``n_batches`` maxima of ``n_draws`` points each, the
    sample itself included. In many dimensions few random points come near the largest gradient, and
    where gradients are masked the score is far too large: compare it with an attack.

    References
    ----------
    Weng et al., "Evaluating the robustness of neural networks: an extreme value theory approach",
    ICLR 2018. Goodfellow, "Gradient masking causes CLEVER to overestimate adversarial perturbation
    size", arXiv 1804.07870.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import clever_score
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[:100], y[:100]
    >>> model = LogisticRegression().fit(X, y)
    >>> score = clever_score(model, X, y, radius=9, n_batches=5, n_draws=2, random_state=0)
    >>> exact = abs(model.decision_function(X)) / np.linalg.norm(model.coef_)
    >>> bool(np.allclose(score, exact))
    True
    """
    check.validate(locals(), n_batches=check.check_count, n_draws=check.check_count)
    check.check_number("radius", radius, strict=True)
    if n_batches < 3:
        raise ValueError(
            f"n_batches is {n_batches}; a Weibull distribution has three parameters: give 3 or "
            "more."
        )
    norm = check.check_norm(norm)
    inputs = IndicatorInput(estimator, X, y)
    gap_and_size = all_classes_at(inputs, norm)
    around = points_around((radius, n_batches * n_draws), norm, seed_of(random_state))
    failed: list[bool] = []

    def score(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        gap, here = gap_and_size(x, y)
        maxima = here.expand(n_batches, *here.shape).clone()
        for number, point in enumerate(around(x)):
            place = number // n_draws
            maxima[place] = torch.maximum(maxima[place], gap_and_size(point, y)[1])
        largest, found = _end_points(maxima.cpu().numpy(), gap.isfinite().cpu().numpy())
        failed.extend(~found)
        far = torch.where(gap <= 0, 0, gap / torch.as_tensor(largest).to(gap))
        return far.amin(1).clamp_max(radius)

    scores = inputs.map(
        score, "clever_score", batch_size=batch_size, verbose=verbose, dtype=torch.float64
    )
    if any(failed):
        warnings.warn(
            f"The Weibull distribution could not be fitted for {sum(failed)} of {len(failed)} "
            "samples; their largest gradient stands in for it, so their score is too large. Give "
            "more n_batches.",
            stacklevel=2,
        )
    return scores


def _end_points(
    maxima: NDArray[Any], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """End points (n, n_classes) of the laws of maxima (n_batches, n, n_classes).

    The second array says of which samples all fits succeeded.
    """
    largest, found = maxima.max(0), np.ones(len(wanted), dtype=bool)
    for row, column in zip(*np.nonzero(wanted), strict=True):
        end = _end_point(maxima[:, row, column])
        found[row] &= end is not None
        largest[row, column] = largest[row, column] if end is None else end
    return largest, found


def _end_point(values: NDArray[Any]) -> float | None:
    """End point of the reverse Weibull distribution of some maxima; None if no fit is found.

    Values that are all alike, as those of a linear model, are their own end point.
    """
    top, spread = values.max(), values.std()
    if spread <= 1e-9 * top:
        return float(top)
    scaled = (values - top) / spread
    best, end = -np.inf, None
    for shape in _SHAPES:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            law = weibull_max.fit(scaled, shape, loc=0.1, scale=1.0)
            likelihood = weibull_max.logpdf(scaled, *law).sum()
        # Below shape 1 the likelihood grows without end towards the largest value itself.
        if np.isfinite(likelihood) and likelihood > best and law[0] >= 1 and law[1] >= 0:
            best, end = likelihood, float(top + spread * law[1])
    return end
