"""Arrays of a threat model: samples, flags, radius, and the box that holds its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _validation as check
from ._norms import Bounds, Norm, is_missing
from ._norms._registry import NORMS

__all__ = ["box_around", "flags_of", "radius_of", "samples_of", "spread_of"]


def samples_of(X: ArrayLike, exact: bool = False) -> NDArray[np.float32]:
    """Return samples as float32, unless they are the float64 matrix of a table."""
    if isinstance(X, np.ndarray) and X.dtype == np.float32:
        return X
    return X if exact and isinstance(X, np.ndarray) else check.check_samples(X)


def flags_of(features: Mapping[str, Any], shape: Sequence[int]) -> dict[str, Any]:
    """Bool array of a sample's shape for each parameter that chooses features; None stays."""
    flags = dict(features)
    for name, chosen in features.items():
        if chosen is not None:
            flags[name] = check.check_features(name, chosen, shape)
    return flags


def radius_of(eps: Any, norm: str, shape: Sequence[int], bounds: Bounds) -> NDArray[np.float64]:
    """Radius as float64, checked by its norm, and the box where the norm needs one."""
    unlimited = np.ndim(eps) == 0 and eps == np.inf
    eps = np.array(np.inf) if unlimited else check.check_eps(eps, norm, shape)
    kind = NORMS[norm]
    kind.check_eps(eps, shape)
    if kind.needs_box:
        check.check_closed_box(norm, bounds)
    return eps


def box_around(
    X: NDArray[Any],
    radius: NDArray[np.float64],
    norm: type[Norm],
    bounds: Any,
    integer: Any,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the smallest box around each sample that holds all points of a ball."""
    wide = np.asarray(X, dtype=np.float64)
    radius = np.broadcast_to(radius, wide.shape)
    if not norm.order >= 1:  # counting features does not limit them
        radius = np.where(radius > 0, np.inf, 0.0)
    low, high = wide - radius, wide + radius
    if bounds is not None:
        low = np.maximum(low, np.minimum(bounds[0], wide))
        high = np.minimum(high, np.maximum(bounds[1], wide))
    if integer is not None:
        low = np.where(integer, np.minimum(np.ceil(low - 1e-9), wide), low)
        high = np.where(integer, np.maximum(np.floor(high + 1e-9), wide), high)
    return low, high


def spread_of(X: NDArray[Any], bounds: Bounds) -> float:
    """Width of the box, or ten times that of the samples where a side is open."""
    if bounds is not None:
        lower, upper = np.broadcast_arrays(*(np.asarray(side) for side in bounds))
        spread = float(np.max(np.asarray(upper - lower)))
        if np.isfinite(spread):
            return spread
    return 10 * float(np.ptp(X[~is_missing(X)]))
