"""What all displays promise, and what each of the smaller ones draws."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import PGD, WorstCase
from sklearn_robust.metrics import hessian_eigvals, input_jacobian, robustness_curve
from sklearn_robust.plotting import (
    DecisionSurfaceDisplay,
    HessianSpectrumDisplay,
    JacobianDisplay,
    LossSurfaceDisplay,
    RobustnessCurveDisplay,
)
from sklearn_robust.plotting._hessian_spectrum import _edges
from sklearn_robust.plotting._jacobian_display import as_images

X, Y = load_digits(return_X_y=True)
X, Y = X[:60] / 16, Y[:60]
MODELS = {str(C): LogisticRegression(C=C, max_iter=1000).fit(X, Y) for C in (0.01, 1)}
MODEL = MODELS["1"]
NET = NaturalNet(max_epochs=1, random_state=0).fit(X, Y)

DISPLAYS = {
    DecisionSurfaceDisplay: (MODEL, {"grid_resolution": 5, "random_state": 0}),
    LossSurfaceDisplay: (NET, {"grid_resolution": 3, "random_state": 0}),
    JacobianDisplay: (MODEL, {"image_shape": (8, 8), "indices": 3}),
    HessianSpectrumDisplay: (MODEL, {"of": "loss"}),
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


# -- JacobianDisplay ------------------------------------------------------------------------------


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


# -- HessianSpectrumDisplay -----------------------------------------------------------------------


def test_every_eigenvalue_is_counted_and_zero_has_a_bin_of_its_own(pyplot):
    display = HessianSpectrumDisplay.from_estimators(MODELS, X[:20], Y[:20], of="loss")
    lam = hessian_eigvals(MODEL, X[:20], Y[:20], of="loss")
    assert np.array_equal(display.eigenvalues["1"], lam)
    for line in display.lines_:
        values, edges, _ = line.get_data()
        assert values.sum() == lam.size
        zero = np.searchsorted(edges, 0) - 1
        assert edges[zero] == pytest.approx(-edges[zero + 1])
    assert "mean |λ|" in display.ax_.get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("values", [[0.0], [3.0], [-2.0, -1.0], [-1e-9, 5.0], [1e6, -1e-6]])
def test_bins_hold_all_values(values):
    edges = _edges(np.array(values), 7)
    assert edges[0] <= min(values) and edges[-1] >= max(values)
    assert np.histogram(values, edges)[0].sum() == len(values)


def test_numbers_from_elsewhere_can_be_drawn(pyplot):
    display = HessianSpectrumDisplay(eigenvalues={"mine": np.array([[-1.0, 0, 2]])}).plot(bins=5)
    assert display.lines_[0].get_data().values.sum() == 3
    with pytest.raises(ValueError, match="bins is 0"):
        display.plot(bins=0)


# -- RobustnessCurveDisplay -----------------------------------------------------------------------


def test_curves_are_those_of_the_metric_in_order_of_the_radius(pyplot):
    attack = PGD(max_iter=3, random_state=0)
    eps = [0.1, 0, 0.02]
    display = RobustnessCurveDisplay.from_estimators(MODELS, X, Y, eps=eps, attack=attack)
    for line, model in zip(display.lines_, MODELS.values(), strict=True):
        curve = robustness_curve(model, X, Y, eps=eps, attack=attack)
        assert line.get_xdata().tolist() == [0, 0.02, 0.1]
        assert line.get_ydata().tolist() == curve[[1, 2, 0]].tolist()
    assert display.ax_.get_xlabel() == "eps (linf radius)"
    assert len(display.ax_.get_legend().get_texts()) == 3  # with the line of guessing


@pytest.mark.parametrize(
    ("attack", "norm"),
    [(None, "linf"), (PGD(norm=2), "l2"), (WorstCase([PGD(norm="l1", max_iter=2)]), "l1")],
    ids=["default", "number", "cascade"],
)
def test_a_curve_knows_its_norm_and_all_classes(attack, norm):
    iris, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(iris, y)
    given = {"eps": [0.1], "attack": attack}
    display = RobustnessCurveDisplay.from_estimator(model, iris[:60], y[:60], **given)
    assert display.norm == norm and display.n_classes == 3
