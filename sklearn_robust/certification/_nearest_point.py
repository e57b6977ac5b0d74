"""Smallest perturbation inside a box that meets linear constraints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog, nnls

__all__ = ["NearestPoint"]

Floats = NDArray[np.float64]
_FAR = 1e6  # in units of the radius, in place of an infinite box


class NearestPoint:
    """Smallest d with ``slopes @ d <= levels`` in a box; sizes are those of ``d / radius``.

    Parameters
    ----------
    order : {1, 2, inf}
        Order of the norm.
    radius : float64 array of shape (n_features,)
        Unit of each feature, 0 where it cannot move.
    low, high : float64 arrays of shape (n_features,)
        The box, which holds 0.
    """

    def __init__(self, order: float, radius: Floats, low: Floats, high: Floats) -> None:
        self.order = order
        self.free = np.flatnonzero((radius > 0) & (low < high))
        self.n_features = len(radius)
        unit = np.where(np.isfinite(radius), radius, 1.0)[self.free]
        self.unit = unit
        self.low = np.maximum(low[self.free] / unit, -_FAR)
        self.high = np.minimum(high[self.free] / unit, _FAR)

    def solve(self, slopes: Floats, levels: Floats) -> tuple[float, Floats]:
        """Find the smallest perturbation.

        Parameters
        ----------
        slopes : array of shape (n_constraints, n_features)
            Left sides.
        levels : array of shape (n_constraints,)
            Right sides.

        Returns
        -------
        size : float
            Its norm; infinite if no perturbation meets the constraints.
        d : array of shape (n_features,)
            The perturbation.
        """
        A = slopes[:, self.free] * self.unit
        size, u = self._euclidean(A, levels) if self.order == 2 else self._linear(A, levels)
        d = np.zeros(self.n_features)
        d[self.free] = u * self.unit
        return size, d

    def _linear(self, A: Floats, b: Floats) -> tuple[float, Floats]:
        """Linear programme of d and one bound on all sizes, or one for each."""
        n = len(self.free)
        eye = sparse.identity(n, format="csr")
        linf = self.order == np.inf
        sizes = sparse.csr_matrix(np.ones((n, 1))) if linf else eye
        n_sizes = sizes.shape[1]
        above = sparse.csr_matrix((len(A), n_sizes))
        rows = sparse.vstack(
            [
                sparse.hstack([sparse.csr_matrix(A), above]),
                sparse.hstack([eye, -sizes]),
                sparse.hstack([-eye, -sizes]),
            ]
        )
        right = np.concatenate([b, np.zeros(2 * n)])
        cost = np.concatenate([np.zeros(n), np.ones(n_sizes)])
        bounds = np.concatenate([np.stack([self.low, self.high], 1), [[0, np.inf]] * n_sizes])
        done = linprog(cost, rows, right, bounds=bounds, method="highs")
        if done.status == 2:
            return np.inf, np.zeros(n)
        if not done.success:  # nothing is known, so nothing is proven
            return 0.0, np.zeros(n)
        return float(done.fun), done.x[:n]

    def _euclidean(self, A: Floats, b: Floats) -> tuple[float, Floats]:
        """Least-distance programme by non-negative least squares (Lawson and Hanson 1974)."""
        n = len(self.free)
        eye = np.eye(n)
        near_low, near_high = self.low > -_FAR, self.high < _FAR
        G = np.vstack([-A, eye[near_low], -eye[near_high]])
        h = np.concatenate([-b, self.low[near_low], -self.high[near_high]])
        if np.all(h <= 0):
            return 0.0, np.zeros(n)
        E = np.vstack([G.T, h])
        target = np.zeros(n + 1)
        target[-1] = 1
        try:
            y, residual = nnls(E, target, maxiter=30 * E.shape[1])
        except RuntimeError:  # nothing is known, so nothing is proven
            return 0.0, np.zeros(n)
        r = E @ y - target
        if residual < 1e-9 or not r[-1] < 0:
            return np.inf, np.zeros(n)
        u = -r[:-1] / r[-1]
        return float(np.linalg.norm(u)), u
