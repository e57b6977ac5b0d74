"""Indicators as scorers."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust.attacks import PGD
from sklearn_robust.metrics import (
    boundary_distance,
    decision_margin,
    hessian_norm,
    hessian_sparsity,
    input_jacobian,
    jacobian_norm,
    jacobian_sparsity,
    make_indicator_scorer,
    make_robust_scorer,
    prediction_divergence,
    taylor_bound,
    taylor_radius,
)
from sklearn_robust.metrics._indicator import pick_samples
from tests.metrics.indicator_cases import N_CLASSES, Constant, Scaled, labels, mlp, samples

X = samples(40)

MODULE = mlp(nn.Tanh)
TRUE = labels(MODULE, X)
READY = {
    "neg_jacobian_l1": ({}, lambda: -jacobian_norm(MODULE, X, TRUE)),
    "neg_jacobian_l2": ({}, lambda: -jacobian_norm(MODULE, X, TRUE, norm="l2")),
    "jacobian_sparsity": ({}, lambda: jacobian_sparsity(MODULE, X, TRUE)),
    "neg_curvature": ({}, lambda: -hessian_norm(MODULE, X, TRUE, norm="nuclear", average=True)),
    "taylor_radius": ({"order": 2}, lambda: taylor_radius(MODULE, X, TRUE, order=2)),
    "taylor_robust_accuracy": (
        {"eps": 0.1},
        lambda: decision_margin(MODULE, X, TRUE) > taylor_bound(MODULE, X, TRUE, eps=0.1),
    ),
    "neg_prediction_divergence": (
        {"eps": 0.1, "bounds": None},
        lambda: -prediction_divergence(MODULE, X, eps=0.1, bounds=None, random_state=0),
    ),
    "boundary_distance": (
        {"max_distance": 0.1},
        lambda: np.minimum(boundary_distance(MODULE, X, TRUE, max_distance=0.1), 0.1),
    ),
}


@pytest.mark.parametrize("name", READY)
def test_ready_scorers_are_means_of_indicators_the_greater_the_better(name):
    options, wanted = READY[name]
    scorer = make_indicator_scorer(name, **options)
    values = np.ravel(wanted())
    assert scorer(MODULE, X, TRUE) == pytest.approx(values.mean())
    median = make_indicator_scorer(name, aggregate="median", **options)
    assert median(MODULE, X, TRUE) == pytest.approx(np.median(values))
    assert pickle.loads(pickle.dumps(scorer))(MODULE, X, TRUE) == scorer(MODULE, X, TRUE)


def test_functions_know_their_direction_or_are_told():
    norm = make_indicator_scorer(jacobian_norm, norm="linf")
    assert norm(MODULE, X, TRUE) == -jacobian_norm(MODULE, X, TRUE, norm="linf").mean()
    own = make_indicator_scorer(width, greater_is_better=False)
    assert own(MODULE, X, TRUE) == -X.shape[1]
    low = make_indicator_scorer(taylor_radius, aggregate=0.1)
    assert low(MODULE, X, TRUE) == pytest.approx(np.quantile(taylor_radius(MODULE, X, TRUE), 0.1))


@pytest.mark.parametrize("indicator", [decision_margin, hessian_sparsity])
def test_scorers_that_rank_natural_nets_first_are_withdrawn(indicator):
    """Ten times the logits predict and resist alike, and score ten times the margin."""
    for known in (indicator, indicator.__name__):
        with pytest.warns(FutureWarning, match="is withdrawn, because greater is not better here"):
            scorer = make_indicator_scorer(known)
        assert scorer(MODULE, X, TRUE) == pytest.approx(indicator(MODULE, X, TRUE).mean())
    if indicator is decision_margin:
        radius, loud = make_indicator_scorer("taylor_radius"), Scaled(MODULE, logits=10)
        assert scorer(loud, X, TRUE) == pytest.approx(10 * scorer(MODULE, X, TRUE))
        assert radius(loud, X, TRUE) == pytest.approx(radius(MODULE, X, TRUE))


def test_weights_of_samples_weigh_the_mean():
    scorer, weights = make_indicator_scorer("neg_jacobian_l1", n_samples=25), np.arange(40.0)
    values = jacobian_norm(MODULE, X, TRUE)
    index = pick_samples(40, 25, np.random.RandomState(0))
    wanted = -np.average(values[index], weights=weights[index])
    assert scorer(MODULE, X, TRUE, sample_weight=weights) == pytest.approx(wanted)
    assert scorer(MODULE, X, TRUE, sample_weight=np.ones(40)) == scorer(MODULE, X, TRUE)
    with pytest.raises(ValueError, match="takes no sample_weight, because only a mean has weights"):
        make_indicator_scorer("taylor_radius", aggregate="median")(MODULE, X, TRUE, weights)
    with pytest.raises(ValueError, match="one finite number of at least 0"):
        scorer(MODULE, X, TRUE, sample_weight=[1.0])


def width(estimator, X, y):
    """Any function of one's own."""
    return np.full(len(X), X.shape[1])


def test_all_candidates_are_judged_on_the_same_samples():
    scorer = make_indicator_scorer("taylor_radius", n_samples=7)
    seen = scorer(MODULE, X, TRUE)
    assert (
        seen == scorer(MODULE, X, TRUE) != make_indicator_scorer("taylor_radius")(MODULE, X, TRUE)
    )


def test_a_search_reports_indicators_beside_the_robust_score():
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    scoring = {
        "robust": make_robust_scorer(PGD(eps=0.2, random_state=0)),
        "jacobian": make_indicator_scorer("neg_jacobian_l1", n_samples=20),
        "radius": make_indicator_scorer("taylor_radius", aggregate="median"),
    }
    model = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__C": [0.01, 100]}
    search = GridSearchCV(model, grid, scoring=scoring, refit="robust", cv=3).fit(X, names)
    weak, strong = search.cv_results_["mean_test_jacobian"]
    assert 0 > weak > strong


def test_a_constant_candidate_is_never_preferred():
    radius = make_indicator_scorer("taylor_radius")
    y = np.where(np.arange(40) < 30, N_CLASSES - 1, 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert np.isnan(radius(Constant(), X, y))
    said = " ".join(str(w.message) for w in caught)
    assert "gives all samples one label" in said and "no search prefers it" in said


def test_the_representation_can_be_typed():
    scorer = make_indicator_scorer("taylor_robust_accuracy", n_samples=50, eps=0.1)
    assert repr(scorer) == "make_indicator_scorer('taylor_robust_accuracy', n_samples=50, eps=0.1)"
    assert eval(repr(scorer)) == scorer
    assert repr(make_indicator_scorer(jacobian_norm)) == "make_indicator_scorer(jacobian_norm)"
    assert joblib.hash(eval(repr(scorer))) == joblib.hash(scorer)
    assert clone(scorer, safe=False) == scorer


BAD = [
    (lambda: make_indicator_scorer("jacobian"), ValueError, "indicator is 'jacobian'; choose"),
    (lambda: make_indicator_scorer(3), TypeError, "indicator is 3; give a function"),
    (lambda: make_indicator_scorer(width), ValueError, "type greater_is_better=True"),
    (
        lambda: make_indicator_scorer("taylor_radius", greater_is_better=False),
        ValueError,
        "direction of this one is known",
    ),
    (lambda: make_indicator_scorer("boundary_distance"), TypeError, "'max_distance'"),
    (lambda: make_indicator_scorer("taylor_radius", eps=1), TypeError, "'eps'"),
    (lambda: make_indicator_scorer("taylor_radius", aggregate="sum"), ValueError, "aggregate is"),
    (lambda: make_indicator_scorer("taylor_radius", n_samples=0), ValueError, "n_samples is 0"),
    (
        lambda: make_indicator_scorer(input_jacobian, greater_is_better=False)(MODULE, X, TRUE),
        ValueError,
        r"array of shape \(40, 12\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[case[2] for case in BAD])
def test_bad_scorers_are_told_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
