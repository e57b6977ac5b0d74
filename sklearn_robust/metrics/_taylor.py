"""What a perturbation can do to the decision function, to first and to second order."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from .._norms import get_norm
from ._curvature import HessianProduct, dense_hessian
from ._hessian import DENSE, choose_method, moderate_rows, starts
from ._indicator_input import IndicatorInput, Value, gradient
from ._quadratic import curvature_bound, spectral_bound, worst_drop

__all__ = ["check_series", "second_order", "taylor_bound"]

CURVATURES = ("auto", "spectral", "entrywise", "eigen", "exact")


def taylor_bound(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: ArrayLike,
    norm: str | float = "linf",
    order: int = 1,
    curvature: str = "auto",
    one_sided: bool = True,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Estimate how far the decision function can fall inside a ball, by its Taylor series.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float or array of the samples' shape
        Radius of the ball in the units of X.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    order : {1, 2}, default=1
        Whether to add the Hessian to the gradient.
    curvature : {"auto", "spectral", "entrywise", "eigen", "exact"}, default="auto"
        How to bound the term of second order. "eigen" is the paper's inequality, "spectral" takes
        the extreme eigenvalue only, "entrywise" the entries of the Hessian. "auto" is the least of
        the three for up to 256 features, and "spectral", which needs no matrix, beyond. "exact"
        (l2 only) solves for the worst point of the quadratic model.
    one_sided : bool, default=True
        Whether only a fall counts; False bounds the change in both directions.
    batch_size : int, default=None
        Samples computed together; None depends on the memory they need.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    bound : array of shape (n_samples,), float64
        Bound of the change of the model of that order, in units of the logits. It is an estimate
        for the classifier itself, never a certificate: the remainder is not bounded.

    Warns
    -----
    UserWarning
        If the margin is piecewise linear, so that the second order adds nothing.

    See Also
    --------
    taylor_radius : The radius at which the bound reaches the margin.

    Notes
    -----
    ``|J^T d + d^T H d / 2| <= sum |J_i| |d_i| + sum |lam_i| z_i^2 / 2`` with ``z = Q^T d`` (paper
    001, eq. 9), maximised over the ball: ``eps ||J||_*`` in the dual norm, plus ``eps^2 / 2`` times
    ``max |lam_i|`` for l2; the least of ``d max |lam_i|``, ``sum |H_ij|`` and
    ``sum |lam_i| ||q_i||_1^2`` for linf; the like with ``max |H_ij|`` for l1. One-sided,
    ``max(0, -lam_i)`` takes the place of ``|lam_i|``.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    For a linear model the first order is all there is:

    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_robust.metrics import decision_margin, taylor_bound
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X)
    >>> model = LogisticRegression().fit(X, y)
    >>> X_adv = X - 0.1 * np.sign(model.coef_) * np.where(y == 1, 1, -1)[:, None]
    >>> drop = decision_margin(model, X, y) - decision_margin(model, X_adv, y)
    >>> bool(np.allclose(drop, taylor_bound(model, X, y, eps=0.1)))
    True
    """
    check.validate(locals(), one_sided=check.check_flag)
    norm = check.check_norm(norm)
    check_series(order, curvature, norm)
    inputs = IndicatorInput(estimator, X, y)
    value, dual_length = inputs.scalar("margin"), get_norm(norm).dual_length
    radius = torch.as_tensor(check.check_eps(eps, norm, inputs.X.shape[1:]))
    second = None if order == 1 else second_order(inputs, norm, curvature, one_sided, radius)

    def bound(x, y):
        J = gradient(value, x, y).flatten(1) * flat_radius(radius, x)
        if second is None:
            return dual_length(J)
        if curvature == "exact":
            H = second(x, y)
            drop = worst_drop(J, H)
            return drop if one_sided else torch.maximum(drop, worst_drop(-J, -H))
        return dual_length(J) + second(x, y) / 2

    # Second derivatives need float64, and the first order costs little more in it.
    size = batch_size or (moderate_rows(inputs, "exact") if order == 2 else None)
    return inputs.map(bound, "taylor_bound", batch_size=size, verbose=verbose, dtype=torch.float64)


def second_order(
    inputs: IndicatorInput, norm: str, curvature: str, one_sided: bool, radius: torch.Tensor
) -> Value | None:
    """Return what bounds ``d^T H d`` over a ball, ``(x, y) -> (n,)``; None where H is zero.

    With "exact" it gives the Hessians, (n, n_features, n_features), in units of the radius.
    """
    if choose_method(inputs, of="margin", k=None, method="auto") == "zero":
        return None
    value, d = inputs.scalar("margin"), inputs.n_features
    dense = curvature != "spectral" and not (curvature == "auto" and d > DENSE)

    def bound(x, y):
        scale = flat_radius(radius, x)
        if not dense:
            product = HessianProduct(value, x, y)
            return spectral_bound(
                lambda v: scale * product(scale * v), starts(x), d, norm, one_sided
            )
        H = scale[:, None] * dense_hessian(value, x, y) * scale
        return H if curvature == "exact" else curvature_bound(H, norm, curvature, one_sided)

    return bound


def flat_radius(radius: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Radius of each feature, (n_features,)."""
    return radius.to(x).expand(x.shape[1:]).flatten()


def check_series(order: int, curvature: str, norm: str) -> None:
    """Raise unless the parameters of a Taylor series fit together."""
    if not isinstance(order, Integral) or order not in (1, 2):
        raise ValueError(f"order is {order!r}; give 1 (gradient) or 2 (gradient and Hessian).")
    check.check_choice("curvature", curvature, CURVATURES)
    if curvature == "exact" and (norm != "l2" or order == 1):
        raise ValueError(
            f"curvature='exact' solves for the worst point of a quadratic in an l2 ball, but norm "
            f"is {norm!r} and order is {order}: type norm='l2' and order=2, or curvature='auto'."
        )
