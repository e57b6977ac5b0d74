"""Trees that are built anew for Veritas; its search is tested in test_search."""

import sys

import pytest
from sklearn.ensemble import RandomForestClassifier

from sklearn_robust._trees import TreeSearcher
from sklearn_robust._trees._veritas import VeritasSearch, has_veritas
from sklearn_robust.attacks import TreeAttack
from sklearn_robust.certification import robust_bounds
from sklearn_robust.differentiable import open_model
from sklearn_robust.exceptions import BlackBoxWarning
from tests._trees.oracles import data


def test_trees_that_add_nothing_to_a_pair_are_left_out():
    pytest.importorskip("veritas")
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, y = data(0, n_classes=3)
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=3).fit(X, y)
    search = VeritasSearch(TreeSearcher(open_model(model), X).ensemble)
    assert len(search._build(0, 1)) == 4  # of six trees, two per class


def test_without_the_extra_the_search_is_our_own_and_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "veritas", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not has_veritas()
    X, y = data(1, n_features=3)
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    result = robust_bounds(model, X, y, eps=0.05, time_limit=30)
    assert result.lower == result.upper < 1
    late = robust_bounds(model, X, y, eps=0.05, time_limit=1e-9)
    assert late.lower <= result.lower and "pip install sklearn-robust[trees]" in late.note
    with pytest.warns(BlackBoxWarning, match=r"ran out of time on .*sklearn-robust\[trees\]"):
        TreeAttack(eps=0.05, time_limit=1e-9).evaluate(model, X, y)
