"""Each measure opens a model once, and many threads may measure one model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.clustering import (
    LinearizedClustering,
    class_weight_matrix,
    feature_distance_matrix,
    make_clustering_scorer,
)
from sklearn_robust.differentiable import Model, open_model
from sklearn_robust.spectral import (
    feature_change_report,
    generalization_bound_terms,
    layer_spectra,
    make_regularization_scorer,
    margin_report,
)
from tests.cases import blobs, quick

X, Y = blobs(shape=(6,), labels=(0, 1, 2))
ATTACK = PGD(eps=0.1, max_iter=2, bounds=None, random_state=0)
MEASURES = {
    "margin_report": lambda model: margin_report(model, X, Y).input_upper,
    "layer_spectra": lambda model: layer_spectra(model, X)["std"],
    "feature_change_report": lambda m: feature_change_report(m, X, Y, attack=ATTACK).random_mean,
    "generalization_bound_terms": lambda m: generalization_bound_terms(m, X, Y, eps=0.1).bound,
    "regularization_scorer": lambda m: [*make_regularization_scorer(ATTACK)(m, X, Y).values()],
    "class_weight_matrix": lambda model: class_weight_matrix(model, X),
    "feature_distance_matrix": lambda model: feature_distance_matrix(model, X, Y),
    "LinearizedClustering": lambda model: LinearizedClustering(model).fit(X).labels_,
    "clustering_scorer": lambda model: make_clustering_scorer([0, 0, 1])(model, X),
}


@pytest.fixture(scope="module")
def net():
    return quick(NaturalNet).fit(X, Y)


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_opens_its_model_once(name, net, monkeypatch):
    opened, init = [], Model.__init__

    def counted(self, estimator):
        opened.append(estimator)
        init(self, estimator)

    monkeypatch.setattr(Model, "__init__", counted)
    MEASURES[name](net)
    assert len(opened) == 1


def test_threads_that_share_a_model_find_the_numbers_of_one(net):
    wanted = {name: measure(net) for name, measure in MEASURES.items()}
    model = open_model(net)
    call = torch.nn.Module.__call__

    def work(number):
        name = list(MEASURES)[number % len(MEASURES)]
        np.testing.assert_array_equal(MEASURES[name](model), wanted[name])
        return torch.nn.Module.__call__ is call

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(4 * len(MEASURES))))
