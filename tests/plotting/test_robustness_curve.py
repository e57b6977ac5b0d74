"""Robustness curves are drawn in order of the radius."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust.attacks import PGD, WorstCase
from sklearn_robust.metrics import robustness_curve
from sklearn_robust.plotting import RobustnessCurveDisplay
from tests.plotting.drawn import MODELS

X, Y = load_digits(return_X_y=True)
X, Y = X[:60] / 16, Y[:60]


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


def test_the_band_reaches_down_to_what_is_proven():
    X, y = load_iris(return_X_y=True)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    display = RobustnessCurveDisplay.from_estimator(tree, X, y, eps=[0.0, 0.2, 0.5], name="tree")
    np.testing.assert_array_equal(display.certified["tree"], display.accuracy["tree"])
    assert len(display.bands_) == 1
    display = RobustnessCurveDisplay.from_estimator(tree, X, y, eps=[0.1], certify=False)
    assert display.certified == {} and display.bands_ == []
