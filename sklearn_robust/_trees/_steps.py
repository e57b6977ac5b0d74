"""Scalers in front of trees: each feature is mapped by itself, never backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

__all__ = ["MonotoneSteps"]

Floats = NDArray[np.float64]
_FAR = 1e30  # in place of infinity, which scalers refuse


class MonotoneSteps:
    """Transformers that map each feature by a function that never falls.

    Parameters
    ----------
    steps : list of transformers
        Fitted scalers and selectors of features, in order.

    Raises
    ------
    ValueError
        If a step is none of those.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        scalers = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
        for step in steps:
            if not isinstance(step, (*scalers, SelectorMixin)):
                raise ValueError(
                    f"{type(step).__name__} in front of trees mixes features or bends them: only "
                    "scalers (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler) and "
                    "selectors of features can be followed exactly."
                )
        self.steps = list(steps)

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Apply the transformers in the dtype of ``X``."""
        for step in self.steps:
            X = step.transform(X)
        return X

    def columns(self, n_features: int) -> NDArray[np.int64]:
        """Which feature each of the transformed ones comes from."""
        columns = np.arange(n_features)
        for step in self.steps:
            if isinstance(step, SelectorMixin):
                columns = columns[step.get_support()]
        return columns

    def images(self, low: Floats, high: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
        """Smallest and largest images of the points of boxes.

        Rounding is monotone, too: the images of the corners bound those of all points, of
        float32 as of float64. Features that nothing limits have infinite images.
        """
        if not self.steps:
            return low, high
        sides = []
        for corner, better, toward in ((low, np.minimum, np.inf), (high, np.maximum, -np.inf)):
            wide = np.clip(corner, -_FAR, _FAR)
            with np.errstate(over="ignore"):
                single = _rounded(wide, toward)
                image = better(self.transform(wide.copy()), self.transform(single.copy()))
            endless = self._endless(corner)
            sides.append(np.where(endless, -toward, image.astype(np.float64)))
        return sides[0], sides[1]

    def inner_images(self, low: Floats, high: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
        """Smallest and largest images of the points of boxes that float32 holds."""
        sides = []
        for corner, toward in ((low, np.inf), (high, -np.inf)):
            single = _rounded(np.clip(corner, -_FAR, _FAR), toward)
            image = self.transform(single).astype(np.float64)
            sides.append(np.where(self._endless(corner), -toward, image))
        return sides[0], sides[1]

    def _endless(self, corner: Floats) -> NDArray[np.bool_]:
        """Which of the transformed features are not limited, unless a scaler clips them."""
        clips = any(vars(step).get("clip", False) for step in self.steps)
        endless = np.isinf(corner)[:, self.columns(corner.shape[1])]
        return endless & (not clips)

    def slopes(self, n_features: int) -> tuple[Floats, Floats]:
        """Slopes and intercepts of the transformed features, where nothing is clipped."""
        slope, intercept = np.ones(n_features), np.zeros(n_features)
        for step in self.steps:
            if isinstance(step, SelectorMixin):
                kept = step.get_support()
                slope, intercept = slope[kept], intercept[kept]
                continue
            scale, shift = _affine(step, len(slope))
            slope, intercept = slope * scale, intercept * scale + shift
        return slope, intercept


def _affine(scaler: Any, n_features: int) -> tuple[Any, Any]:
    """Scale and shift of a scaler."""
    if isinstance(scaler, MinMaxScaler):
        return scaler.scale_, scaler.min_
    center: Any = 0.0
    if isinstance(scaler, StandardScaler) and scaler.with_mean:
        center = scaler.mean_
    if isinstance(scaler, RobustScaler) and scaler.center_ is not None:
        center = scaler.center_
    scale = np.ones(n_features) if scaler.scale_ is None else scaler.scale_
    return 1 / scale, -center / scale


def _rounded(corner: Floats, toward: float) -> NDArray[np.float32]:
    """Nearest float32 on the inner side of a corner."""
    single = corner.astype(np.float32)
    outside = single < corner if toward > 0 else single > corner
    return np.where(outside, np.nextafter(single, np.float32(toward)), single).astype(np.float32)
