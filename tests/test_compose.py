"""Nets and scorers among scikit-learn's own tools: copies, pipelines, searches, validation."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_robust import (
    JacobianRegNet,
    MinMaxNet,
    NaturalNet,
    make_robust_scorer,
    robust_score,
)
from sklearn_robust.attacks import FGSM, PGD, WorstCase
from sklearn_robust.metrics import prediction_stability
from tests.cases import NETS, Linear, Normalised, blobs, named, quick, same_weights

X, Y = blobs(60, labels=("no", "yes"))
TINY = {"module": Linear, "lr": 0.1, "max_epochs": 4}
ATTACK = PGD(eps=0.1, random_state=0)
ROBUST = make_robust_scorer(ATTACK)


def joblib_copy(thing, folder):
    joblib.dump(thing, folder / "thing.joblib")
    return joblib.load(folder / "thing.joblib")


COPIES = {
    "pickle": lambda thing, folder: pickle.loads(pickle.dumps(thing)),
    "joblib": joblib_copy,
    "deepcopy": lambda thing, folder: copy.deepcopy(thing),
    "frozen": lambda thing, folder: FrozenEstimator(thing),
    "clone of a frozen one": lambda thing, folder: clone(FrozenEstimator(thing)),
}


# -- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_copy_of_a_fitted_net_predicts_scores_and_trains_on_as_it_does(net, way, tmp_path):
    fitted = quick(net, **TINY, verbose=0).fit(X, Y)
    again = COPIES[way](fitted, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.classes_.tolist() == ["no", "yes"]
    assert robust_score(again, X, Y, attack=ATTACK) == robust_score(fitted, X, Y, attack=ATTACK)
    if "frozen" not in way:
        assert same_weights(again.partial_fit(X, Y), fitted.partial_fit(X, Y))
        assert repr(again) == repr(fitted)


@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_copy_of_an_unfitted_net_is_unfitted(net, way, tmp_path):
    again = COPIES[way](quick(net), tmp_path)
    assert repr(again) == repr(quick(net)) and not again.initialized_
    assert same_weights(again.fit(X, Y), quick(net).fit(X, Y))


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_clone_of_a_fitted_net_remembers_its_parameters_alone(net):
    fitted = quick(net, callbacks=None, **TINY).fit(X, Y)
    fresh = clone(fitted)
    assert repr(fresh) == repr(fitted)
    assert not fresh.initialized_ and not hasattr(fresh, "labels_")
    ours, theirs = vars(quick(net, callbacks=None, **TINY)), vars(fresh)
    assert ours.keys() == theirs.keys()
    assert same_weights(fresh.fit(X, Y), fitted)


def test_a_fitted_attack_and_its_copies_transform_alike(tmp_path):
    net = quick(NaturalNet, **TINY).fit(X, Y)
    attack = PGD(FrozenEstimator(net), eps=0.1, random_state=0).fit(X, Y)
    wanted = attack.transform(X)
    assert np.abs(wanted - X).max() <= 0.1 + 1e-9 and (wanted != X).any()
    for way in COPIES.values():
        np.testing.assert_array_equal(way(attack, tmp_path).transform(X), wanted)


# -- pipelines -----------------------------------------------------------------------------------

STEPS = [(StandardScaler(),), (MinMaxScaler(), PCA(3))]


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_a_net_at_the_end_of_a_pipeline_is_attacked_through_all_of_it(steps, net):
    model = make_pipeline(*steps, quick(net, lr=0.1, max_epochs=4)).fit(X * 50, Y)
    attack = PGD(loss="margin", bounds=(0, 50), random_state=0)
    scores = [
        robust_score(model, X * 50, Y, attack=clone(attack).set_params(eps=eps))
        for eps in (0, 5, 50)
    ]
    assert scores[0] == model.score(X * 50, Y)
    assert scores[0] >= scores[1] > scores[2] == 0  # a ball of radius 50 holds the whole box


def test_a_scaler_does_not_change_what_an_eps_means():
    """A linear net behind a scaler, and the same function of X without one, score alike."""
    scaler = StandardScaler().fit(X * 100)
    inner = quick(NaturalNet, **TINY).fit(scaler.transform(X * 100), Y)
    fused_copy = copy.deepcopy(inner)
    weight = inner.module_.weight.data.double().numpy() / scaler.scale_
    fused_copy.module_.weight.data[:] = fused_copy.module_.weight.new_tensor(weight)
    fused_copy.module_.bias.data -= fused_copy.module_.bias.new_tensor(weight @ scaler.mean_)
    model = make_pipeline(scaler, FrozenEstimator(inner))
    for eps in (1, 5, 12):
        attack = PGD(eps=eps, bounds=None, random_state=0)
        assert robust_score(model, X * 100, Y, attack=attack) == pytest.approx(
            robust_score(fused_copy, X * 100, Y, attack=attack), abs=1.5 / len(X)
        )


def test_parameters_are_reached_through_a_pipeline():
    model = make_pipeline(StandardScaler(), quick(MinMaxNet, **TINY))
    model.set_params(minmaxnet__attack__eps=0.3, minmaxnet__lr=0.2).fit(X, Y)
    assert model[-1].attack_.eps == 0.3 and model[-1].lr == 0.2
    assert repr(model[-1]).startswith("MinMaxNet(attack__eps=0.3, batch_size=16, lr=0.2")


# -- validation and searches ---------------------------------------------------------------------


@pytest.mark.parametrize("scoring", [robust_score, ROBUST, prediction_stability], ids=named)
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_scorers_serve_cross_validation(net, scoring):
    scores = cross_val_score(quick(net, **TINY), X, Y, cv=3, scoring=scoring, error_score="raise")
    assert scores.shape == (3,) and ((0 <= scores) & (scores <= 1)).all()


def test_several_scorers_at_once():
    scoring = {"clean": "accuracy", "robust": ROBUST, "default": robust_score}
    scoring |= {"stability": prediction_stability}
    found = cross_validate(
        quick(NaturalNet, **TINY), X, Y, cv=3, scoring=scoring, error_score="raise"
    )
    assert (found["test_robust"] <= found["test_clean"]).all()
    assert (found["test_stability"] >= found["test_default"]).all()


def test_predictions_of_cross_validation_are_labels():
    found = cross_val_predict(quick(NaturalNet, **TINY), X, Y, cv=3)
    assert set(found) <= {"no", "yes"}


GRIDS = [
    (MinMaxNet, {"attack__eps": [0.01, 0.3]}),
    (MinMaxNet, {"attack": [FGSM(eps=0.1), PGD(eps=0.2, max_iter=3)]}),
    (MinMaxNet, {"attack": [PGD, FGSM], "attack__eps": [0.1], "module": [Normalised]}),
    (JacobianRegNet, {"lam": [0, 0.5]}),
    (JacobianRegNet, {"adversarial": [None, FGSM], "lam": [0.1]}),
    (NaturalNet, {"lr": [0.01, 0.3], "optimizer__weight_decay": [0.1]}),
    (NaturalNet, {"batch_size": [7, 60]}),
]


@pytest.mark.parametrize(("net", "grid"), GRIDS, ids=str)
def test_a_search_really_changes_what_is_trained(net, grid):
    scoring = {"acc": "accuracy", "rob": ROBUST}
    search = GridSearchCV(
        quick(net, **TINY), grid, scoring=scoring, refit="rob", cv=2, error_score="raise"
    ).fit(X, Y)
    robust = search.cv_results_["mean_test_rob"]
    assert len(robust) == 2 and search.best_index_ == robust.argmax()
    candidates = [
        quick(net, **TINY).set_params(**params).fit(X, Y) for params in search.cv_results_["params"]
    ]
    assert not same_weights(*candidates)
    assert same_weights(search.best_estimator_, candidates[search.best_index_])
    assert robust_score(search, X, Y, attack=ATTACK) == robust_score(
        search.best_estimator_, X, Y, attack=ATTACK
    )


def test_processes_search_as_one_does():
    search = GridSearchCV(
        quick(MinMaxNet, **TINY),
        {"attack__eps": [0.01, 0.3]},
        scoring={"acc": "accuracy", "rob": ROBUST},
        refit="rob",
        cv=2,
        error_score="raise",
    )
    alone = clone(search).fit(X, Y)
    shared = clone(search).set_params(n_jobs=2).fit(X, Y)
    for name in ("mean_test_rob", "mean_test_acc"):
        np.testing.assert_array_equal(alone.cv_results_[name], shared.cv_results_[name])
    assert same_weights(alone.best_estimator_, shared.best_estimator_)


def test_a_search_reaches_into_a_pipeline():
    model = make_pipeline(StandardScaler(), quick(MinMaxNet, **TINY))
    search = RandomizedSearchCV(
        model,
        {"minmaxnet__attack__eps": [0.05, 0.3], "minmaxnet__attack__max_iter": [2, 5]},
        n_iter=2,
        scoring=ROBUST,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, Y)
    assert search.best_estimator_[-1].attack_.eps in (0.05, 0.3)


def test_parallel_threads_do_not_disturb_one_another():
    """The generators of torch are those of the process: nets must not lean on them."""
    with joblib.parallel_config(backend="threading"):
        scores = cross_val_score(quick(NaturalNet), X, Y, cv=4, n_jobs=2, scoring="neg_log_loss")
    assert np.isfinite(scores).all()


def test_sample_weights_reach_a_scorer_and_not_a_net():
    weight = np.ones(len(Y))
    scoring = {"acc": "accuracy", "rob": ROBUST, "fun": robust_score, "sta": prediction_stability}
    model = LogisticRegression()
    search = GridSearchCV(model, {"C": [0.1, 1]}, scoring=scoring, refit="rob", cv=2)
    assert search.fit(X, Y, sample_weight=weight).best_score_ >= 0
    search.set_params(scoring=ROBUST).fit(X, Y, sample_weight=weight)
    with pytest.raises(TypeError, match="cannot use .'sample_weight'."):
        quick(NaturalNet).fit(X, Y, sample_weight=weight)


def test_nets_work_where_metadata_are_routed():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), quick(NaturalNet, **TINY))
        groups = {"groups": np.arange(len(Y)) // 4}
        options = {"scoring": ROBUST, "error_score": "raise"}
        assert len(cross_val_score(model, X, Y, cv=GroupKFold(3), params=groups, **options)) == 3


def test_sample_weights_are_routed_to_a_scorer_that_asks_for_them():
    weight = np.linspace(0, 1, len(Y)) ** 4
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=False)

        def search(scoring):
            search = GridSearchCV(model, {"C": [1]}, scoring=scoring, cv=2, refit=False)
            return search.fit(X, Y, sample_weight=weight).cv_results_

        asks = make_robust_scorer(ATTACK).set_score_request(sample_weight=True)
        deaf = make_robust_scorer(ATTACK).set_score_request(sample_weight=False)
        scores = search({"weighted": asks, "plain": deaf})
        assert scores["mean_test_weighted"] != scores["mean_test_plain"]
        with pytest.raises(ValueError, match="sample_weight.*set_score_request"):
            search(make_robust_scorer(ATTACK))


# -- ensembles -----------------------------------------------------------------------------------


def test_nets_join_ensembles():
    nets = [("a", quick(NaturalNet, **TINY)), ("b", quick(JacobianRegNet, **TINY))]
    vote = VotingClassifier(nets, voting="soft").fit(X, Y)
    assert vote.score(X, Y) > 0.8
    bag = BaggingClassifier(quick(NaturalNet, **TINY), n_estimators=2, random_state=0).fit(X, Y)
    assert bag.score(X, Y) > 0.8


def test_the_worst_case_of_a_search_is_that_of_its_best_estimator():
    search = GridSearchCV(quick(NaturalNet, **TINY), {"lr": [0.1]}, cv=2).fit(X, Y)
    attack = WorstCase(eps=0.1, random_state=0)
    result = attack.evaluate(search, X, Y)
    np.testing.assert_array_equal(
        result.fooled, attack.evaluate(search.best_estimator_, X, Y).fooled
    )
