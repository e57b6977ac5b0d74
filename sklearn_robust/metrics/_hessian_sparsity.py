"""Share of an input Hessian's eigenvalues that are nearly zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from ._hessian import choose_method, eigvals_of
from ._indicator import curved
from ._indicator_input import IndicatorInput, Value
from ._jacobian import near_zero_share

__all__ = ["hessian_sparsity"]


def hessian_sparsity(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    threshold: float = 1e-6,
    relative: bool = True,
    of: str | Value = "auto",
    tau: float = 1.0,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Share of the eigenvalues of each sample's input Hessian that are nearly zero.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    threshold : float, default=1e-6
        Largest magnitude that counts as zero, as a share of the sample's largest one.
    relative : bool, default=True
        Whether the threshold is such a share. False takes it as a number in logits per squared unit
        of X, as the paper does; its value there is not legible, and a number of that kind depends
        on the scale of the logits and of X.
    of : {"auto", "margin", "loss", "smooth_margin"} or callable, default="auto"
        Whose Hessian, as for :func:`hessian_eigvals`. "auto" is the margin, or the loss where the
        margin is piecewise linear and has no curvature.
    tau : float, default=1.0
        Temperature of the smooth margin.
    batch_size : int, default=None
        Samples computed together; None depends on the memory they need.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    sparsity : array of shape (n_samples,), float64
        From 0 to 1; 1 where the Hessian is zero.

    See Also
    --------
    hessian_eigvals : The eigenvalues themselves.
    jacobian_sparsity : The same of the gradient.

    Notes
    -----
    The paper counts zeros as a sign of robustness. It is no score: the number of zeros is bounded
    below by the rank of the Hessian (of the loss of a ReLU network one less than classes, whatever
    the training), and over thirteen MNIST networks more zeros went with less robust accuracy. All
    eigenvalues are found in float64; in float32 rounding alone looks like curvature.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    The loss of a linear model with three classes curves in two directions of four:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import hessian_sparsity
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> hessian_sparsity(model, X[:3], y[:3]).tolist()
    [0.5, 0.5, 0.5]
    """
    check.validate(locals(), relative=check.check_flag, tau=check.check_temperature)
    check.check_number("threshold", threshold)
    inputs = IndicatorInput(estimator, X, y)
    of = curved(inputs, of)
    method = choose_method(inputs, of=of, k=None, method="auto")
    options: dict[str, Any] = {"tau": tau, "batch_size": batch_size, "verbose": verbose}
    eigvals = torch.from_numpy(eigvals_of(inputs, of=of, k=None, method=method, **options))
    return near_zero_share(eigvals, threshold, relative=relative).numpy()
