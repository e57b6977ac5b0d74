"""Size of the input Hessian, exactly or by random probes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from .._random import RowNoise, seed_of
from ._curvature import HessianProduct
from ._hessian import DENSE, choose_method, eigvals_of, moderate_rows, starts
from ._indicator_input import IndicatorInput, Value
from ._lanczos import quadrature

__all__ = ["hessian_norm"]

_NORMS = ("fro", "spectral", "nuclear")
_STEPS = 30  # of Lanczos in each quadrature


def hessian_norm(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "fro",
    average: bool = False,
    of: str | Value = "margin",
    method: str = "auto",
    n_probes: int = 16,
    tau: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Size of the Hessian of the decision function with respect to each sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    norm : {"fro", "spectral", "nuclear"}, default="fro"
        Root of the sum of the squared eigenvalues, the largest of their magnitudes, or the sum of
        those.
    average : bool, default=False
        Whether to give the mean over the features instead: of the magnitudes for "nuclear" (the
        paper's indicator), their root mean square for "fro"; "spectral" stays as it is.
    of : {"margin", "loss", "smooth_margin"} or callable, default="margin"
        Whose Hessian, as for :func:`hessian_eigvals`.
    method : {"auto", "exact", "stochastic"}, default="auto"
        "exact" takes all eigenvalues, in closed form where the logits are linear near every sample.
        "stochastic" multiplies the Hessian with ``n_probes`` random vectors of signs; "spectral" is
        found by Lanczos then. "auto" is exact in closed form and for up to 256 features.
    n_probes : int, default=16
        Random vectors per sample. The error of the squared Frobenius norm is about 20 % for one
        sample with 16 of them, and less in a mean over samples.
    tau : float, default=1.0
        Temperature of the smooth margin.
    random_state : int, RandomState or None, default=None
        Seed of the random vectors.
    batch_size : int, default=None
        Samples computed together; None depends on the memory they need.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    size : array of shape (n_samples,), float64
        Lower is more robust, but 0 is reached by any linear model.

    Warns
    -----
    UserWarning
        If the margin is piecewise linear, so that the size is zero.

    See Also
    --------
    hessian_eigvals : The eigenvalues themselves.

    Notes
    -----
    Hutchinson: ``||H||_F^2 = E ||H r||^2`` for random signs r. The nuclear norm is n_features times
    the mean of ``r^T |H| r / ||r||^2``, each term by a Gauss quadrature of 30 Lanczos steps.

    References
    ----------
    Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian
    smoothing splines", 1990. Ubaru, Chen, Saad, "Fast estimation of tr(f(A)) via stochastic
    Lanczos quadrature", SIAM J. Matrix Anal. Appl. 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import hessian_norm
    >>> X, y = load_iris(return_X_y=True)
    >>> weak, strong = (LogisticRegression(C=C, max_iter=5000).fit(X, y) for C in (0.01, 1))
    >>> sizes = [hessian_norm(model, X, y, of="loss").mean() for model in (weak, strong)]
    >>> bool(sizes[0] < sizes[1])
    True
    """
    check.validate(
        locals(), average=check.check_flag, n_probes=check.check_count, tau=check.check_temperature
    )
    inputs = IndicatorInput(estimator, X, y)
    options: dict[str, Any] = {"of": of, "tau": tau, "batch_size": batch_size, "verbose": verbose}
    return norm_of(
        inputs,
        norm=norm,
        average=average,
        method=method,
        n_probes=n_probes,
        random_state=random_state,
        **options,
    )


def norm_of(
    inputs: IndicatorInput,
    *,
    norm: str,
    average: bool,
    of: str | Value,
    method: str = "auto",
    n_probes: int = 16,
    tau: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Norm for all samples; parameters as for :func:`hessian_norm`."""
    check.check_choice("norm", norm, _NORMS)
    check.check_choice("method", method, ("auto", "exact", "stochastic"))
    check.check_count("n_probes", n_probes)
    d = inputs.n_features
    options: dict[str, Any] = {"of": of, "tau": tau, "batch_size": batch_size, "verbose": verbose}
    chosen = choose_method(inputs, of=of, k=None, method="auto")
    if method == "stochastic" and chosen == "gauss_newton":
        chosen = "exact"  # the method that was asked for, not the closed form
    random = method == "stochastic" or (method == "auto" and d > DENSE)
    share = {"nuclear": 1, "fro": 0.5, "spectral": 0}[norm] if average else 0
    if chosen == "exact" and random and norm == "spectral":
        size = np.abs(eigvals_of(inputs, k=1, method="lanczos", **options)[:, 0])
    elif chosen == "exact" and random:
        size = _estimate(inputs, norm, n_probes, random_state, **options)
    else:
        size = _from_eigvals(eigvals_of(inputs, k=None, method=chosen, **options), norm)
    return size / d**share


def _from_eigvals(eigvals, norm):
    order = {"nuclear": 1, "fro": 2, "spectral": np.inf}[norm]
    return np.linalg.norm(eigvals, order, axis=1)


def _estimate(inputs, norm, n_probes, random_state, *, of, tau, batch_size, verbose):
    value, seed = inputs.scalar(of, tau), seed_of(random_state)

    def frobenius(x, y):
        product, noise = HessianProduct(value, x, y), RowNoise(seed, x)
        total = x.new_zeros(len(x))
        for number in range(n_probes):
            signs = (noise.uniform(x, number) - 0.5).sign().flatten(1)
            total = total + product(signs).square().sum(1)
        return (total / n_probes).sqrt()

    def nuclear(x, y):
        product, total = HessianProduct(value, x, y), x.new_zeros(len(x))
        for number in range(n_probes):
            nodes, weights = quadrature(product, starts(x, seed, number), _STEPS)
            total = total + (weights * nodes.abs()).sum(1)
        return inputs.n_features * total / n_probes

    return inputs.map(
        {"fro": frobenius, "nuclear": nuclear}[norm],
        "hessian_norm",
        batch_size=batch_size or moderate_rows(inputs, "lanczos"),
        verbose=verbose,
        dtype=torch.float64,
    )
