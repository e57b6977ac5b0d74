"""Where an attack may move a sample."""

from dataclasses import dataclass

import numpy as np

from .. import _validation as check
from ..attacks import WorstCase

__all__ = ["Threat"]


@dataclass
class Threat:
    """What an attack may do to a sample, apart from how it searches.

    Parameters
    ----------
    eps : float64 array
        Radius, 0-d or one number a feature.
    norm : str
        Norm of the ball.
    bounds : tuple or None
        Box of the data.
    mask, integer : array-like or None
        Features that may move, and features kept on integers.
    on_nan : {"raise", "robust"}
        What NaN logits mean.
    """

    eps: np.ndarray
    norm: str
    bounds: tuple | None
    mask: object = None
    integer: object = None
    on_nan: str = "raise"

    @classmethod
    def of(cls, attack, X):
        """Threat of an attack on the samples ``X``; of a cascade, the widest of its members."""
        members = attack._members() if isinstance(attack, WorstCase) else [attack]
        first, shape = members[0], X.shape[1:]
        norm = check.check_norm(first.norm)
        radii = [m._limit(norm, shape) for m in members if check.check_norm(m.norm) == norm]
        eps = np.maximum.reduce(np.broadcast_arrays(*radii))
        if not np.isfinite(eps).all():
            raise ValueError(
                f"attack is {attack!r}, which has no radius: give it an eps to report on, or ask "
                "robustness_curve for accuracies at several."
            )
        bounds = check.check_bounds(attack.bounds, X)
        return cls(eps, norm, bounds, first.mask, first.integer, attack.on_nan)

    def params(self):
        """Parameters of any attack that is to stay inside."""
        eps = self.eps if self.eps.ndim else float(self.eps)
        return {**vars(self), "eps": eps}

    def radius(self, shape):
        """Radius of each feature, 0 for those that may not move."""
        if self.mask is None:
            return self.eps
        return np.where(check.check_features("mask", self.mask, shape), self.eps, 0.0)

    def on_grid(self, X_adv, X):
        """Round the integer features of ``X_adv`` toward ``X``."""
        if self.integer is None:
            return X_adv
        integer = check.check_features("integer", self.integer, X.shape[1:])
        return np.where(integer, X + np.trunc(X_adv - X), X_adv)

    def reach(self, X):
        """Radius of a ball around any sample that holds the box, or far more than all of X."""
        if self.bounds is None:
            spread = 10 * float(np.ptp(X))
        else:
            spread = float(np.max(np.asarray(self.bounds[1]) - np.asarray(self.bounds[0])))
        power = {"linf": 0, "l2": 0.5, "l1": 1}[self.norm]
        return spread * X[0].size ** power
