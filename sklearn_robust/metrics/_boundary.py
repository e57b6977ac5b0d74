"""How far the decision boundary is along a ray."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from .. import _functional as F
from .. import _validation as check
from .._norms import Bounds, Box, column, get_norm
from .._random import RowNoise, seed_of
from ..attacks._evaluation import minimal_distances, open_samples, params_of
from ..attacks._minimum_norm import MinimumNormAttack
from ..differentiable import open_model
from ._directions import check_direction, direction_tensor
from ._indicator_input import IndicatorInput

__all__ = ["boundary_distance", "crossing"]

_HALVINGS = 40


def boundary_distance(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    directions: Any = ("cw",),
    norm: str | float = "l2",
    max_distance: float,
    n_scan: int = 64,
    bounds: str | Bounds = None,
    random_state: int | np.random.RandomState | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> NDArray[np.float64]:
    """Distance from each sample to the decision boundary along given directions.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    directions : sequence of str, arrays or attacks, default=("cw",)
        Where the rays go: "cw" down the decision function, "ce" up the cross-entropy, "ce_ll" down
        the cross-entropy of the least likely class, "random", or arrays of the shape of a sample or
        of X. Gradients are taken once, at the sample, in the direction that is steepest for
        ``norm`` (signs for linf, one feature for l1). An attack for the nearest point (DeepFool,
        FAB, CarliniWagner) takes no ray: its distance is that of the point it found.
    norm : {"linf", "l2", "l1"}, default="l2"
        Norm of the distances.
    max_distance : float
        Where a walk ends, in units of X.
    n_scan : int, default=64
        Steps up to there. The first step that ends beyond the boundary is bisected, so that a
        piece of a wrong class that is thinner than a step may be missed.
    bounds : "auto", None or (low, high), default=None
        Box of the data in which the rays bend along its sides; None for no box.
    random_state : int, RandomState or None, default=None
        Seed of the random directions.
    batch_size : int, default=None
        Samples computed together; None fits the cache.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    distance : array of shape (n_samples, n_directions), float64
        0 where the classifier errs on the sample itself, inf where no boundary was met.

    Raises
    ------
    ValueError
        If ``max_distance`` is not positive, or a direction is unknown or zero.

    Warns
    -----
    UserWarning
        If a gradient is zero, so that there is no direction; the distance is inf then.

    See Also
    --------
    taylor_radius : An estimate without a walk.
    sklearn_robust.attacks.DeepFool : Looks for the nearest point in any direction.

    Notes
    -----
    An upper bound of the distance to the boundary: an attack may find a nearer point elsewhere.
    These are the arrows of paper 001, Fig. 4.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import boundary_distance, decision_margin
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[:100], y[:100]
    >>> model = LogisticRegression().fit(X, y)
    >>> distance = boundary_distance(model, X, y, max_distance=10)[:, 0]
    >>> bool(np.allclose(distance, decision_margin(model, X, y) / np.linalg.norm(model.coef_)))
    True
    """
    check.validate(locals(), n_scan=check.check_count)
    norm = check.check_norm(norm)
    check.check_number("max_distance", max_distance, strict=True)
    check.check_count("n_scan", n_scan)
    inputs = IndicatorInput(estimator, X, y)
    bounds = check.check_bounds(bounds, inputs.X)
    single = isinstance(directions, str | MinimumNormAttack)
    array = isinstance(directions, np.ndarray | torch.Tensor)
    single = single or (array and directions.ndim == inputs.X.ndim - 1)
    directions = (
        [directions]
        if single
        else check.check_names("directions", directions, "a list of directions, such as ['cw']")
    )
    rays = [
        check_direction(d, inputs.X) for d in directions if not isinstance(d, MinimumNormAttack)
    ]
    batches = inputs.batches("boundary_distance", batch_size=batch_size, verbose=verbose)
    seed = seed_of(random_state)
    walked = iter(_walk(inputs, batches, rays, norm, max_distance, n_scan, bounds, seed))
    columns = [
        _search(d, estimator, X, y, norm, max_distance, bounds)
        if isinstance(d, MinimumNormAttack)
        else next(walked)
        for d in directions
    ]
    return np.stack(columns, 1)


def _search(attack, estimator, X, y, norm, max_distance, bounds):
    """Distances (n,) that an attack finds, up to the greatest one asked for."""
    attack = clone(attack).set_params(norm=norm, eps=None, bounds=bounds)
    model = open_model(estimator, X, params_of(attack))
    found = minimal_distances(model, *open_samples(model, X, y), attack)
    return np.where(found <= max_distance, found, np.inf)


def _walk(inputs, batches, rays, norm, max_distance, n_scan, bounds, seed):
    """Distances along the rays, (n_rays, n_samples)."""
    if not rays:
        return []
    parts, n_lost = [], 0
    for rows, x, y in batches:
        noise, columns, box = RowNoise(seed, x), [], Box(bounds, x)
        for number, ray in enumerate(rays):
            with torch.enable_grad():
                d = direction_tensor(ray, inputs, x, y, rows, norm, noise, number)
            n_lost += int((~d.flatten(1).any(1)).sum())
            t = crossing(inputs.module, x, y, d, max_distance, n_scan, box)
            moved = box.clamp(x + column(t.clamp_max(max_distance), x) * d) - x
            length = get_norm(norm).length(moved.double())
            columns.append(torch.where(t.isfinite(), length, torch.inf).cpu())
        parts.append(torch.stack(columns).numpy())
    if n_lost:
        warnings.warn(
            f"{n_lost} gradients are zero and give no direction: their distance is inf. Use "
            "directions=('random',), or look for saturated or detached parts of the model.",
            stacklevel=3,
        )
    return np.concatenate(parts, 1)


@torch.no_grad()
def crossing(
    logits: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    d: torch.Tensor,
    max_distance: float,
    n_scan: int,
    box: Box,
) -> torch.Tensor:
    """First t in (0, max_distance] at which the margin of ``x + t d`` is not positive, (n,).

    Found by ``n_scan`` steps and bisection of the first one that ends there; 0 if the margin
    of x is not positive, inf if that of no step is.
    """
    x, d = x.detach(), d.detach()

    def wrong(t, rows):
        point = x[rows] + column(t, x).to(x) * d[rows]
        return F.margin(logits(box.clamp(point)), y[rows]) <= 0

    low = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    high = torch.full_like(low, torch.inf)
    rows = torch.arange(len(x), device=x.device)
    for step in range(n_scan + 1):
        here = torch.full_like(low[rows], max_distance * step / n_scan)
        met = wrong(here, rows)
        high[rows[met]], low[rows[~met]] = here[met], here[~met]
        rows = rows[~met]
        if not len(rows):
            break
    rows = torch.nonzero(high.isfinite() & (high > 0)).flatten()
    for _ in range(_HALVINGS if len(rows) else 0):
        middle = (low[rows] + high[rows]) / 2
        met = wrong(middle, rows)
        high[rows[met]], low[rows[~met]] = middle[met], middle[~met]
    return high
