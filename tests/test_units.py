"""A radius that nobody gave, in the units of all kinds of data."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from torch.utils.data import TensorDataset

from sklearn_robust import MinMaxNet, NaturalNet, make_robust_scorer, robust_score
from sklearn_robust._threat_model import ThreatModel
from sklearn_robust._units import check_units, units_caveat
from sklearn_robust.attacks import PGD, AutoAttack, DeepFool, WorstCase
from sklearn_robust.exceptions import UnitsWarning
from sklearn_robust.metrics import (
    prediction_divergence,
    prediction_stability,
    robustness_curve,
    robustness_report,
)
from sklearn_robust.spectral import make_regularization_scorer

DEFAULT = ThreatModel()
RNG = np.random.RandomState


def shades(dtype="float32", shape=(64,), n=40, top=255):
    X = np.round(RNG(0).rand(n, *shape) * top)
    X.flat[0], X.flat[1] = 0, top
    return X.astype(dtype)


def linear(X):
    """Two classes of the same X, so that a score costs little."""
    y = np.arange(len(X)) % 2
    return RidgeClassifier().fit(X, y), y


# -- what is told of which data --------------------------------------------------------------------


REFUSED = {
    "one row of pixels": shades(),
    "images": shades(shape=(3, 8, 8)),
    "large images": shades(shape=(1, 28, 28), n=3),
}
TOLD = {
    "digits": (load_digits().data, r"spans \[0, 16\].*X / 16.*eps=0.502"),
    "shades that are not whole": (shades() * 0.99, r"\[0, 252.45\].*X / 255.*eps=8"),
    "centred shades": (shades() - 128, r"\[-128, 127\].*eps=0.1 \* X.std\(axis=0\)"),
    "few columns of bytes": (shades(shape=(5,)), r"\[0, 255\].*eps=0.1 \* X.std"),
    "a large feature": (load_breast_cancer().data, r"0.0055 % to .* \(median .* of the standard"),
    "counts of hundreds": (shades(shape=(64,), top=900), r"\[0, 900\]"),
    "all features alike": (np.tile(np.arange(40.0)[:, None], 3), "and is 0.27 % of the standard"),
}
SILENT = {
    "pixels": shades() / 255,
    "centred pixels": shades() / 127.5 - 1,
    "standardised": RNG(0).randn(200, 5),
    "nothing": np.empty((0, 64)),
    "flags": (shades() > 100).astype(float),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_whole_shades_are_refused_without_a_radius(kind):
    with pytest.raises(ValueError, match="shades from 0 to 255, and no eps .*255 .*eps=8"):
        check_units(DEFAULT, REFUSED[kind].astype(np.float32))


@pytest.mark.parametrize("kind", TOLD)
def test_a_tiny_share_of_the_spread_is_told(kind):
    X, words = TOLD[kind]
    with pytest.warns(UnitsWarning, match=f"(?s){words}"):
        check_units(DEFAULT, X.astype(np.float32))


@pytest.mark.parametrize("kind", SILENT)
def test_other_data_get_no_word(kind):
    check_units(DEFAULT, SILENT[kind].astype(np.float32))


def test_the_share_is_that_of_the_standard_deviation():
    X = RNG(0).randn(500, 2) * [100, 0.1]
    text = units_caveat(DEFAULT, X).text
    low, high = 8 / 255 / X.std(axis=0)
    assert f"{100 * low:.2g} % to {100 * high:.2g} %" in text


def test_features_that_stay_tell_nothing():
    X = (RNG(0).randn(100, 2) * [1000, 1]).astype("f")
    for mask in ([False, True], [1]):
        check_units(ThreatModel(mask=mask), X)
        check_units(ThreatModel(mask=mask), X[:1])  # one row has no spread
    with pytest.warns(UnitsWarning):
        check_units(ThreatModel(mask=[True, False]), X)


@pytest.mark.parametrize("eps", [8, 1, 0.5, 0, np.full(64, 2.0)], ids=str)
def test_a_given_radius_is_not_blamed(eps):
    check_units(ThreatModel(eps), shades())


@pytest.mark.parametrize("X", [load_digits().data, load_iris().data, shades(shape=(5,))])
def test_a_given_radius_of_pixels_is_not_blamed_on_other_data(X):
    check_units(ThreatModel(8 / 255), X.astype(np.float32))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("eps", [8 / 255, 0.3], ids=str)
def test_a_given_radius_below_half_a_shade_is_told(eps, norm):
    with pytest.warns(UnitsWarning, match=f"less than half a shade.*X / 255 or eps={255 * eps:g}"):
        check_units(ThreatModel(eps, norm=norm), shades())


# -- who tells it ----------------------------------------------------------------------------------


ASKED = {
    "score": lambda m, X, y: robust_score(m, X, y),
    "cascade": lambda m, X, y: robust_score(m, X, y, attack=WorstCase(PGD(max_iter=1))),
    "AutoAttack": lambda m, X, y: robust_score(m, X, y, attack=AutoAttack()),
    "stability": lambda m, X, y: prediction_stability(m, X),
    "scorer": lambda m, X, y: make_robust_scorer(PGD(max_iter=1))(m, X, y),
    "regularization scorer": lambda m, X, y: make_regularization_scorer(spectra=False)(m, X, y),
    "report": lambda m, X, y: robustness_report(m, X, y),
    "evaluate": lambda m, X, y: PGD(max_iter=1).evaluate(m, X, y),
    "generate": lambda m, X, y: PGD(max_iter=1).generate(m, X, y),
    "divergence": lambda m, X, y: prediction_divergence(m, X, max_iter=1),
}


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_all_that_take_a_default_radius_refuse_shades(what, dtype):
    model, y = linear(shades() / 255)
    with pytest.raises(ValueError, match="shades from 0 to 255, and no eps"):
        ASKED[what](model, shades(dtype), y)


@pytest.mark.parametrize("what", sorted(ASKED.keys() - {"AutoAttack"}))
def test_all_that_take_a_default_radius_tell_of_it_once(what):
    X = shades(top=16, n=12)
    model, y = linear(X)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ASKED[what](model, X, y)
    assert [w.category for w in told].count(UnitsWarning) == 1


def test_curves_are_judged_by_their_largest_radius():
    X = shades(n=12)
    model, y = linear(X)
    attack = PGD(max_iter=1)
    robustness_curve(model, X, y, eps=[0, 0.01, 8], attack=attack)
    robustness_curve(model, X, y, eps=[0, 0.01], attack=DeepFool())
    with pytest.warns(UnitsWarning, match="less than half a shade"):
        robustness_curve(model, X, y, eps=[0, 0.01], attack=attack)


def test_a_report_carries_the_caveat():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.warns(UnitsWarning):
        some = robustness_report(model, X, y, output_dict=True)
    assert "1.8 % to 7.2 %" in some["caveats"][0] and some["trusted"]
    with pytest.warns(UnitsWarning):
        assert "Caveat: X spans" in robustness_report(model, X, y)
    given = robustness_report(model, X, y, attack=WorstCase(eps=0.1), output_dict=True)
    assert given["caveats"] == [] and given["trusted"]


def test_a_report_on_a_tiny_radius_is_not_trusted():
    X, y = load_digits(return_X_y=True)
    X, y = X[:100], y[:100]
    model = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.warns(UnitsWarning):
        found = robustness_report(model, X, y, output_dict=True)
    assert not found["trusted"] and found["warnings"]["units"] == found["caveats"][0]
    with pytest.warns(UnitsWarning):
        text = robustness_report(model, X, y)
    assert "- units: X spans [0, 16]" in text and text.count("X spans") == 1


# -- nets ------------------------------------------------------------------------------------------


def test_nets_tell_of_shades():
    X, y = shades("int64"), np.arange(40) % 2
    with pytest.warns(UnitsWarning, match="NaturalNet trains best on pixels.*X / 255"):
        NaturalNet(max_epochs=1).fit(X, y)
    NaturalNet(max_epochs=1).fit(X / 255, y)


def test_nets_that_attack_tell_of_their_default_radius():
    X, y = shades(top=16), np.arange(40) % 2
    with pytest.warns(UnitsWarning, match="X / 16"):
        MinMaxNet(max_epochs=1).fit(X, y)
    MinMaxNet(max_epochs=1, attack__eps=0.5).fit(X, y)
    dataset = TensorDataset(torch.tensor(X), torch.tensor(y))
    with pytest.warns(UnitsWarning, match="X / 16"):
        MinMaxNet(max_epochs=1).fit(dataset)
    with pytest.warns(UnitsWarning), pytest.raises(ValueError, match="no eps is given"):
        MinMaxNet(max_epochs=1).fit(shades(), y)
