"""Trees of XGBoost and LightGBM."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_robust._trees import TreeSearcher
from sklearn_robust.attacks import Square
from sklearn_robust.certification import robust_bounds
from sklearn_robust.differentiable import open_model

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)


def xgb(**params):
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(**{"n_estimators": 5, "max_depth": 3, "n_jobs": 1, **params})


def lgbm(**params):
    lightgbm = pytest.importorskip("lightgbm")
    base = {"n_estimators": 5, "n_jobs": 1, "verbose": -1, "min_child_samples": 5}
    return lightgbm.LGBMClassifier(**{**base, **params})


@pytest.mark.parametrize("make", [xgb, lgbm])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_trees_are_those_of_the_model(make, n_classes):
    labels = np.minimum(Y, n_classes - 1)
    model = make().fit(X, labels)
    searcher = TreeSearcher(open_model(model), X)
    assert searcher.ensemble.casts == (make is xgb)
    result = robust_bounds(model, X, labels, eps=0.2)
    assert result.lower == result.upper < (model.predict(X) == labels).mean()


def test_early_stopping_leaves_out_the_last_trees():
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(150) < 0.4, rng.integers(0, 3, 150), Y)
    model = xgb(n_estimators=30, early_stopping_rounds=2)
    model.fit(X[::2], noisy[::2], eval_set=[(X[1::2], noisy[1::2])], verbose=False)
    assert model.best_iteration < 29
    assert len(TreeSearcher(open_model(model), X).ensemble.roots) == 3 * (model.best_iteration + 1)


REFUSED = {
    "objective": (xgb, {"objective": "binary:hinge"}, "has the objective 'binary:hinge'"),
    "dart": (xgb, {"booster": "dart"}, "has booster='dart'"),
    "outputs": (xgb, {"multi_strategy": "multi_output_tree"}, "has trees of several outputs"),
    "zeros": (lgbm, {"zero_as_missing": True}, "takes zeros as missing"),
    "linear": (lgbm, {"linear_tree": True}, "has linear trees"),
    "forest": (
        lgbm,
        {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        "averages its trees",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_parser_does_not_know_is_refused(what):
    make, params, message = REFUSED[what]
    binary = Y[:100] if what == "objective" else Y
    model = make(**params).fit(X[: len(binary)], binary)
    with pytest.raises(ValueError, match=message):
        TreeSearcher(open_model(model), X)
    quick = Square(max_iter=1, random_state=0)
    result = robust_bounds(model, X[:3], Y[:3], eps=0.1, attack=quick)
    assert message in result.note and result.lower == 0
