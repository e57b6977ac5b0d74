"""Where an attack may move a sample."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from . import _validation as check
from ._norms import Bounds, Box, Norm, get_norm, round_to_grid
from ._random import RowNoise, seed_of
from ._tables import has_columns, is_mixed
from ._threat_arrays import box_around, flags_of, radius_of, samples_of, spread_of

__all__ = ["ThreatModel"]

_KEPT = ("increasing", "categorical", "max_flips", "relations")


@dataclass(eq=False)
class ThreatModel:
    """What an adversary may do to a sample: how far, which features, in which box.

    Parameters
    ----------
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X. One number per feature makes an uneven ball. None
        means 8/255 for linf, and ``np.inf`` means no limit.
    norm : {"linf", "l2", "l1", "l0"} or the name of a registered norm, default="linf"
        Norm of the ball (``np.inf``, 2, 1 and 0 mean the same). In l0 eps is the number of
        features that may change, each as far as the box allows: it needs ``bounds``.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data. "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    increasing, categorical, max_flips, relations : default=None
        Constraints of tables, as of :class:`PGD`; attacks keep them.

    Attributes
    ----------
    input_shape : tuple or None
        Shape of one sample, known after ``on(X)``.
    exact : bool
        Whether samples are the float64 matrix of a table, rather than float32.

    See Also
    --------
    register_norm : Adds a norm.

    Notes
    -----
    Every attack has one, ``attack.threat_model``, made of its parameters. ``on(X)`` checks it
    against the data once and keeps it in float64; the other methods do so by themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_robust.attacks import ThreatModel
    >>> X = np.array([[0.2, 0.5], [0.9, 0.1]])
    >>> threat = ThreatModel(eps=0.3, mask=[True, False])
    >>> threat.project(X + 1, X)
    array([[0.5, 0.5],
           [1. , 0.1]], dtype=float32)
    """

    eps: Any = None
    _: KW_ONLY
    norm: str | float = "linf"
    bounds: Any = "auto"
    mask: Any = None
    integer: Any = None
    increasing: Any = None
    categorical: Any = None
    max_flips: int | None = None
    relations: Any = None
    input_shape: tuple[int, ...] | None = field(default=None, init=False, repr=False)
    exact: bool = field(default=False, init=False, repr=False)

    # -- checks -----------------------------------------------------------------------------

    def on(self, X: ArrayLike) -> ThreatModel:
        """Check the parameters against the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        threat : ThreatModel
            The same with every parameter as an array of float64 or bool, and the box decided.
        """
        self._refuse_columns(X)
        X = samples_of(X)
        return self.with_shape(X.shape[1:], check.check_bounds(self.bounds, X))

    def _refuse_columns(self, X: ArrayLike) -> None:
        """Raise for a mixed frame, or for parameters that name columns: an attack reads those."""
        if is_mixed(X) or has_columns(vars(self)):
            raise ValueError(
                "A ThreatModel by itself moves arrays of numbers, and X is a mixed frame or a "
                "parameter names columns: give the parameters to an attack, and type "
                "PGD(eps={'age': 2}).generate(estimator, X, y)."
            )

    def with_shape(self, shape: Sequence[int], bounds: Bounds) -> ThreatModel:
        """Check all but the box, which is given: (lower, upper) or None.

        Parameters
        ----------
        shape : tuple
            Shape of one sample.
        bounds : (lower, upper) or None
            Box of the data.

        Returns
        -------
        threat : ThreatModel
            As of ``on``.
        """
        norm = check.check_norm(self.norm)
        flags = flags_of({"mask": self.mask, "integer": self.integer}, shape)
        eps = radius_of(self.eps, norm, shape, bounds)
        kept = dict(zip(_KEPT, map(vars(self).get, _KEPT), strict=True))
        checked = ThreatModel(eps, norm=norm, bounds=bounds, **flags, **kept)
        checked.input_shape, checked.exact = tuple(shape), self.exact
        return checked

    def check_resolution(self, X: NDArray[Any]) -> None:
        """Warn where float32, in which attacks compute, is too coarse for the radius.

        Parameters
        ----------
        X : array of shape (n_samples, ...), float32
            Clean samples.
        """
        if X.dtype == np.float64:
            return
        shape = X.shape[1:]
        radius = np.broadcast_to(self._on(X).radius, shape)
        largest = np.maximum(X.max(axis=0, initial=0), -X.min(axis=0, initial=0))
        coarse = (radius > 0) & (np.spacing(largest) > radius / 8)
        if coarse.any():
            warnings.warn(
                f"X holds values up to {largest[coarse].max():g}, where the steps of float32 are "
                f"{np.spacing(largest[coarse]).max():g}, too coarse for eps={self.eps!r}: the "
                "attack may find nothing. Shift or scale those features, and eps with them.",
                stacklevel=4,
            )

    def params(self) -> dict[str, Any]:
        """Parameters of any attack that is to stay inside.

        Returns
        -------
        params : dict
            ``eps``, ``norm``, ``bounds``, ``mask``, ``integer`` and the four for tables.
        """
        eps = self.eps
        if isinstance(eps, np.ndarray) and eps.ndim == 0:
            eps = float(eps)
        box = {"norm": self.norm, "bounds": self.bounds}
        kept = {name: vars(self)[name] for name in _KEPT}
        return {"eps": eps, **box, "mask": self.mask, "integer": self.integer, **kept}

    @classmethod
    def widest(cls, threats: Sequence[ThreatModel]) -> ThreatModel:
        """Threat model of the largest radius among several of one norm.

        Parameters
        ----------
        threats : list of ThreatModel
            As of ``on``. The first one tells box, mask and integer features.

        Returns
        -------
        threat : ThreatModel
            As of ``on``.
        """
        first = threats[0]
        radii = [threat.eps for threat in threats if threat.norm == first.norm]
        widest = replace(first, eps=np.maximum.reduce(np.broadcast_arrays(*radii)))
        widest.input_shape, widest.exact = first.input_shape, first.exact
        return widest

    # -- tensors ----------------------------------------------------------------------------

    @property
    def radius(self) -> NDArray[np.float64]:
        """Radius, 0-d or of a sample's shape: 0 for features that may not move."""
        return self.eps if self.mask is None else np.where(self.mask, self.eps, 0.0)

    def ball(self, like: torch.Tensor) -> Norm:
        """Ball of perturbations in float64.

        Parameters
        ----------
        like : tensor
            Whose device the ball takes.

        Returns
        -------
        ball : Norm
            Exact; ``ball.to(x)`` computes in the dtype of ``x``.
        """
        return get_norm(self.norm)(torch.as_tensor(self.radius, device=like.device))

    def box(self, like: torch.Tensor) -> Box:
        """Box of the data in the dtype and on the device of a tensor.

        Parameters
        ----------
        like : tensor
            Samples.

        Returns
        -------
        box : Box
            Without limits where there is no box.
        """
        return Box(self.bounds, like)

    # -- arrays -----------------------------------------------------------------------------

    def project(self, X_adv: ArrayLike, X: ArrayLike) -> NDArray[np.float32]:
        """Move points to where the threat model allows them.

        Parameters
        ----------
        X_adv : array-like of shape (n_samples, ...)
            Perturbed samples.
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        X_adv : array of shape (n_samples, ...), float32
            In the ball around X, in the box and on the grid, also after rounding to float32.
        """
        self._refuse_columns(X)
        X, X_adv = samples_of(X, self.exact), samples_of(X_adv, self.exact)
        threat, x = self._on(X), torch.as_tensor(X)
        inside = threat.ball(x).project_exact(torch.as_tensor(X_adv), x, threat.box(x))
        return threat.round_to_grid(inside.numpy(), X)

    def sample(self, X: ArrayLike, *, random_state: Any = None, draw: int = 0) -> NDArray[Any]:
        """Draw one random point of the ball around each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Clean samples.
        random_state : int, RandomState or None, default=None
            Seed.
        draw : int, default=0
            Number of the draw; another number gives other points of the same seed.

        Returns
        -------
        X_adv : array of shape (n_samples, ...), float32
            In ball and box and on the grid.
        """
        self._refuse_columns(X)
        X = samples_of(X, self.exact)
        threat, x = self._on(X), torch.as_tensor(X)
        noise = RowNoise(seed_of(random_state), x)
        moved = x + threat.ball(x).to(x).sample(noise, x, draw)
        return threat.round_to_grid(threat.box(x).clamp(moved).numpy(), X)

    def round_to_grid(self, X_adv: ArrayLike, X: ArrayLike) -> NDArray[Any]:
        """Round the integer features of perturbed samples toward the clean ones.

        Parameters
        ----------
        X_adv : array-like of shape (n_samples, ...)
            Perturbed samples.
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        X_adv : array of shape (n_samples, ...)
            Unchanged but for the integer features.
        """
        X, X_adv = np.asarray(X), np.asarray(X_adv)
        if self.integer is None:
            return X_adv
        integer = torch.as_tensor(check.check_features("integer", self.integer, X.shape[1:]))
        return round_to_grid(torch.as_tensor(X_adv), torch.as_tensor(X), integer).numpy()

    def distance(self, X_adv: ArrayLike, X: ArrayLike) -> NDArray[np.float64]:
        """Measure how far each perturbed sample is from its clean one.

        Parameters
        ----------
        X_adv : array-like of shape (n_samples, ...)
            Perturbed samples.
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        distance : array of shape (n_samples,), float64
            In the norm.
        """
        return get_norm(self.norm).distance(np.asarray(X_adv), np.asarray(X))

    def limits(
        self, X: NDArray[Any], radius: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest box around each sample that holds all points of the threat model.

        In linf without integer features it is the threat model itself; in another norm it is
        larger.

        Parameters
        ----------
        X : array of shape (n_samples, ...)
            Clean samples.
        radius : array that broadcasts to X, default=None
            In place of ``self.radius``.

        Returns
        -------
        low, high : arrays of the shape of X, float64
            Corners.
        """
        radius = self.radius if radius is None else radius
        return box_around(X, radius, get_norm(self.norm), self.bounds, self.integer)

    def covering_radius(self, X: ArrayLike) -> float:
        """Radius of a ball around any sample that holds the box, or far more than all of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        radius : float
            In the norm.
        """
        self._refuse_columns(X)
        X = samples_of(X, self.exact)
        threat = self._on(X)
        spread = spread_of(X, threat.bounds)
        return get_norm(self.norm).covering_radius(spread, X[0].size)

    def _on(self, X: NDArray[Any]) -> ThreatModel:
        """Return the threat model checked against data of this shape; a checked one as it is."""
        return self if self.input_shape == X.shape[1:] else self.on(X)
