"""What all displays promise, and what they refuse."""

import sys

import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.plotting import (
    DecisionSurfaceDisplay,
    HessianSpectrumDisplay,
    JacobianDisplay,
    JacobianHistogramDisplay,
    LossSurfaceDisplay,
    RobustnessCurveDisplay,
)
from tests.plotting.drawn import MODELS

X, Y = load_digits(return_X_y=True)
X, Y = X[:60] / 16, Y[:60]
MODEL = MODELS["1"]
NET = NaturalNet(max_epochs=1, random_state=0).fit(X, Y)

DISPLAYS = {
    DecisionSurfaceDisplay: (MODEL, {"grid_resolution": 5, "random_state": 0}),
    LossSurfaceDisplay: (NET, {"grid_resolution": 3, "random_state": 0}),
    JacobianDisplay: (MODEL, {"image_shape": (8, 8), "indices": 3}),
    HessianSpectrumDisplay: (MODEL, {"of": "loss"}),
    JacobianHistogramDisplay: (MODEL, {}),
    RobustnessCurveDisplay: (MODEL, {"eps": [0, 0.1], "attack": PGD(max_iter=2, random_state=0)}),
}


@pytest.mark.parametrize("cls", DISPLAYS, ids=lambda cls: cls.__name__)
def test_a_display_computes_draws_and_draws_again(cls, pyplot):
    model, options = DISPLAYS[cls]
    display = cls.from_estimator(model, X, Y, **options)
    assert isinstance(display, cls) and display.ax_.figure is display.figure_
    display.figure_.canvas.draw()
    _, (ax, other) = pyplot.subplots(1, 2)
    assert cls.from_estimator(model, X, Y, ax=other, **options).ax_ is other
    assert display.plot(ax=ax) is display and display.ax_ is ax
    figures = len(pyplot.get_fignums())
    ax.figure.canvas.draw()
    assert len(pyplot.get_fignums()) == figures


@pytest.mark.parametrize("cls", DISPLAYS, ids=lambda cls: cls.__name__)
def test_an_unfitted_net_is_told_to_be_fitted(cls):
    options = DISPLAYS[cls][1]
    with pytest.raises(NotFittedError, match="not fitted"):
        cls.from_estimator(NaturalNet(), X, Y, **options)


@pytest.mark.parametrize("cls", DISPLAYS, ids=lambda cls: cls.__name__)
def test_without_matplotlib_the_package_is_named(cls, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    model, options = DISPLAYS[cls]
    with pytest.raises(
        ImportError, match=f"{cls.__name__} draws with matplotlib.*pip install matplotlib"
    ):
        cls.from_estimator(model, X, Y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"sample of shape \(64,\) cannot be drawn.*64 numbers"),
        ({"image_shape": (4, 4)}, r"cannot be drawn with image_shape=\(4, 4\)"),
        ({"image_shape": (2, 4, 8)}, "cannot be drawn"),
        ({"image_shape": (8, 8), "indices": 0}, "indices is 0"),
        ({"image_shape": (8, 8), "indices": [60]}, "positions from 0 to 59"),
        ({"image_shape": (8, 8), "indices": [0.5]}, "positions from 0 to 59"),
        ({"image_shape": (8, 8), "scale": "log"}, "scale is 'log'"),
    ],
)
def test_what_cannot_be_drawn_is_said(options, message, pyplot):
    with pytest.raises(ValueError, match=message):
        JacobianDisplay.from_estimator(MODEL, X, Y, **options)
