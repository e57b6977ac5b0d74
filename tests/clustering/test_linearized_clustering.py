"""Clusters of a fitted network's classes: the mechanism, samples, scores, scorer, copies."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.clustering import (
    ClassClustering,
    LinearizedClustering,
    class_weight_matrix,
)
from sklearn_robust.datasets import make_hierarchical_blobs
from sklearn_robust.exceptions import NotLinearizableError
from tests.cases import quick
from tests.clustering.networks import AnyWidth, Gate

X, y, SUPERCLASSES = make_hierarchical_blobs(20, random_state=0)


TAXONOMY = {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7], "c": [8, 9, 10, 11]}


@pytest.fixture
def array_api(monkeypatch):
    """One check hands over arrays of another library, and runs only where this is set."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


def expected_failures(estimator):
    return {
        "check_estimators_overwrite_params": (
            "it compares hashes of the module and of a deep copy, which differ for any torch module"
        )
    }


@parametrize_with_checks(
    [LinearizedClustering(AnyWidth().eval())], expected_failed_checks=expected_failures
)
def test_a_check_of_scikit_learn(estimator, check, array_api):
    check(estimator)


def agreement_under(eps, seed=0):
    """Agreement of softmax regression trained against l2 perturbations of length ``eps``."""
    X, y, superclasses = make_hierarchical_blobs(random_state=seed)
    net = MinMaxNet(
        nn.Linear,
        module__in_features=30,
        module__out_features=12,
        attack__norm="l2",
        attack__eps=eps,
        attack__max_iter=5,
        lr=0.05,
        max_epochs=60,
        batch_size=180,
        random_state=0,
    ).fit(X, y)
    assert net.score(X, y) == 1
    return LinearizedClustering(net, n_clusters=3).fit(X).agreement(superclasses)


@pytest.mark.parametrize("seed", [0, 1])
def test_classes_cluster_once_the_attack_exceeds_half_the_distance_of_siblings(seed):
    weak, strong = (agreement_under(eps, seed) for eps in (1, 4))
    assert weak.contrast < 0.05 and weak.adjusted_rand < 0.1 and weak.p_value > 0.5
    assert strong.contrast > 0.5 and strong.adjusted_rand == 1
    assert strong.dendrogram_purity == 1 and strong.p_value < 0.001


MODEL = LogisticRegression(C=1e-4).fit(X, y)


def test_it_is_the_clustering_of_the_class_weights():
    ours = LinearizedClustering(MODEL, n_clusters=3, linkage="complete", center="classes").fit(X)
    W = class_weight_matrix(MODEL)
    theirs = ClassClustering(3, linkage="complete", center="classes").fit(W)
    assert np.array_equal(ours.weights_, W)
    assert np.array_equal(ours.class_labels_, theirs.labels_)
    assert np.array_equal(ours.children_, theirs.children_)
    assert np.array_equal(ours.distances_, theirs.distances_)
    assert ours.contrast_ == theirs.contrast_ and ours.silhouette_ == theirs.silhouette_
    assert ours.agreement(TAXONOMY) == theirs.agreement(SUPERCLASSES)


def test_samples_belong_to_the_superclass_of_their_predicted_class():
    clustering = LinearizedClustering(MODEL, n_clusters=3).fit(X)
    wanted = clustering.class_labels_[np.searchsorted(MODEL.classes_, MODEL.predict(X))]
    assert np.array_equal(clustering.labels_, wanted)
    assert np.array_equal(clustering.predict(X[:7]), wanted[:7])
    assert np.array_equal(clustering.fit_predict(X), wanted)
    assert clustering.score(X, SUPERCLASSES[y]) == adjusted_rand_score(SUPERCLASSES[y], wanted)
    assert clustering.score(X) == clustering.contrast_


def test_labels_of_any_type_name_the_classes():
    names = np.array(list("lkjihgfedcba"))
    clustering = LinearizedClustering(LogisticRegression(C=1e-4).fit(X, names[y]), n_clusters=3)
    clustering.fit(X)
    assert clustering.classes_.tolist() == sorted(names)
    taxonomy = {"x": list("lkji"), "y": list("hgfe"), "z": list("dcba")}
    assert clustering.agreement(taxonomy).adjusted_rand == 1
    assert clustering.agreement(SUPERCLASSES[::-1]).adjusted_rand == 1


def test_scalers_belong_to_the_network():
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-4)).fit(X, y)
    clustering = LinearizedClustering(model, n_clusters=3).fit(X)
    np.testing.assert_allclose(clustering.weights_, model[-1].coef_ / model[0].scale_)


def test_images_keep_their_shape():
    images = np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32)
    net = quick(NaturalNet, max_epochs=1).fit(images, np.arange(12) % 4)
    clustering = LinearizedClustering(net).fit(images)
    assert clustering.labels_.shape == (12,) and clustering.weights_.shape == (4, 64)
    with pytest.raises(ValueError, match=r"fitted on sample shape \(1, 8, 8\)"):
        clustering.predict(images[:, :, :4])


def test_the_mean_jacobian_serves_what_cannot_be_linearised():
    rows = np.random.default_rng(0).random((9, 6), dtype=np.float32)
    with pytest.raises(NotLinearizableError, match="mean_jacobian"):
        LinearizedClustering(Gate()).fit(rows)
    clustering = LinearizedClustering(Gate(), method="mean_jacobian").fit(rows)
    assert clustering.class_labels_.shape == (3,) and clustering.labels_.shape == (9,)


FAULTS = [
    (LogisticRegression().fit(X[y < 2], y[y < 2]), {}, "weights of 2 classes"),
    (MODEL, {"n_clusters": 13}, "n_clusters is 13, but there are 12 classes"),
    (MODEL, {"batch_norm": "keep"}, "batch_norm is 'keep'"),
    (MODEL, {"method": "guess"}, "method is 'guess'"),
]


@pytest.mark.parametrize(("model", "params", "message"), FAULTS, ids=lambda v: str(v)[:30])
def test_what_makes_no_sense_is_refused(model, params, message):
    with pytest.raises(ValueError, match=message):
        LinearizedClustering(model, **params).fit(X)


def test_what_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError, match="call fit"):
        LinearizedClustering(LogisticRegression()).fit(X)
    with pytest.raises(NotFittedError):
        LinearizedClustering(MODEL).predict(X)
    with pytest.raises(ValueError, match="29 features, but LogisticRegression was fitted on 30"):
        LinearizedClustering(MODEL).fit(X[:, 1:])
    with pytest.raises(ValueError, match=r"misses the classes \[8, 9, 10, 11\]"):
        clustering = LinearizedClustering(MODEL).fit(X)
        clustering.agreement({"a": [0, 1, 2, 3], "b": [4, 5, 6, 7]})


def test_copies_agree():
    net = quick(NaturalNet).fit(X, y)
    clustering = LinearizedClustering(FrozenEstimator(net), n_clusters=3).fit(X)
    for copy in (clone(clustering).fit(X), pickle.loads(pickle.dumps(clustering))):
        assert np.array_equal(copy.weights_, clustering.weights_)
        assert np.array_equal(copy.predict(X), clustering.labels_)


def test_the_mean_jacobian_has_no_use_for_batch_normalisation():
    with pytest.raises(ValueError, match="does not support batch_norm='drop'"):
        class_weight_matrix(MODEL, X, method="mean_jacobian", batch_norm="drop")
