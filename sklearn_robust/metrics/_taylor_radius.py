"""The radius at which a Taylor bound eats up the margin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from .._norms import get_norm
from .._random import RowNoise, seed_of
from ._hessian import moderate_rows
from ._indicator_input import IndicatorInput, value_and_gradient
from ._jacobian import logit_jacobian
from ._taylor import check_series, second_order

__all__ = ["all_classes_at", "points_around", "taylor_radius"]


def taylor_radius(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str | float = "linf",
    order: int = 1,
    curvature: str = "auto",
    all_classes: bool = False,
    neighborhood: tuple[float, int] | None = None,
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Estimate the distance to the decision boundary by the Taylor series at each sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the distance.
    order : {1, 2}, default=1
        Whether to use the Hessian, too.
    curvature : {"auto", "spectral", "entrywise", "eigen"}, default="auto"
        How to bound the term of second order, as for :func:`taylor_bound`.
    all_classes : bool, default=False
        Whether to take the nearest boundary to any class, not that to the runner-up: one backward
        pass per class. First order only.
    neighborhood : (eps, n_points), default=None
        Take the largest gradient at the sample and at that many random points of the ball of that
        radius, and no distance above it. First order only.
    random_state : int, RandomState or None, default=None
        Seed of those points.
    batch_size : int, default=None
        Samples computed together; None depends on the memory they need.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    radius : array of shape (n_samples,), float64
        In units of X; 0 where the classifier errs, inf where nothing changes the margin (a constant
        model). An estimate, never a certificate.

    See Also
    --------
    boundary_distance : Walks to the boundary instead.

    Notes
    -----
    ``S = g r + kappa r^2 / 2`` has the root ``r = 2 S / (g + sqrt(g^2 + 2 kappa S))``, with g the
    dual norm of the gradient and kappa the one-sided bound of the curvature; S / g without it. It
    does not change when the logits are rescaled. Training that penalises the gradient makes it
    small at the very points where it is measured: S / g of such a net may be several times the
    true distance, and ``neighborhood`` or an attack tells.

    References
    ----------
    Weng et al., "Evaluating the robustness of neural networks: an extreme value theory approach",
    ICLR 2018, for the neighborhood. Finlay and Oberman, "Scaleable input gradient regularization
    for adversarial robustness", arXiv 1905.11468, for the second order.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_robust.metrics import taylor_radius
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X)
    >>> model = LogisticRegression().fit(X, y)
    >>> distance = abs(model.decision_function(X)) / np.linalg.norm(model.coef_)
    >>> radius = taylor_radius(model, X, y, norm="l2")
    >>> bool(np.allclose(radius, distance * (model.predict(X) == y)))
    True
    """
    check.validate(locals(), all_classes=check.check_flag)
    norm = check.check_norm(norm)
    check_series(order, curvature, norm)
    if order == 2 and (all_classes or neighborhood is not None):
        raise ValueError(
            "order=2 looks at the runner-up at the sample alone: type order=1 with "
            f"all_classes={all_classes!r} and neighborhood={neighborhood!r}."
        )
    inputs = IndicatorInput(estimator, X, y)
    gap_and_gradient = all_classes_at(inputs, norm) if all_classes else _runner_up(inputs, norm)
    neighborhood = tuple(neighborhood) if isinstance(neighborhood, Iterator) else neighborhood
    around = points_around(neighborhood, norm, seed_of(random_state))
    kappa = None if order == 1 else second_order(inputs, norm, curvature, True, torch.tensor(1.0))

    def radius(x, y):
        gap, size = gap_and_gradient(x, y)
        for point in around(x):
            size = torch.maximum(size, gap_and_gradient(point, y)[1])
        if kappa is not None:
            bend = kappa(x, y)[:, None]
            size = (size + (size**2 + 2 * bend * gap.clamp_min(0)).sqrt()) / 2
        r = torch.where(gap <= 0, 0, gap / size).amin(1)
        return r if neighborhood is None else r.clamp_max(neighborhood[0])

    size = batch_size or (moderate_rows(inputs, "exact") if order == 2 else None)
    return inputs.map(
        radius, "taylor_radius", batch_size=size, verbose=verbose, dtype=torch.float64
    )


def _runner_up(inputs, norm):
    """Margin and dual norm of its gradient, as one column each."""
    value = inputs.scalar("margin")

    def gap_and_gradient(x, y):
        gap, rise = value_and_gradient(value, x, y)
        return gap[:, None], get_norm(norm).dual_length(rise)[:, None]

    return gap_and_gradient


def all_classes_at(inputs, norm):
    """Lead over each class and dual norm of its gradient, (n, n_classes); inf for the own class."""

    def gap_and_gradient(x, y):
        J, z = logit_jacobian(inputs.logits, x)
        own = torch.arange(len(x), device=x.device), y
        gap, rise = z[own][:, None] - z, J[own][:, None] - J
        gap[own] = torch.inf
        return gap, get_norm(norm).dual_length(rise.flatten(2), dim=2)

    return gap_and_gradient


def points_around(neighborhood, norm, seed):
    """Return the function that yields random points around the samples."""
    if neighborhood is None:
        return lambda x: ()
    try:
        eps, n_points = neighborhood
    except (TypeError, ValueError):
        raise ValueError(
            f"neighborhood is {neighborhood!r}; give a radius and a number of points, (0.1, 10), "
            "or None."
        ) from None
    check.check_number("the radius of neighborhood", eps, strict=True)
    check.check_count("the number of points of neighborhood", n_points)

    def around(x):
        ball, noise = get_norm(norm)(torch.tensor(float(eps)).to(x)), RowNoise(seed, x)
        for number in range(n_points):
            yield x + ball.sample(noise.spawn(number), x, 0)

    return around
