"""Colours, boundaries and axes of surfaces."""

import numpy as np
import pytest
from torch import nn

from sklearn_robust.plotting import DecisionSurfaceDisplay
from tests.metrics.indicator_cases import N_CLASSES, labels, linear, mlp, samples
from tests.plotting.surfaces.planes import MODULE, surface, two_classes

pytestmark = pytest.mark.usefixtures("pyplot")
X = samples(10)


def test_margins_are_blue_above_zero_and_as_strong_as_red_below():
    module = mlp(nn.Tanh)
    display = surface(module, X, labels(module, X), radius=3, grid_resolution=9, random_state=0)
    norm = display.surface_.norm
    assert norm.vmin == -norm.vmax and norm.vmax >= abs(display.margin).max()
    red, blue = (display.surface_.get_cmap()(v) for v in (0.1, 0.9))
    assert red[0] > red[2] and blue[2] > blue[0]


def test_a_plane_without_a_boundary_has_none():
    module = two_classes()
    display = surface(module, X, labels(module, X), radius=1e-3, grid_resolution=5, random_state=0)
    assert display.boundary_ is None and display.arrows_ == []
    assert display.boundary_distances == (np.inf, np.inf)


Y = np.arange(10) % N_CLASSES


def test_axes_of_two_dimensions_hold_no_solid(pyplot):
    _, ax = pyplot.subplots()
    with pytest.raises(ValueError, match="needs axes in three dimensions"):
        surface(MODULE, X, Y, plot_method="surface", ax=ax, random_state=0)
    with pytest.raises(ValueError, match="axes holds 1 axes for 2 estimators"):
        DecisionSurfaceDisplay.from_estimators([MODULE, linear()], X, Y, axes=[ax])
    with pytest.raises(ValueError, match="estimators is empty"):
        DecisionSurfaceDisplay.from_estimators({}, X, Y)
