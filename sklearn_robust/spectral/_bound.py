"""The two terms of a generalisation bound for robust networks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist
from sklearn.utils import Bunch, check_random_state

from .. import _validation as check
from ..attacks import DeepFool
from ..attacks._minimum_norm import check_nearest
from ..differentiable import Model
from ._layers import last_layer
from ._margin_report import logits_of, open_samples
from ._modules import own_dtype
from ._smallest_gains import smallest_gains
from ._trace import trace_of

__all__ = ["generalization_bound_terms"]


def generalization_bound_terms(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: float,
    gamma: float = 1.0,
    eta: float = 0.05,
    attack: Any = None,
    max_samples: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    r"""Terms of a bound on the generalisation error of a robust network (experimental).

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or torch.nn.Module
        A model that ends in a linear layer.
    X : array-like of shape (n_samples, ...)
        Training samples.
    y : array-like of shape (n_samples,)
        Their labels.
    eps : float
        Radius within which the model is taken to be robust, l2, in the units of X.
    gamma : float, default=1.0
        Width of the ramp loss, in logits.
    eta : float, default=0.05
        The bound holds with probability 1 - eta.
    attack : attack, default=None
        Minimum-norm attack for the smallest margin in the input; None is
        ``DeepFool(norm="l2", bounds=None)``.
    max_samples : int, default=1000
        Number of samples from which the covering number is estimated.
    random_state : int, RandomState or None, default=0
        Seed of the choice of samples.

    Returns
    -------
    terms : Bunch
        ``margin_term`` and ``covering_term``, the two summands; ``bound``, their sum; ``vacuous``,
        whether the sum is 1 or more, so that it says nothing. They are made of ``u_min``, the
        product of ``class_distance`` (smallest distance of two rows of the last weight matrix),
        ``sigma_min_product`` (smallest singular values of all steps before it, those of a
        pipeline's scaler included; ``sigma_min`` lists them by name) and ``input_margin_min``
        (smallest distance found of a correctly classified sample to the boundary); ``dimension``
        and ``constant``, k and C of the covering number ``(C / eps)^k``; ``covering_number``.

    Raises
    ------
    ValueError
        If the model does not end in a linear layer, holds a step whose smallest singular value is
        unknown (a shortcut, attention, another activation than ReLU) or a convolution too large for
        it, if no boundary is found, or a number is out of its range.

    See Also
    --------
    margin_report : The margins themselves.

    Notes
    -----
    With probability 1 - eta the ramp loss generalises within [1]_

    .. math:: \max\{0, 1 - u_{\min} / \gamma\} +
       \sqrt{\frac{2 \ln 2 \; C^k}{\epsilon^k m} + \frac{2 \ln(1 / \eta)}{m}},

    for a network of linear layers, ReLU and max-pooling that is robust within eps, m samples of a
    k-dimensional manifold, and
    ``u_min = min ||w_y - w_y'|| * prod sigma_min * input_margin_min``. The statement is recalled
    from the paper, its constants are not checked. For practical networks it is vacuous: the
    smallest singular value of a convolution is nearly 0, and (C / eps)^k is far above m. Look at
    the terms as diagnostics. Singular values are those of the exact operators, with their true
    padding; of a step with fewer outputs than inputs, the smallest of as many values as it has
    outputs, though such a step maps some changes to 0.

    The covering number is fitted to a greedy farthest-point net of the samples, which makes the
    dimension too small, and the smallest margin is an upper bound by attack. Both make the bound
    too small.

    References
    ----------
    .. [1] Y. Wen, S. Li and K. Jia, "Towards understanding the regularization of adversarial
       robustness on neural networks", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.spectral import generalization_bound_terms
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> terms = generalization_bound_terms(model, X, y, eps=0.3)
    >>> terms.vacuous, round(terms.margin_term, 2)
    (True, 0.94)
    """
    check.validate(locals(), max_samples=check.check_count)
    check.check_number("eps", eps, strict=True)
    check.check_number("gamma", gamma, strict=True)
    check.check_number("eta", eta, high=1, strict=True)
    check.check_count("max_samples", max_samples, low=10)
    opened, samples, codes = open_samples(estimator, X, y)
    model = opened.module
    trace = trace_of(model, model.tensor(samples[:2]).to(own_dtype(model)))
    last = last_layer(trace)
    if last is None:
        raise ValueError(f"{opened.name} does not end in a linear layer, which the bound needs.")
    terms = Bunch(sigma_min=smallest_gains(trace, last.node, opened.name))
    terms.class_distance = float(pdist(last.matrix.double().cpu().numpy()).min())
    terms.sigma_min_product = math.prod(terms.sigma_min.values())
    terms.input_margin_min = _smallest_margin(opened, samples, codes, attack)
    terms.u_min = terms.class_distance * terms.sigma_min_product * terms.input_margin_min
    terms.margin_term = max(0.0, 1 - terms.u_min / gamma)
    terms.dimension, terms.constant = _dimension(samples, max_samples, random_state)
    with np.errstate(over="ignore"):
        terms.covering_number = float(np.float64(terms.constant / eps) ** terms.dimension)
    m = len(samples)
    square = 2 * math.log(2) * terms.covering_number / m + 2 * math.log(1 / eta) / m
    terms.covering_term = math.sqrt(square)
    terms.bound = terms.margin_term + terms.covering_term
    terms.vacuous = terms.bound >= 1
    return terms


def _smallest_margin(
    opened: Model, X: NDArray[Any], codes: NDArray[np.int64], attack: Any
) -> float:
    """Smallest distance found of a correctly classified sample to the boundary."""
    right = logits_of(opened.module, X).argmax(1).numpy() == codes
    if not right.any():
        return 0.0
    attack = DeepFool(norm="l2", bounds=None) if attack is None else check_nearest(attack, "l2")
    smallest = float(attack.evaluate(opened, X[right]).distance.min())
    if not math.isfinite(smallest):
        raise ValueError(
            f"No attack found a boundary of {opened.name}, so its smallest margin is unknown: "
            f"{type(attack).__name__} changed no prediction; give another attack, or a model that "
            "tells the classes apart."
        )
    return smallest


def _dimension(
    X: NDArray[Any], max_samples: int, random_state: int | np.random.RandomState | None
) -> tuple[float, float]:
    """Fit log N = k log(C / r) to the radii of a greedy farthest-point net of the samples."""
    points = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    if len(points) > max_samples:
        chosen = check_random_state(random_state).choice(len(points), max_samples, replace=False)
        points = points[chosen]
    far = cdist(points[:1], points)[0]
    radii = []
    for _ in range(len(points) // 2):  # beyond, each sample is a ball of its own
        place = int(far.argmax())
        if far[place] <= 0:
            break
        radii.append(far[place])
        far = np.minimum(far, cdist(points[place : place + 1], points)[0])
    if len(radii) < 3 or radii[0] == radii[-1]:
        raise ValueError(
            f"X has only {len(radii) + 1} points in different places, too few to estimate the "
            "dimension of the data: give more samples."
        )
    dimension, offset = np.polyfit(-np.log(radii), np.log(np.arange(1, len(radii) + 1)), 1)
    return float(dimension), float(np.exp(offset / dimension))
