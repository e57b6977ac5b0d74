"""What a radius means in the units of the data, and which one to begin with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from scipy.special import gammaln
from sklearn.utils import Bunch

from .. import _validation as check

__all__ = ["EpsMeaning", "is_image", "suggest_eps"]

_SHARE = 0.1  # of the standard deviation of each feature of a table
_COLOUR, _GREY = 8 / 255, 0.1  # usual for images
_COMPARED = 2000  # samples whose distances to each other are measured
_METRICS = {"linf": "chebyshev", "l2": "euclidean", "l1": "cityblock"}


class EpsMeaning(Bunch):
    """Result of :func:`suggest_eps`, which prints as a few sentences."""

    def __repr__(self) -> str:
        """Say what the radius means, a line for each fact."""
        return "\n".join(self.sentences())

    def sentences(self) -> list[str]:
        """Return what is known of the radius, as whole sentences."""
        said = [f"eps = {describe_eps(self.eps)} in the {self.norm} norm."]
        if self.grey_levels is not None:
            said.append(f"That is {self.grey_levels:.3g} of 255 grey levels for each pixel.")
        moving = self.share[np.isfinite(self.share) & (self.share > 0)]
        if moving.size:
            low, middle, high = np.quantile(moving, (0, 0.5, 1))
            same = high - low < 1e-9 * high
            range_ = f"{middle:.3g}" if same else f"{low:.3g} to {high:.3g} (median {middle:.3g})"
            said.append(f"It is {range_} times the standard deviation of a feature.")
        if self.nearest is not None:
            said.append(
                f"The nearest two of {self.n_compared:,} samples of different classes are "
                f"{self.nearest.min():.3g} eps apart: no classifier is robust to both beyond eps = "
                f"{describe_eps(self.ceiling)}, half of that distance."
            )
            if self.best_possible < 1:
                said.append(f"No classifier can be robust on more than {self.best_possible:.1%}.")
        return said


def describe_eps(eps: Any) -> str:
    """Write a radius, or the range of the radii of single features."""
    values = np.asarray(eps, dtype=float)
    low, high = values.min(), values.max()
    return f"{high:.4g}" if low == high else f"{low:.4g} to {high:.4g}, by feature"


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether a sample of this shape is an image: (H, W), (1, H, W) or (3, H, W)."""
    return len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))


def numbers_of(X: Any) -> Any:
    """Leave out the columns of a pandas frame that hold no numbers: they move by no distance."""
    return X.select_dtypes(["number", "bool"]) if hasattr(X, "select_dtypes") else X


def suggest_eps(
    X: ArrayLike, y: ArrayLike | None = None, *, eps: Any = None, norm: str | float = "linf"
) -> EpsMeaning:
    """Suggest a radius for these data, or say what a given one means in their units.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Clean samples. Of a pandas frame the columns of numbers count.
    y : array-like of shape (n_samples,), default=None
        Labels. With them the distance between classes is known, which limits eps.
    eps : float or array of the samples' shape, default=None
        Radius to explain, in the units of X. None suggests one.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.

    Returns
    -------
    meaning : Bunch
        It prints as a few sentences, and has

        - ``eps``: the radius; of a table one number for each feature, unless it was given;
        - ``norm``: the norm;
        - ``spread``: standard deviation of each feature;
        - ``share``: eps divided by it, inf where a feature is constant and may move;
        - ``grey_levels``: eps in 255ths of the range of an image, or None;
        - ``nearest``: of each sample that was compared, the distance to the nearest sample of
          another class, in multiples of eps; None without y;
        - ``ceiling``: half of the least of these distances, as an eps;
        - ``best_possible``: robust accuracy on these samples that no classifier exceeds at eps;
        - ``n_compared``: number of samples that were compared, 2,000 at most.

    Raises
    ------
    ValueError
        If eps does not fit the samples, or the norm is not one of these three.

    See Also
    --------
    robustness_report : Accuracy at that radius.

    Notes
    -----
    A first eps is a tenth of the standard deviation of each feature of a table, 8/255 for colour
    images and 0.1 for grey ones (times 255 if pixels go to 255). In l2 and l1 it is the radius of
    the ball that has the volume of this cube. It is a place to begin: the right eps is the
    largest change that must not matter, which only the task can tell.

    If two samples of different classes are d apart and eps is at least d / 2, their balls share
    the point halfway, which no classifier gives both labels. Pairs without a common sample each
    cost one error, and a greedy choice of such pairs gives ``best_possible``.

    References
    ----------
    Yang, Rashtchian, Zhang, Salakhutdinov, Chaudhuri, "A closer look at accuracy vs.
    robustness", NeurIPS 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_robust.metrics import suggest_eps
    >>> X, y = load_iris(return_X_y=True)
    >>> meaning = suggest_eps(X, y)
    >>> meaning.eps.round(3)
    array([0.083, 0.043, 0.176, 0.076])
    >>> suggest_eps(X, y, eps=0.2)
    eps = 0.2 in the linf norm.
    It is 0.114 to 0.46 (median 0.253) times the standard deviation of a feature.
    The nearest two of 150 samples of different classes are 1 eps apart: no classifier is robust
    to both beyond eps = 0.1, half of that distance.
    No classifier can be robust on more than 96.0%.
    """
    norm = check.check_norm(norm)
    if norm not in _METRICS:
        raise ValueError(f"norm is {norm!r}; choose one of {sorted(_METRICS)}.")
    samples = check.check_samples(numbers_of(X), np.float64)
    shape = samples.shape[1:]
    if eps is not None:
        eps = check.check_eps(eps, norm, shape)
        if not np.any(eps > 0):
            raise ValueError("eps is 0; give a radius above 0, or None for a suggestion.")
    spread = samples.std(axis=0)
    radius = np.asarray(_first_eps(samples, spread, norm) if eps is None else eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(radius > 0, radius / spread, 0.0)
    known = dict(
        spread=spread,
        share=share,
        grey_levels=_grey_levels(samples, radius) if norm == "linf" else None,
    )
    apart = _Distances(samples, y, radius, norm) if y is not None else None
    found = apart is not None and bool(np.isfinite(apart.nearest).any())
    return EpsMeaning(
        eps=radius if radius.ndim else float(radius),
        norm=norm,
        **known,
        nearest=apart.nearest if apart is not None and found else None,
        ceiling=apart.ceiling() if apart is not None and found else None,
        best_possible=apart.best_possible() if apart is not None and found else None,
        n_compared=0 if apart is None else len(apart.nearest),
    )


def _first_eps(X: NDArray[np.float64], spread: NDArray[np.float64], norm: str) -> Any:
    """Return a first radius for these data."""
    shape, top = X.shape[1:], X.max(initial=0)
    if is_image(shape) and X.min(initial=0) >= 0 and top <= 255:
        linf: Any = (_COLOUR if len(shape) == 3 and shape[0] == 3 else _GREY) * _full_scale(top)
    else:
        linf = _SHARE * spread
        if not np.any(linf > 0):
            raise ValueError("no feature of X varies, so there is no eps to suggest: give more.")
    return linf * _same_volume(norm, math.prod(shape))


def _full_scale(top: float) -> float:
    """Value of white, for pixels up to ``top``."""
    return 1.0 if top <= 1 else 255.0


def _same_volume(norm: str, n: int) -> float:
    """Radius of a ball in n dimensions that has the volume of the cube of radius 1."""
    if norm == "l2":
        return 2 / math.sqrt(math.pi) * math.exp(float(gammaln(n / 2 + 1)) / n)
    return math.exp(float(gammaln(n + 1)) / n) if norm == "l1" else 1.0


def _grey_levels(X: NDArray[np.float64], eps: NDArray[np.float64]) -> float | None:
    if not is_image(X.shape[1:]) or X.min(initial=0) < 0 or X.max(initial=0) > 255:
        return None
    return float(eps.max() * 255 / _full_scale(X.max(initial=0)))


class _Distances:
    """Distances between samples of different classes, in multiples of eps.

    Attributes
    ----------
    between : array of shape (n_compared, n_compared)
        Inf where two samples have one label.
    nearest : array of shape (n_compared,)
        Distance from each sample to the nearest one of another class.
    """

    def __init__(self, X: NDArray[np.float64], y: Any, eps: NDArray[np.float64], norm: str) -> None:
        labels = np.asarray(y)
        if labels.shape[:1] != X.shape[:1]:
            raise ValueError(f"X has {len(X)} samples and y has {labels.shape[:1]} labels.")
        codes = np.unique(labels.reshape(len(X), -1)[:, 0], return_inverse=True)[1]
        rows = np.arange(len(X))
        if len(X) > _COMPARED:
            rows = np.sort(np.random.RandomState(0).choice(len(X), _COMPARED, replace=False))
        # A feature that may not move counts as one that hardly may: other values are out of reach.
        scale = np.maximum(eps, 1e-12 * eps.max())
        flat = (X[rows] / scale).reshape(len(rows), -1)
        self.eps, codes = eps, codes[rows]
        self.between = cdist(flat, flat, metric=_METRICS[norm])
        self.between[codes[:, None] == codes] = np.inf
        self.nearest = self.between.min(1)

    def ceiling(self) -> Any:
        """Radius above which no classifier is robust to all of the samples."""
        top = self.eps * self.nearest.min() / 2
        return top if np.ndim(top) else float(top)

    def best_possible(self) -> float:
        """Robust accuracy at eps that no classifier exceeds, by pairs without a common sample."""
        free = np.ones(len(self.nearest), dtype=bool)
        for row in np.argsort(self.nearest, kind="stable"):
            if not free[row] or self.nearest[row] > 2:
                continue
            apart = np.where(free, self.between[row], np.inf)
            other = int(apart.argmin())
            if apart[other] <= 2:
                free[[row, other]] = False
        return 1 - np.sum(~free) / 2 / len(free)
