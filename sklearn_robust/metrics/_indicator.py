"""The paper's pair of numbers, and what explains them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state

from .. import _functional as F
from .. import _validation as check
from ._hessian import DENSE, choose_method, eigvals_of
from ._hessian_norm import norm_of
from ._indicator_input import IndicatorInput, value_and_gradient
from ._jacobian import near_zero_share

__all__ = [
    "curved",
    "pick_samples",
    "robustness_indicator",
    "second_order",
    "warn_if_constant",
]

_JACOBIAN_ZERO, _HESSIAN_ZERO = 1e-3, 1e-6


def robustness_indicator(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    n_samples: int | None = 100,
    curvature_of: str = "auto",
    method: str = "auto",
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Describe how robust a classifier is by its gradient and curvature, without attacking it.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the means.
    n_samples : int or None, default=100
        How many of the samples to look at, drawn at random; None means all.
    curvature_of : {"auto", "margin", "loss", "smooth_margin"}, default="auto"
        Whose Hessian. "auto" is the margin, or the loss where the margin is piecewise linear and
        has none; name one to compare classifiers of both kinds.
    method : {"auto", "exact", "stochastic"}, default="auto"
        How to find the curvature, as for :func:`hessian_norm`.
    random_state : int, RandomState or None, default=None
        Draws the samples and the random probes.
    batch_size : int, default=None
        Samples computed together; None depends on the memory they need.
    verbose : int, default=0
        Whether to show progress bars.

    Returns
    -------
    indicator : Bunch
        Means over the samples: ``jacobian`` (of ``|J_i|``), ``curvature`` (of ``|lam_i|``),
        ``margin``, ``jacobian_sparsity`` (share of ``|J_i| <= 1e-3``), ``hessian_sparsity`` (share
        of ``|lam_i| <= 1e-6 max |lam|``; NaN where the spectrum is only estimated).
        ``standard_errors`` holds the standard error of each mean: another draw of as many samples
        moves it by about as much. ``curvature_of`` says whose Hessian it was, ``samples`` holds the
        same numbers for each sample, ``index`` which samples these are.

    Warns
    -----
    UserWarning
        If all the samples are given one label: small numbers of a constant model mean nothing.

    See Also
    --------
    make_indicator_scorer : For searches, beside a robust score.

    Notes
    -----
    The standard error is that of a weighted mean, ``sqrt(n / (n - 1) sum w_i^2 (v_i - mean)^2) /
    sum w_i``: the standard deviation over ``sqrt(n)`` without weights. With the default of 100
    samples it is often 5 % of the mean, so differences of that size need more samples.

    The paper's indicator is the pair of ``mean |J_i|`` and ``mean |lam_i|``, the lower the more
    robust. Neither knows the margin that must be overcome, and both grow with the logits: compare
    nets that were trained alike, and read them beside :func:`robust_score`.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import robustness_indicator
    >>> X, y = load_iris(return_X_y=True)
    >>> weak, strong = (LogisticRegression(C=C, max_iter=5000).fit(X, y) for C in (0.01, 100))
    >>> weak = robustness_indicator(weak, X, y, random_state=0)
    >>> strong = robustness_indicator(strong, X, y, random_state=0)
    >>> bool(weak.jacobian < strong.jacobian), weak.curvature_of
    (True, 'loss')
    >>> bool(weak.standard_errors.jacobian < 0.1 * weak.jacobian)
    True
    """
    check.validate(locals(), n_samples=check.optional(check.check_count))
    rng = check_random_state(random_state)
    inputs = IndicatorInput(estimator, X, y)
    weights = check.check_weights(sample_weight, len(inputs.X))
    warn_if_constant(inputs)
    index = pick_samples(len(inputs.X), n_samples, rng)
    inputs = inputs.take(index)
    options = {"batch_size": batch_size, "verbose": verbose}
    curvature_of = curved(inputs, curvature_of)
    samples = _first_order(inputs, options)
    samples |= second_order(inputs, curvature_of, method, rng.randint(2**31 - 1), options)
    weights = np.ones(len(index)) if weights is None else weights[index]
    pairs = {name: _mean_and_error(values, weights) for name, values in samples.items()}
    return Bunch(
        **{name: mean for name, (mean, _) in pairs.items()},
        standard_errors=Bunch(**{name: error for name, (_, error) in pairs.items()}),
        curvature_of=curvature_of,
        samples=Bunch(**samples),
        index=index,
    )


def _mean_and_error(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Weighted mean and its standard error, NaN for a single sample.

    With equal weights the error is the sample's standard deviation over sqrt(n).
    """
    n, total = len(values), weights.sum()
    if total == 0:
        raise ValueError(
            "sample_weight is 0 for all the samples that were drawn: give n_samples=None, or other "
            "weights."
        )
    mean = float(np.average(values, weights=weights))
    if n < 2:
        return mean, float("nan")
    square = np.sum((weights * (values - mean)) ** 2) * n / (n - 1)
    return mean, float(np.sqrt(square) / total)


def pick_samples(n: int, n_samples: int | None, rng: np.random.RandomState) -> NDArray[np.int64]:
    """Return the sorted positions of ``n_samples`` of n samples, all of them at most."""
    if n_samples is None or check.check_count("n_samples", n_samples) >= n:
        return np.arange(n)
    return np.sort(rng.choice(n, n_samples, replace=False))


def warn_if_constant(inputs: IndicatorInput) -> None:
    """Say that indicators of a constant model mean nothing, if it is one."""
    inputs = inputs.take(slice(None, None, -(-len(inputs.X) // 500)))
    predicted = inputs.module.codes(inputs.X)
    true = np.asarray(inputs.codes)
    if len(np.unique(true)) > 1 and len(np.unique(predicted)) == 1:
        warnings.warn(
            f"{inputs.module.name} gives all samples one label: a model that ignores its input has "
            "a gradient of zero, and its small indicators do not make it robust.",
            stacklevel=3,
        )


def curved(inputs: IndicatorInput, of: Any) -> Any:
    """Resolve "auto": the margin, or the loss where the margin is piecewise linear."""
    if not isinstance(of, str):
        check.check_takes("of", of, "z, y")
        return of
    if of != "auto":
        return of
    known = choose_method(inputs, of="loss", k=None, method="auto")
    return "loss" if known == "gauss_newton" else "margin"


def _first_order(inputs, options):
    value = inputs.scalar("margin")

    def numbers(x, y):
        margin, J = value_and_gradient(value, x, y)
        size = F.flat_norm(J.double(), 1) / inputs.n_features
        sparsity = near_zero_share(J.flatten(1), _JACOBIAN_ZERO, relative=False)
        return torch.stack([size, margin.double(), sparsity], 1)

    columns = inputs.map(numbers, "robustness_indicator: gradient", **options).T
    return dict(zip(("jacobian", "margin", "jacobian_sparsity"), columns, strict=True))


def second_order(
    inputs: IndicatorInput, of: str, method: str, seed: int, options: dict[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """Mean magnitude of the eigenvalues and share of zeros among them, for each sample."""
    check.check_choice("method", method, ("auto", "exact", "stochastic"))
    known = choose_method(inputs, of=of, k=None, method="auto")
    large = method == "auto" and inputs.n_features > DENSE
    if known == "exact" and (large or method == "stochastic"):
        options = {"average": True, "of": of, "random_state": seed, **options}
        curvature = norm_of(inputs, norm="nuclear", method="stochastic", **options)
        return {"curvature": curvature, "hessian_sparsity": np.full(len(inputs.X), np.nan)}
    eigvals = torch.from_numpy(eigvals_of(inputs, of=of, k=None, method=known, **options))
    return {
        "curvature": eigvals.abs().mean(1).numpy(),
        "hessian_sparsity": near_zero_share(eigvals, _HESSIAN_ZERO, relative=True).numpy(),
    }
