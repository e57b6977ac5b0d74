"""First-order indicators: the input gradient of the decision function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _functional as F
from .. import _validation as check
from .._norms import get_norm
from ._indicator_input import IndicatorInput, Value, gradient

__all__ = ["input_jacobian", "jacobian_norm", "jacobian_sparsity", "logit_jacobian"]


def logit_jacobian(
    logits: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of all logits, (n, n_classes, *sample_shape), and the logits (n, n_classes)."""
    x = x.detach().requires_grad_(True)
    z = logits(x)
    rows = [F.input_gradient(z[:, c], x, retain_graph=True) for c in range(z.shape[1])]
    return torch.stack(rows, 1), z.detach()


def input_jacobian(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    of: str | Value = "margin",
    tau: float = 1.0,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[Any]:
    """Gradient of the decision function with respect to each sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at; through a pipeline the gradient is in the units of this X.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    of : {"margin", "loss", "smooth_margin", "logits"} or callable, default="margin"
        What to differentiate: the decision function, the cross-entropy, the margin with a soft
        maximum, each logit, or ``of(z, y) -> (n,)`` on tensors of logits and class codes.
    tau : float, default=1.0
        Temperature of the smooth margin.
    batch_size : int, default=None
        Samples computed together; None fits the cache.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    jacobian : array of shape (n_samples, ...)
        As X; of the logits, (n_samples, n_classes, ...).

    Raises
    ------
    NotDifferentiableError
        If no gradient reaches the input.
    ValueError
        If samples share batch statistics, or X and y do not fit the estimator.

    See Also
    --------
    jacobian_norm : One number per sample.
    taylor_bound : What a perturbation can do to first and second order.

    Notes
    -----
    ``J = dS(x)/dx`` (paper 001, eq. 4). One forward and one backward pass for a whole batch, as the
    samples do not depend on each other; one backward pass for each class of the logits.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    The gradient of a linear model is the difference of two rows of weights:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import input_jacobian
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> J = input_jacobian(model, X[:1], y[:1])
    >>> bool(np.allclose(J[0], model.coef_[0] - model.coef_[1]))
    True
    """
    check.validate(locals(), tau=check.check_temperature)
    inputs = IndicatorInput(estimator, X, y, first_order=True)
    options = {"batch_size": batch_size, "verbose": verbose}
    if isinstance(of, str) and of == "logits":

        def jacobian(x, y):
            return logit_jacobian(inputs.logits, x)[0]
    else:
        value = inputs.scalar(of, tau)

        def jacobian(x, y):
            return gradient(value, x, y)

    return inputs.map(jacobian, "input_jacobian", **options)


def jacobian_norm(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "l1",
    average: bool = False,
    of: str | Value = "margin",
    tau: float = 1.0,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Size of the input gradient of each sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    norm : {"l1", "l2", "linf"}, default="l1"
        Norm of the gradient. It is dual to that of the threat: "l1" says how much a linf
        perturbation can do, "l2" an l2 one, "linf" an l1 one.
    average : bool, default=False
        Whether to give the mean (for "l2" the root mean square) over the features in place of the
        norm: the paper's indicator, which depends less on the size of an image.
    of, tau, batch_size, verbose
        As for :func:`input_jacobian`, without "logits".

    Returns
    -------
    size : array of shape (n_samples,), float64
        Lower is more robust, but 0 is reached by a constant model.

    See Also
    --------
    taylor_radius : The margin over this norm, which a rescaling of the logits leaves alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import jacobian_norm
    >>> X, y = load_iris(return_X_y=True)
    >>> weak, strong = (LogisticRegression(C=C, max_iter=5000).fit(X, y) for C in (0.01, 100))
    >>> bool((jacobian_norm(weak, X, y) < jacobian_norm(strong, X, y)).all())
    True
    """
    check.validate(locals(), average=check.check_flag, tau=check.check_temperature)
    measure = get_norm(norm)
    inputs = IndicatorInput(estimator, X, y, first_order=True)
    value = inputs.scalar(of, tau)
    scale = measure.length_of_ones(inputs.n_features) if average else 1

    def size(x, y):
        return measure.length(gradient(value, x, y).double()) / scale

    return inputs.map(size, "jacobian_norm", batch_size=batch_size, verbose=verbose)


def jacobian_sparsity(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    threshold: float = 1e-3,
    relative: bool = False,
    of: str | Value = "margin",
    tau: float = 1.0,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Share of the entries of each sample's input gradient that are nearly zero.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    threshold : float, default=1e-3
        Largest absolute value that counts as zero, in logits per unit of X: a choice of ours,
        meant for pixels in [0, 1].
    relative : bool, default=False
        Whether the threshold is a share of the sample's largest absolute entry instead, which
        makes it independent of the scale of logits and X.
    of, tau, batch_size, verbose
        As for :func:`input_jacobian`, without "logits".

    Returns
    -------
    sparsity : array of shape (n_samples,), float64
        From 0 to 1; higher is more robust by the paper's reading, and a constant model reaches 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import jacobian_sparsity
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> jacobian_sparsity(model, X[:2], y[:2], threshold=1.0).tolist()
    [0.5, 0.5]
    """
    check.validate(locals(), relative=check.check_flag, tau=check.check_temperature)
    check.check_number("threshold", threshold)
    inputs = IndicatorInput(estimator, X, y, first_order=True)
    value = inputs.scalar(of, tau)

    def sparsity(x, y):
        return near_zero_share(gradient(value, x, y).flatten(1), threshold, relative=relative)

    return inputs.map(sparsity, "jacobian_sparsity", batch_size=batch_size, verbose=verbose)


def near_zero_share(values: torch.Tensor, threshold: float, *, relative: bool) -> torch.Tensor:
    """Share of each row's entries that are at most ``threshold``, or that part of its largest."""
    size = values.abs().double()
    limit = threshold * size.amax(1, keepdim=True) if relative else threshold
    return (size <= limit).double().mean(1)
