"""The kappa pictures show what was counted."""

import sys

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust import FATNet, GAIRATNet, MinMaxNet, NaturalNet
from sklearn_robust import _functional as F
from sklearn_robust.attacks import FGSM, WorstCase
from sklearn_robust.plotting import GeometryDisplay
from tests.cases import blobs, quick

X, Y = blobs(90, labels=("cat", "dog", "owl"))
NET = quick(GAIRATNet, max_epochs=4, attack__eps=0.15, lr=0.02).fit(X, Y)


def test_the_clouds_hold_all_points_with_the_colour_of_their_kappa(pyplot):
    display = GeometryDisplay.from_estimator(NET, X, Y)
    drawn = np.concatenate([np.asarray(cloud.get_offsets()) for cloud in display.artists_])
    colours = np.concatenate([cloud.get_array() for cloud in display.artists_])
    order, theirs = np.lexsort(drawn.T), np.lexsort(display.points.T)
    assert np.allclose(drawn[order], display.points[theirs])
    assert np.array_equal(colours[order], display.kappa[theirs])
    assert all((np.diff(cloud.get_array()) <= 0).all() for cloud in display.artists_)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["class cat", "class dog"]


def test_a_pipeline_is_attacked_in_its_own_units(pyplot):
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    display = GeometryDisplay.from_estimator(pipe, X, Y, attack=FGSM(eps=0.1))
    assert set(display.kappa) <= {0, 1} and display.max_iter == 1


def test_the_history_is_drawn_with_mean_and_median(pyplot):
    display = GeometryDisplay.from_history(NET)
    assert np.array_equal(display.counts, [epoch["kappa_counts"] for epoch in NET.history])
    assert display.begin == 3  # half of four epochs are burnt in
    mesh, mean, median = display.artists_
    assert np.allclose(mesh.get_array(), display.counts.T / len(X))
    each = [np.repeat(np.arange(11), row) for row in display.counts]
    assert np.allclose(mean.get_ydata(), [row.mean() for row in each])
    assert np.array_equal(median.get_ydata(), [np.sort(row)[(len(row) - 1) // 2] for row in each])


@pytest.mark.parametrize("params", [{"lam": np.inf}, {"burn_in": 1.0}], ids=str)
def test_without_weights_no_line_says_when_they_begin(params, pyplot):
    net = quick(GAIRATNet, **params).fit(X, Y)
    assert GeometryDisplay.from_history(net).begin is None


def test_weights_begin_where_they_began_whatever_is_set_later(pyplot):
    net = quick(GAIRATNet, max_epochs=4, attack__eps=0.1).fit(X, Y)
    net.set_params(max_epochs=1).partial_fit(X, Y)
    assert GeometryDisplay.from_history(net).begin == 3


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_each_epoch_and_each_count_has_a_full_cell(n_epochs, pyplot):
    net = quick(GAIRATNet, max_epochs=n_epochs, burn_in=0, attack__max_iter=3).fit(X, Y)
    ax = GeometryDisplay.from_history(net).ax_
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.5, n_epochs + 0.5), (-0.5, 3.5))


def test_the_weights_are_those_of_the_nets(pyplot):
    nets = {
        "tanh": GAIRATNet(),
        "later": GAIRATNet(lam=[(1, 3.0), (40, 0.0)]),
        "linear": GAIRATNet(weight_fn="linear"),
        "equal": GAIRATNet(weight_fn="sigmoid", lam=np.inf),
    }
    display = GeometryDisplay.from_weights(nets, max_iter=5)
    kappa = torch.arange(6).double()
    assert np.allclose(display.weights["tanh"], F.gair_log_weights(kappa, 5, -1.0).exp())
    assert np.allclose(display.weights["later"], F.gair_log_weights(kappa, 5, 0.0).exp())
    assert np.allclose(display.weights["linear"], 1 - kappa / 6)
    assert (display.weights["equal"] == 1).all()
    assert [line.get_label() for line in display.artists_] == list(nets)
    assert list(GeometryDisplay.from_weights(GAIRATNet()).weights) == ["GAIRATNet"]


MAKERS = {
    "projection": lambda ax=None: GeometryDisplay.from_estimator(NET, X, Y, ax=ax),
    "history": lambda ax=None: GeometryDisplay.from_history(NET, ax=ax),
    "weights": lambda ax=None: GeometryDisplay.from_weights(GAIRATNet(), ax=ax),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_display_draws_and_draws_again(kind, pyplot):
    display = MAKERS[kind]()
    display.figure_.canvas.draw()
    _, (ax, other) = pyplot.subplots(1, 2)
    assert MAKERS[kind](other).ax_ is other
    assert display.plot(ax=ax, xlabel="steps") is display and display.ax_ is ax
    assert ax.get_xlabel() == "steps" and ax.figure is display.figure_


@pytest.mark.parametrize("kind", MAKERS)
def test_without_matplotlib_the_package_is_named(kind, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="GeometryDisplay draws with matplotlib"):
        MAKERS[kind]()


def two(classes):
    return GeometryDisplay.from_estimator(NET, X, Y, classes=classes)


FAULTS = {
    "several runs": (
        lambda: GeometryDisplay.from_estimator(NET, X, Y, attack=WorstCase(eps=0.1)),
        "GeometryDisplay counts kappa along one run of gradient steps and cannot use attack=Worst",
    ),
    "three classes": (lambda: two(["cat", "dog", "owl"]), "classes is .*; give two of"),
    "unknown class": (lambda: two(["cat", "cow"]), "give two of"),
    "too few": (
        lambda: GeometryDisplay.from_estimator(NET, X[:3], Y[:3]),
        r"X has 2 samples of \['cat', 'dog'\]; give at least three",
    ),
    "no kappa": (
        lambda: GeometryDisplay.from_history(quick(MinMaxNet).fit(X, Y)),
        "the history of this MinMaxNet holds no kappa.*fit a GAIRATNet",
    ),
    "margins": (
        lambda: GeometryDisplay.from_weights(GAIRATNet(weight_fn="margin")),
        "GAIRATNet weighs by margins, not by kappa",
    ),
    "no weights": (lambda: GeometryDisplay.from_weights(FATNet()), "FATNet has no weights"),
    "no steps": (lambda: GeometryDisplay.from_weights(GAIRATNet(), max_iter=0), "max_iter is 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_drawn_is_said(fault, pyplot):
    call, match = FAULTS[fault]
    with pytest.raises(ValueError, match=match):
        call()


def test_an_unfitted_net_is_told_to_be_fitted():
    with pytest.raises(NotFittedError):
        GeometryDisplay.from_estimator(NaturalNet(), X, Y)
