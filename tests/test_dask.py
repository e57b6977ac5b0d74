"""Other machines' cores: what runs under joblib runs on a dask cluster, with the same results."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from sklearn_robust import MinMaxNet, NaturalNet, make_robust_scorer, robust_score
from sklearn_robust.attacks import APGD, FAB, PGD, AutoAttack, Square, WorstCase
from sklearn_robust.metrics import robustness_report
from tests.cases import Linear, blobs, quick

distributed = pytest.importorskip("distributed")

X, Y = blobs(60, labels=("no", "yes"))
TINY = {"module": Linear, "lr": 0.1, "max_epochs": 3}
SHORT_AUTO_ATTACK = AutoAttack(
    eps=0.2,
    version="custom",
    attacks=[APGD(max_iter=5), FAB(max_iter=3), Square(max_iter=20)],
    random_state=0,
)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine, and a client to them."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.fixture
def on_workers(cluster):
    with joblib.parallel_config(backend="dask", n_jobs=2):
        yield


def test_the_workers_are_processes_of_one_thread_each(cluster):
    threads = cluster.run(lambda: (__import__("os").getpid(), torch.get_num_threads()))
    assert len({pid for pid, _ in threads.values()}) == 2
    assert {n_threads for _, n_threads in threads.values()} == {1}


ATTACKS = [
    PGD(eps=0.2, random_state=0),
    WorstCase([PGD(max_iter=3), APGD(max_iter=3)], eps=0.2, random_state=3),
    SHORT_AUTO_ATTACK,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize("model", [quick(NaturalNet, **TINY), LogisticRegression()], ids=repr)
def test_scores_are_those_of_one_process(on_workers, model, attack):
    model = model.fit(X, Y)
    with joblib.parallel_config(backend="sequential"):
        wanted = robust_score(model, X, Y, attack=attack)
    assert robust_score(model, X, Y, attack=attack, n_jobs=2) == wanted


def test_a_report_is_that_of_one_process(on_workers):
    model, attack = LogisticRegression().fit(X, Y), ATTACKS[1]
    with joblib.parallel_config(backend="sequential"):
        wanted = robustness_report(model, X, Y, attack=attack, output_dict=True)
    found = robustness_report(model, X, Y, attack=attack, output_dict=True, n_jobs=2)
    assert found == wanted


def test_a_search_is_that_of_one_process(on_workers):
    def search(**params):
        return GridSearchCV(
            quick(MinMaxNet, **TINY),
            {"attack__eps": [0.05, 0.2]},
            scoring={"acc": "accuracy", "rob": make_robust_scorer(PGD(eps=0.1, random_state=0))},
            refit="rob",
            cv=2,
            **params,
        ).fit(X, Y)

    theirs = search(n_jobs=2)
    with joblib.parallel_config(backend="sequential"):
        ours = search()
    for key in ("mean_test_acc", "mean_test_rob"):
        assert np.array_equal(theirs.cv_results_[key], ours.cv_results_[key])
    assert np.array_equal(theirs.predict_proba(X), ours.predict_proba(X))


def test_cross_validation_is_that_of_one_process(on_workers):
    def scores(**params):
        return cross_validate(quick(NaturalNet, **TINY), X, Y, cv=2, scoring=robust_score, **params)

    with joblib.parallel_config(backend="sequential"):
        wanted = scores()["test_score"]
    assert np.array_equal(scores(n_jobs=2)["test_score"], wanted)


def test_what_travels_is_small():
    """Weights, optimiser state and settings; no copy of the data, no view of an attack."""
    net = quick(NaturalNet, **TINY).fit(X, Y)
    weights = sum(4 * weight.numel() for weight in net.module_.parameters())
    before = len(pickle.dumps(net))
    assert before < 4 * weights + 30_000
    attack = PGD(estimator=net, eps=0.1)
    robust_score(net, X, Y, attack=attack)
    assert len(pickle.dumps(net)) == before
    assert len(pickle.dumps(make_robust_scorer(SHORT_AUTO_ATTACK))) < 5_000
