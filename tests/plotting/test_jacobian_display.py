"""Images stand above their gradients."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from sklearn_robust.metrics import input_jacobian
from sklearn_robust.plotting import JacobianDisplay
from sklearn_robust.plotting._jacobian_display import as_images
from tests.plotting.drawn import MODELS

X, Y = load_digits(return_X_y=True)
X, Y = X[:60] / 16, Y[:60]
MODEL = MODELS["1"]


def test_images_stand_above_their_gradients(pyplot):
    display = JacobianDisplay.from_estimators(MODELS, X, Y, indices=[5, -1], image_shape=(8, 8))
    assert display.axes_.shape == (3, 2)
    assert np.array_equal(display.images, X[[5, -1]].reshape(2, 8, 8))
    assert display.labels.tolist() == Y[[5, -1]].tolist()
    J = input_jacobian(MODEL, X[[5, -1]], Y[[5, -1]]).reshape(2, 8, 8)
    assert np.array_equal(display.jacobians["1"], J)
    drawn = display.axes_[2, 0].images[0]
    assert np.array_equal(drawn.get_array(), J[0])
    assert -drawn.norm.vmin == drawn.norm.vmax == abs(J[0]).max()


@pytest.mark.parametrize("scale", ["each", "row", "all"])
def test_gradients_share_scales(scale, pyplot):
    display = JacobianDisplay.from_estimators(
        MODELS, X, Y, image_shape=(8, 8), indices=4, scale=scale
    )
    tops = np.array([[ax.images[0].norm.vmax for ax in row] for row in display.axes_[1:]])
    sizes = np.stack([abs(J).max((1, 2)) for J in display.jacobians.values()])
    wanted = {"each": sizes, "row": sizes.max(1, keepdims=True), "all": sizes.max()}[scale]
    assert np.allclose(tops, wanted)


def test_shapes_of_images():
    flat = np.arange(24.0).reshape(2, 12)
    assert as_images(flat, (3, 4)).shape == (2, 3, 4)
    assert as_images(flat, (1, 3, 4)).shape == (2, 3, 4)
    assert as_images(flat.reshape(2, 3, 2, 2)).shape == (2, 2, 2, 3)
    assert as_images(flat.reshape(2, 3, 2, 2))[0, 0, 0].tolist() == [0, 4, 8]


def test_colour_channels_have_rows_of_their_own_and_every_panel_a_scale(pyplot):
    """Channels of opposite signs cancel in a sum, so that less is seen than there is."""
    X = np.random.default_rng(0).random((4, 3, 5, 5))
    weights = np.random.default_rng(1).normal(size=(75, 2))
    module = nn.Sequential(nn.Flatten(), nn.Linear(75, 2, bias=False)).double()
    module[1].weight.data = torch.tensor(weights.T)
    for scale in ("each", "all"):
        display = JacobianDisplay.from_estimator(
            module, X, np.zeros(4, int), indices=2, scale=scale, name="net"
        )
        assert display.axes_.shape == (4, 2)
        J = (weights[:, 0] - weights[:, 1]).reshape(3, 5, 5)
        for channel in range(3):
            drawn = display.axes_[1 + channel, 0].images[0]
            assert np.allclose(drawn.get_array(), J[channel])
            assert drawn.norm.vmax == pytest.approx(abs(J).max())
        assert abs(J.sum(0)).sum() < 0.7 * abs(J).sum()
        names = [axes[0].get_ylabel() for axes in display.axes_[1:]]
        assert names == ["net, red", "net, green", "net, blue"]
        bars = [ax for ax in display.figure_.axes if ax.get_ylabel() == "gradient"]
        text = display.axes_[1, 0].get_xlabel()
        assert (text == f"±{abs(J).max():.2g}") == (scale == "each") == (not bars)
