"""Scalers in front of trees."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from sklearn_robust._trees._steps import MonotoneSteps

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(),
        MinMaxScaler((-1, 2), clip=True),
        MaxAbsScaler(),
        RobustScaler(),
    ],
    ids=repr,
)
def test_images_of_corners_hold_those_of_all_points(scaler):
    steps = MonotoneSteps([scaler.fit(X)])
    low, high = X.astype(float) - 0.1, X.astype(float) + 0.1
    below, above = steps.images(low, high)
    rng = np.random.default_rng(1)
    for dtype in (np.float32, np.float64):
        points = np.clip(rng.choice([low, high], axis=0), low, high).astype(dtype)
        points = np.where(points < low, np.nextafter(points, dtype(9)), points).astype(dtype)
        points = np.where(points > high, np.nextafter(points, dtype(-9)), points).astype(dtype)
        image = steps.transform(points.copy())
        assert (below <= image).all() and (image <= above).all()
    if not getattr(scaler, "clip", False):
        slope, shift = steps.slopes(3)
        np.testing.assert_allclose(X * slope + shift, scaler.transform(X), atol=1e-5)


def test_selected_features_are_followed():
    steps = MonotoneSteps([StandardScaler().fit(X), SelectKBest(k=2).fit(X, Y)])
    kept = steps.steps[1].get_support()
    assert steps.columns(3).tolist() == np.flatnonzero(kept).tolist()
    np.testing.assert_allclose(
        X[:, kept] * steps.slopes(3)[0] + steps.slopes(3)[1], steps.transform(X), atol=1e-5
    )


def test_infinite_corners_have_infinite_images_unless_they_are_clipped():
    far = np.full((1, 3), np.inf)
    assert np.isinf(MonotoneSteps([StandardScaler().fit(X)]).images(-far, far)).all()
    clipped = MonotoneSteps([MinMaxScaler(clip=True).fit(X)]).images(-far, far)
    assert np.array_equal(clipped[0], [[0, 0, 0]]) and np.array_equal(clipped[1], [[1, 1, 1]])


def test_a_step_that_mixes_features_is_refused():
    with pytest.raises(ValueError, match="PCA in front of trees mixes features or bends them"):
        MonotoneSteps([PCA(2).fit(X)])
