"""Does a radius suit the units of the data? Pixels from 0 to 255 at eps=8/255 are no test."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _validation as check
from ._threat_model import ThreatModel
from .exceptions import UnitsWarning

__all__ = ["UnitsCaveat", "check_units", "units_caveat", "warn_of_shades"]

_DEFAULT = 8 / 255
_TINY = 0.02  # share of a feature's standard deviation below which a default is told of
_N_LOOKED_AT = 2000  # rows that tell the spread
_N_PIXELS = 49  # features that whole numbers from 0 to 255 are taken for pixels from


class UnitsCaveat(NamedTuple):
    """What is to be said of a radius, and whether the number it gives is of any use."""

    text: str
    misleading: bool
    refused: bool = False

    def tell(self) -> None:
        """Refuse the radius, or warn of it."""
        if self.refused:
            raise ValueError(self.text)
        warnings.warn(self.text, UnitsWarning, stacklevel=5)


def check_units(threat: ThreatModel, X: NDArray[Any], *, default: bool | None = None) -> None:
    """Warn of a radius that nobody gave and that is tiny in the units of the data.

    Parameters
    ----------
    threat : ThreatModel
        As the user gave it, so that an eps of None is the default one.
    X : array of shape (n_samples, ...)
        Clean samples.
    default : bool, default=None
        Whether the radius is the default one; None asks the threat model.

    Raises
    ------
    ValueError
        If the samples are plainly images of whole shades from 0 to 255.
    """
    caveat = units_caveat(threat, X, default=default)
    if caveat is not None:
        caveat.tell()


def units_caveat(
    threat: ThreatModel, X: NDArray[Any], *, default: bool | None = None
) -> UnitsCaveat | None:
    """Say what is wrong with a radius in the units of the data; None if nothing is.

    Parameters
    ----------
    threat, X, default
        As for :func:`check_units`.

    Returns
    -------
    caveat : UnitsCaveat or None
        A given radius is only blamed where it is less than half a shade of whole shades.
    """
    default = threat.eps is None if default is None else default
    if X.size == 0 or (X.min() >= 0 and X.max() <= 1):
        return None
    if not default:
        return _of_given_radius(threat, X)
    low, high = float(X.min()), float(X.max())
    if whole_shades(X):
        return UnitsCaveat(
            f"X holds pixels in whole shades from {low:g} to {high:g}, and no eps is given: the "
            "default, 8/255, is meant for pixels in [0, 1] and is 0.03 of one shade here. Divide X "
            "and the model's training data by 255 (X / 255), or give eps in shades, such as eps=8.",
            misleading=True,
            refused=True,
        )
    shares = _DEFAULT / _spreads(X, threat)
    if shares.min(initial=np.inf) >= _TINY:
        return None
    return UnitsCaveat(
        f"X spans [{low:g}, {high:g}], and no eps is given: the default, 8/255 = 0.031, is meant "
        f"for pixels in [0, 1] and is {_share(shares)} of the standard deviation of the features. "
        f"{_advice(X, low, high)}",
        misleading=bool(np.median(shares) < _TINY),
    )


def warn_of_shades(X: NDArray[Any], who: str) -> None:
    """Warn if a net is trained on pixels in shades from 0 to 255."""
    if whole_shades(X):
        warnings.warn(
            f"X holds pixels in whole shades from {X.min():g} to {X.max():g}; {who} trains best on "
            "pixels in [0, 1], for which every default is made: divide by 255 (X / 255).",
            UnitsWarning,
            stacklevel=6,
        )


def whole_shades(X: NDArray[Any]) -> bool:
    """Whether samples are plainly images of whole shades from 0 to 255."""
    if X[0].size < _N_PIXELS or not (X.min() >= 0 and 127 < X.max() <= 255):
        return False
    rows = _some(X)
    return bool((rows == np.round(rows)).all())


def _of_given_radius(threat: ThreatModel, X: NDArray[Any]) -> UnitsCaveat | None:
    """Less than half a shade is a radius for other units, whoever gave it."""
    eps = np.max(threat.eps, initial=0)
    if not 0 < eps < 0.5 or threat.norm in ("l0", 0) or not whole_shades(X):
        return None
    return UnitsCaveat(
        f"X holds pixels in whole shades from {X.min():g} to {X.max():g}, and eps={eps:.4g} is "
        f"less than half a shade: if it is meant for pixels in [0, 1], type X / 255 or "
        f"eps={255 * eps:.4g}.",
        misleading=True,
    )


def _spreads(X: NDArray[Any], threat: ThreatModel) -> NDArray[np.float64]:
    """Return standard deviations of the features that may move and that vary."""
    rows = _some(X).astype(np.float64)
    if not len(rows):
        return np.ones(1)
    if threat.mask is not None:
        rows = rows[:, check.check_features("mask", threat.mask, X.shape[1:])]
    if not rows.size:
        return np.ones(1)
    spread = rows.std(axis=0)
    spread = spread[spread > 0]
    return spread if spread.size else np.full(1, max(rows.std(), np.finfo(float).tiny))


def _some(X: NDArray[Any]) -> NDArray[Any]:
    return X[:: len(X) // _N_LOOKED_AT + 1]


def _share(shares: NDArray[np.float64]) -> str:
    """Shares of a standard deviation in percent, least to greatest."""
    low, high, median = map(_percent, (shares.min(), shares.max(), np.median(shares)))
    return low if low == high else f"{low} to {high} (median {median})"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _advice(X: NDArray[Any], low: float, high: float) -> str:
    """Say what to type."""
    if low >= 0 and high <= 255 and X[0].size >= _N_PIXELS:
        top = 255 if high > 16 else int(np.ceil(high))
        return (
            f"If these are pixels, divide X and the model's training data by {top} (X / {top}), or "
            f"give eps in the units of X, such as eps={8 * top / 255:.3g}."
        )
    return (
        "Give eps in the units of X, such as eps=0.1 * X.std(axis=0), one radius for each feature."
    )
