"""How much the predicted probabilities can change inside a ball."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _functional as F
from .. import _validation as check
from .._norms import Bounds
from .._random import seed_of
from .._units import check_units
from ..attacks import APGD
from ._indicator_input import IndicatorInput

__all__ = ["prediction_divergence"]

_DIVERGENCES = {"kl": F.kl, "js": F.jensen_shannon, "tv": F.total_variation}


def prediction_divergence(
    estimator: Any,
    X: ArrayLike,
    y: Any = None,
    *,
    eps: ArrayLike | None = None,
    norm: str | float = "linf",
    max_iter: int = 20,
    n_restarts: int = 5,
    divergence: str = "kl",
    logit_normalization: str | None = None,
    bounds: str | Bounds = "auto",
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Largest change of the predicted probabilities that is found inside a ball; needs no labels.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : ignored
        Accepted so that it has the signature of its siblings.
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X; None means 8/255 for linf.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    max_iter : int, default=20
        Steps of each of two searches: one climbs the divergence, one crosses the boundary.
    n_restarts : int, default=5
        Random starts. There is always one: the gradient at the sample itself is zero. One alone
        may end at a summit that is not the highest.
    divergence : {"kl", "js", "tv"}, default="kl"
        Kullback-Leibler, Jensen-Shannon (at most log 2), or total variation (at most 1).
    logit_normalization : {None, "std"}, default=None
        "std" divides the logits by their standard deviation around the mean of each sample, over
        all of X: then a rescaling of the logits changes nothing. A choice of ours; the paper's own
        normalisation is another.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    random_state : int, RandomState or None, default=None
        Seed of the random starts.
    batch_size : int, default=None
        Samples computed together; None fits the cache.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    divergence : array of shape (n_samples,), float64
        At least 0, in nats for "kl" and "js"; lower is more robust, and 0 for a constant model. A
        search finds a lower bound of the maximum.

    See Also
    --------
    prediction_stability : Share of predictions that do not change.

    Notes
    -----
    ``psi(x) = max_{||d|| <= eps} D(P(x), P(x + d))`` with the probabilities P = softmax(z), the
    largest over all points that Auto-PGD meets, once on D and once on the margin, since D grows on
    both sides of x. For a small l2 ball it is
    ``eps^2 / 2`` times the largest eigenvalue of the Fisher matrix, which is
    ``hessian_eigvals(..., of="loss", method="gauss_newton", k=1)``.

    References
    ----------
    Yu et al., "Interpreting and evaluating neural network robustness", IJCAI 2019,
    arXiv 1905.04270.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import prediction_divergence
    >>> X, y = load_iris(return_X_y=True)
    >>> weak, strong = (LogisticRegression(C=C, max_iter=5000).fit(X, y) for C in (0.01, 100))
    >>> sizes = [prediction_divergence(model, X, eps=0.1, random_state=0).mean()
    ...          for model in (weak, strong)]
    >>> bool(sizes[0] < sizes[1])
    True
    """
    check.validate(locals())
    if y is not None:
        check.check_labels(y)
    check.check_choice("divergence", divergence, _DIVERGENCES)
    if logit_normalization is not None:
        check.check_choice("logit_normalization", logit_normalization, ("std",))
    inputs, of = IndicatorInput(estimator, X), _DIVERGENCES[divergence]
    attack = APGD(
        eps=eps,
        norm=norm,
        bounds=check.check_bounds(bounds, inputs.X),
        max_iter=max_iter,
        n_restarts=n_restarts,
        random_state=seed_of(random_state),
    )
    check_units(attack.threat_model, inputs.X)
    logits = _normalized(inputs) if logit_normalization else inputs.logits

    def largest(x, _):
        with torch.no_grad():
            reference = logits(x)
        found = torch.zeros(len(x), dtype=torch.float64, device=x.device)

        def observe(step, rows, z, x_adv):
            found[rows] = torch.maximum(found[rows], of(z.double(), reference[rows].double()))

        # The attack hands the loss the labels of its rows: here they number the rows. A random
        # start may lie on the wrong side of x, from where no climb leads to the boundary.
        rows, predicted = torch.arange(len(x), device=x.device), reference.argmax(1)
        climbs = ((lambda z, rows: of(z, reference[rows])), rows), ("margin", predicted)
        for loss, y in climbs:
            x_adv = attack.set_params(loss=loss).perturb(logits, x, y, observe=observe)
            with torch.no_grad():
                observe(max_iter, rows, logits(x_adv), x_adv)
        return found

    return inputs.map(largest, "prediction_divergence", batch_size=batch_size, verbose=verbose)


def _normalized(inputs):
    """Logits over their standard deviation around each sample's mean, over all samples."""

    def centered(x, y):
        z = inputs.module(x)
        return z - z.mean(1, keepdim=True)

    with torch.no_grad():
        scale = float(inputs.map(centered, "prediction_divergence").std())
    return (lambda x: inputs.logits(x) / scale) if scale > 0 else inputs.logits
