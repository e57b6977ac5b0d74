"""Second-order indicators: the spectrum of the input Hessian."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from .._random import RowNoise
from ..attacks import auto_batch_size
from ._curvature import (
    HessianProduct,
    dense_hessian,
    difference_hessian,
    gauss_newton_eigvals,
    is_piecewise_linear,
)
from ._indicator_input import IndicatorInput, Value
from ._lanczos import eigenvalues, largest, top_eigvals

__all__ = ["DENSE", "choose_method", "eigvals_of", "hessian_eigvals", "moderate_rows", "starts"]

METHODS = ("auto", "exact", "lanczos", "gauss_newton", "finite_difference")
DENSE = 256  # features up to which a whole matrix costs no more than an iteration
_NUMBERS = 2**24  # held at once


def hessian_eigvals(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    of: str | Value = "margin",
    k: int | None = None,
    method: str = "auto",
    tau: float = 1.0,
    step: float | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Eigenvalues of the Hessian of the decision function with respect to each sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at; through a pipeline the Hessian is in the units of this X.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    of : {"margin", "loss", "smooth_margin"} or callable, default="margin"
        Whose Hessian: of the decision function, of the cross-entropy, of the margin with a soft
        maximum, or of ``of(z, y) -> (n,)`` on tensors of logits and class codes. Logits of
        ReLU networks are piecewise linear: the Hessian of their margin is zero, and that of the
        other two is not.
    k : int, default=None
        How many, those of largest magnitude; None means all.
    method : {"auto", "exact", "lanczos", "gauss_newton", "finite_difference"}, default="auto"
        "exact" builds the whole matrix. "lanczos" needs ``k`` and products with vectors only.
        "gauss_newton" ignores the curvature of the logits: exact, and very fast, where they
        are piecewise linear ("loss" and "smooth_margin" only). "finite_difference" takes
        differences of the gradient over ``step``: curvature at a scale, not a Hessian, but useful
        where that is zero. "auto" looks at the curvature near every sample: where all logits are
        linear it takes the closed form, and the whole matrix (or Lanczos) otherwise. The order of
        the samples plays no part, and a method that is named is the one that is used.
    tau : float, default=1.0
        Temperature of the smooth margin.
    step : float, default=None
        Distance over which "finite_difference" looks, in units of X; half the eps of the threat is
        a good start.
    batch_size : int, default=None
        Samples computed together; None depends on the memory they need.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    eigenvalues : array of shape (n_samples, k) or (n_samples, n_features), float64
        Ascending.

    Raises
    ------
    ValueError
        If ``k`` exceeds the number of features, or an option lacks what it needs.

    Warns
    -----
    UserWarning
        If the margin is piecewise linear: the eigenvalues are then zeros, not rounding errors.

    See Also
    --------
    hessian_norm : One number per sample.
    taylor_bound : What gradient and curvature together allow.

    Notes
    -----
    ``H = Q diag(lam) Q^T`` in ``S(x + d) ~ S(x) + J^T d + d^T H d / 2`` (paper 001, eqs. 4 and 8).
    Computed in float64, whatever the precision of X: in float32 the null space of a matrix of low
    rank looks like curvature. Lanczos iterates all samples together, with full
    reorthogonalisation, until the residual is 1e-6 of the largest eigenvalue. Gauss-Newton takes
    one backward pass per class. The paper reports a Hessian of S of nets that are piecewise linear;
    how it was obtained is not known.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    Logistic regression has a linear margin but a curved loss, of one rank less than classes:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import hessian_eigvals
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> eigenvalues = hessian_eigvals(model, X, y, of="loss")
    >>> eigenvalues.shape, (eigenvalues > 1e-9 * eigenvalues.max()).sum(axis=1).max().item()
    ((150, 4), 2)
    """
    check.validate(
        locals(),
        k=check.optional(check.check_count),
        tau=check.check_temperature,
        step=check.optional(check.check_temperature),
    )
    inputs = IndicatorInput(estimator, X, y)
    if k is not None and check.check_count("k", k) > inputs.n_features:
        raise ValueError(
            f"k is {k}, but a sample has {inputs.n_features} features: give at most "
            f"{inputs.n_features}, or None for all."
        )
    method = choose_method(inputs, of=of, k=k, method=method)
    if method == "finite_difference":
        check_step(step)
    options: dict[str, Any] = {"of": of, "k": k, "method": method, "tau": tau, "step": step}
    return eigvals_of(inputs, **options, batch_size=batch_size, verbose=verbose)


def eigvals_of(
    inputs: IndicatorInput,
    *,
    of: str | Value,
    k: int | None,
    method: str,
    tau: float = 1.0,
    step: float | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Eigenvalues for all samples, by the method that :func:`choose_method` returned."""
    d, value = inputs.n_features, inputs.scalar(of, tau)
    ways: dict[str, Callable[[Any, Any], torch.Tensor]] = {
        "zero": lambda x, y: x.new_zeros(len(x), d),
        "exact": lambda x, y: eigenvalues(dense_hessian(value, x, y)),
        "finite_difference": lambda x, y: eigenvalues(
            difference_hessian(value, x, y, float(step or 0))
        ),
        "gauss_newton": lambda x, y: gauss_newton_eigvals(inputs.logits, x, y, str(of), tau),
        "lanczos": lambda x, y: top_eigvals(HessianProduct(value, x, y), starts(x), k or d),
    }

    def chosen(x, y):
        found = ways[method](x, y)
        lacking = max(0, (k or d) - found.shape[1])  # closed forms leave out zeros
        return largest(torch.nn.functional.pad(found, (0, lacking)), k or d)

    size = batch_size or moderate_rows(inputs, method)
    return inputs.map(
        chosen, "hessian_eigvals", batch_size=size, verbose=verbose, dtype=torch.float64
    )


def choose_method(inputs: IndicatorInput, *, of: str | Value, k: int | None, method: str) -> str:
    """Resolve "auto", and "zero" where there is no curvature at all; refuse what cannot be."""
    check.check_choice("method", method, METHODS)
    inputs.scalar(of)  # refuses an unknown name
    if method == "gauss_newton" and (callable(of) or of == "margin"):
        raise ValueError(
            f"method='gauss_newton' does not know the curvature of of={of!r}: choose of='loss' or "
            "of='smooth_margin', or another method."
        )
    if method == "lanczos" and k is None:
        raise ValueError("method='lanczos' finds the largest eigenvalues; give k, such as k=10.")
    if method in ("gauss_newton", "finite_difference"):
        return method
    linear = _is_piecewise_linear(inputs)
    if linear and not callable(of) and of == "margin":
        warn_of_zeros(inputs)
        return "zero" if method == "auto" else method
    if method != "auto":
        return method
    if linear and not callable(of):
        return "gauss_newton"
    return "exact" if k is None or inputs.n_features <= DENSE else "lanczos"


def _is_piecewise_linear(inputs: IndicatorInput) -> bool:
    """Whether the logits are linear near every sample; the first curved batch ends the search."""
    size = moderate_rows(inputs, "lanczos")
    batches = inputs.batches("hessian_eigvals", batch_size=size, dtype=torch.float64)
    with torch.enable_grad():
        return all(is_piecewise_linear(inputs.logits, x) for _, x, _ in batches)


def warn_of_zeros(inputs: IndicatorInput) -> None:
    """Warn that the Hessian of a margin is zero, and say what to ask instead."""
    warnings.warn(
        f"The margin of {inputs.module.name} is piecewise linear, so its Hessian is zero wherever "
        "it exists: ask for of='loss' or of='smooth_margin', or for "
        "method='finite_difference' with a step to see how it bends over that distance.",
        stacklevel=4,
    )


def check_step(step: float | None) -> None:
    """Raise unless ``step`` is a positive distance."""
    if step is None:
        raise ValueError(
            "method='finite_difference' needs a distance to look over: give step, such as "
            "step=0.05; half the eps of the threat is a good start."
        )
    check.check_number("step", step, strict=True)


def starts(x: torch.Tensor, seed: int = 0, number: int = 0) -> Callable[[int], torch.Tensor]:
    """Return the function ``step -> (n, n_features)`` that gives Lanczos its random vectors."""
    noise = RowNoise(seed, x).spawn(number)
    return lambda step: noise.normal(x, step).flatten(1)


def moderate_rows(inputs: IndicatorInput, method: str) -> int:
    """Count the samples whose working memory is moderate."""
    d = inputs.n_features
    each = {"lanczos": 64 * d, "gauss_newton": 32 * d, "zero": d}.get(method, d * d)
    return max(1, min(auto_batch_size(d, inputs.module.device), _NUMBERS // each))
