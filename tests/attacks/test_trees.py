"""The exact attack on trees."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust import robust_score
from sklearn_robust.attacks import Square, ThreatModel, TreeAttack, WorstCase
from sklearn_robust.metrics import robustness_curve
from tests._trees.oracles import data, random_forest


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_every_success_is_confirmed_inside_the_ball(norm):
    model, X, y = random_forest(1)
    model = make_pipeline(MinMaxScaler((-1, 2)), model).fit(X, y)
    attack = TreeAttack(eps=0.15, norm=norm, bounds=(0, 1))
    result = attack.evaluate(model, X, y)
    right = model.predict(X) == y
    assert result.fooled[right].any()
    np.testing.assert_array_equal(result.fooled, model.predict(result.X_adv) != y)
    threat = ThreatModel(0.15, norm=norm, bounds=(0, 1))
    np.testing.assert_array_equal(threat.project(result.X_adv, X), result.X_adv)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_it_finds_all_that_a_search_by_scores_finds(norm):
    X, y = data(2)
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    exact = TreeAttack(eps=0.1, norm=norm).evaluate(model, X, y).fooled
    square = Square(eps=0.1, norm=norm, max_iter=100, random_state=0)
    assert (exact >= square.evaluate(model, X, y).fooled).all()


def test_scores_and_curves_of_trees_are_exact_by_default():
    X, y = data(3)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y)
    assert robust_score(tree, X, y) == robust_score(tree, X, y, attack=TreeAttack())
    curve = robustness_curve(tree, X, y, eps=[0, 0.05, 0.5])
    assert curve[0] == tree.score(X, y) and curve[0] > curve[1] > curve[2]
    cascade = WorstCase([TreeAttack(), Square(max_iter=5)], eps=0.05, random_state=0)
    assert robust_score(tree, X, y, attack=cascade) == curve[1]


def test_generate_leaves_samples_that_have_no_adversarial_example():
    X, y = data(3)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y)
    X_adv = TreeAttack(eps=0.05).generate(tree, X, y)
    fooled = tree.predict(X_adv) != y
    np.testing.assert_array_equal(X_adv[~fooled], X[~fooled])


def test_what_is_not_made_of_trees_is_refused():
    X, y = data(0)
    model = LogisticRegression().fit(X, y)
    with pytest.raises(TypeError, match="LogisticRegression is not made of trees: TreeAttack"):
        TreeAttack(eps=0.1).evaluate(model, X, y)
    with pytest.raises(TypeError, match="TreeAttack needs a fitted classifier, not a function"):
        TreeAttack(eps=0.1).perturb(torch.nn.Linear(3, 2), torch.rand(2, 3), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="time_limit is 0; give a number above 0"):
        TreeAttack(eps=0.1, time_limit=0).evaluate(DecisionTreeClassifier().fit(X, y), X, y)
