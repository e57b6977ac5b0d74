"""Work that is shared by joblib's backends, and what cannot travel."""

import threading

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_robust import robust_score
from sklearn_robust._parallel import n_workers, run_shared, unpicklable_attribute
from sklearn_robust.attacks import PGD
from sklearn_robust.metrics import robustness_curve, robustness_report
from tests.cases import blobs

X, Y = blobs(60)
MODEL = LogisticRegression().fit(X, Y)
ATTACK = PGD(eps=0.2, bounds=None, max_iter=5, random_state=0)


def plus(a, b):
    return a + b


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_results_come_in_the_order_of_the_tasks(n_jobs):
    with joblib.parallel_config("threading"):
        assert run_shared(plus, [(1, 2), (3, 4), (5, 6)], n_jobs, MODEL) == [3, 7, 11]


def test_the_backend_of_the_caller_decides():
    with joblib.parallel_config("threading", n_jobs=3):
        assert n_workers(None) == 3
    assert n_workers(None) == 1


def test_the_attribute_that_cannot_travel_is_named():
    def step(X):
        return X

    step.lock = threading.Lock()
    model = make_pipeline(FunctionTransformer(step), LogisticRegression()).fit(X, Y)
    assert unpicklable_attribute(MODEL) is None
    assert unpicklable_attribute(model) == "steps"
    model = LogisticRegression().fit(X, Y)
    model.client = threading.Lock()
    assert unpicklable_attribute(model) == "client"
    with pytest.raises(TypeError, match="its attribute 'client' cannot be pickled: remove that"):
        robust_score(model, X, Y, attack=ATTACK, n_jobs=2)
    with joblib.parallel_config("threading"):
        assert robust_score(model, X, Y, attack=ATTACK, n_jobs=2) == robust_score(
            model, X, Y, attack=ATTACK
        )


def test_an_error_of_the_work_is_passed_on():
    def broken(x):
        raise TypeError("of the work")

    with joblib.parallel_config("threading"), pytest.raises(TypeError, match="of the work"):
        run_shared(broken, [(1,), (2,)], 2, MODEL)


def numbers():
    report = robustness_report(MODEL, X, Y, attack=ATTACK, output_dict=True, n_jobs=2)
    curve = robustness_curve(MODEL, X, Y, eps=[0, 0.1, 0.3], attack=ATTACK, n_jobs=2)
    score = robust_score(MODEL, X, Y, attack=ATTACK, n_jobs=2)
    return [score, report["worst_case"], *curve]


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_backends_give_the_numbers_of_one_process(backend):
    with joblib.parallel_config(backend):
        found = numbers()
    with joblib.parallel_config("sequential"):
        assert found == numbers()


def test_dask_gives_the_numbers_of_one_process():
    distributed = pytest.importorskip("distributed")
    with joblib.parallel_config("sequential"):
        alone = numbers()
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with distributed.Client(**options, dashboard_address=None), joblib.parallel_config("dask"):
        assert np.array_equal(numbers(), alone)
