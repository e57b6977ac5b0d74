"""Clusters of class weights: scikit-learn's checks and tree, scipy's numbers, scores, refusals."""

import pickle

import numpy as np
import pytest
from scipy.cluster.hierarchy import dendrogram, is_valid_linkage
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_robust.clustering import ClassClustering, weight_correlation

W = np.random.default_rng(0).normal(size=(10, 6))


GROUPS = np.array([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])  # four and six, as in CIFAR-10


@pytest.fixture
def array_api(monkeypatch):
    """One check hands over arrays of another library, and runs only where this is set."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks([ClassClustering(), ClassClustering(metric="euclidean", linkage="ward")])
def test_a_check_of_scikit_learn(estimator, check, array_api):
    check(estimator)


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 9, 10])
@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_tree_is_that_of_scikit_learn(linkage, metric, n_clusters):
    distance = 1 - weight_correlation(W)
    if metric == "euclidean":
        distance = np.linalg.norm(W[:, None] - W, axis=2)
    theirs = AgglomerativeClustering(
        n_clusters, metric="precomputed", linkage=linkage, compute_distances=True
    ).fit(distance)
    ours = ClassClustering(n_clusters, linkage=linkage, metric=metric).fit(W)
    assert np.array_equal(ours.children_, theirs.children_)
    np.testing.assert_allclose(ours.distances_, theirs.distances_, rtol=1e-12)
    assert adjusted_rand_score(ours.labels_, theirs.labels_) == 1
    assert ours.n_clusters_ == len(set(ours.labels_)) == n_clusters


def test_ward_is_that_of_scikit_learn():
    theirs = AgglomerativeClustering(3, compute_distances=True).fit(W)
    ours = ClassClustering(3, linkage="ward", metric="euclidean").fit(W)
    assert np.array_equal(ours.children_, theirs.children_)
    np.testing.assert_allclose(ours.distances_, theirs.distances_, rtol=1e-12)


@pytest.mark.parametrize("height", [0.3, 0.8, 1.1])
def test_a_threshold_cuts_where_that_of_scikit_learn_does(height):
    distance = 1 - weight_correlation(W)
    theirs = AgglomerativeClustering(
        None, distance_threshold=height, metric="precomputed", linkage="average"
    ).fit(distance)
    ours = ClassClustering(None, distance_threshold=height).fit(W)
    assert ours.n_clusters_ == theirs.n_clusters_
    assert adjusted_rand_score(ours.labels_, theirs.labels_) == 1


def test_equal_heights_still_give_the_number_of_clusters_asked_for():
    square = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    for n_clusters in range(1, 5):
        assert len(set(ClassClustering(n_clusters).fit(square).labels_)) == n_clusters


def test_clusters_are_numbered_in_the_order_of_their_first_classes():
    labels = ClassClustering(4).fit(W).labels_
    assert list(dict.fromkeys(labels)) == [0, 1, 2, 3]


def test_the_linkage_matrix_draws_the_leaves_in_order():
    clustering = ClassClustering().fit(W)
    Z = clustering.linkage_matrix_
    assert is_valid_linkage(Z)
    assert dendrogram(Z, no_plot=True)["leaves"] == clustering.leaf_order_.tolist()
    assert np.array_equal(np.sort(Z[:, :2], axis=1), clustering.children_)
    neighbours = np.diag(clustering.correlation_[np.ix_(*[clustering.leaf_order_] * 2)], 1)
    assert neighbours.sum() >= np.diag(clustering.correlation_, 1).sum()


def test_an_exact_tree_has_a_cophenetic_correlation_of_one():
    tree = [[3, 0, 0], [3, 1e-9, 0], [0, 2, 2], [0, 2, 2 + 1e-9]]
    assert ClassClustering().fit(tree).cophenetic_correlation_ == pytest.approx(1)
    same = ClassClustering().fit(np.eye(3))
    assert np.isnan(same.cophenetic_correlation_)


def test_centring_reaches_the_tree():
    shifted = W + 10 * W[0]
    plain, centred = (ClassClustering(center=c).fit(shifted) for c in (None, "classes"))
    wanted = ClassClustering(center="classes").fit(W)
    assert np.array_equal(centred.children_, wanted.children_)
    assert not np.allclose(plain.distances_, centred.distances_)
    lengths = ClassClustering(metric="euclidean", center="classes").fit(shifted)
    np.testing.assert_allclose(
        lengths.distances_, ClassClustering(metric="euclidean").fit(W).distances_
    )


def test_scores_are_those_of_their_definitions():
    clustering = ClassClustering(3).fit(W)
    distance, labels = 1 - weight_correlation(W), clustering.labels_
    np.fill_diagonal(distance, 0)
    wanted = silhouette_score(distance, labels, metric="precomputed")
    assert clustering.silhouette_ == pytest.approx(wanted)
    assert clustering.score(W) == pytest.approx(wanted)
    assert clustering.score(W, GROUPS) == adjusted_rand_score(GROUPS, labels)
    pairs = [(i, j) for i in range(10) for j in range(i)]
    within = [1 - distance[i, j] for i, j in pairs if labels[i] == labels[j]]
    between = [1 - distance[i, j] for i, j in pairs if labels[i] != labels[j]]
    assert clustering.contrast_ == pytest.approx(np.mean(within) - np.mean(between))


@pytest.mark.parametrize("n_clusters", [1, 10])
def test_one_cluster_or_one_class_each_has_no_contrast(n_clusters):
    clustering = ClassClustering(n_clusters).fit(W)
    assert np.isnan(clustering.contrast_) and np.isnan(clustering.silhouette_)


def test_agreement_with_what_was_built_in():
    centres = np.array([[3.0, 0, 0], [0, 3.0, 0]])[GROUPS]
    noisy = centres + 0.3 * np.random.default_rng(0).normal(size=(10, 3))
    measures = ClassClustering().fit(noisy).agreement({"a": [0, 1, 8, 9], "b": range(2, 8)})
    assert measures.adjusted_rand == measures.dendrogram_purity == 1
    assert measures.p_value == pytest.approx(1 / 210)
    assert measures.contrast > 0.8 and measures.silhouette > 0.7


@pytest.mark.parametrize("linkage", ["average", "ward"])
def test_the_silhouette_is_that_of_the_distance_which_made_the_tree(linkage):
    clustering = ClassClustering(3, metric="euclidean", linkage=linkage).fit(W)
    distance = np.linalg.norm(W[:, None] - W, axis=2)
    np.testing.assert_allclose(clustering.distance_matrix_, distance, rtol=1e-12, atol=1e-12)
    wanted = silhouette_score(W, clustering.labels_)
    assert clustering.silhouette_ == pytest.approx(wanted)
    assert clustering.agreement(clustering.labels_).silhouette == pytest.approx(wanted)
    assert clustering.agreement(GROUPS).silhouette == pytest.approx(silhouette_score(W, GROUPS))


def test_copies_agree():
    clustering = ClassClustering(3, linkage="complete", center="classes").fit(W)
    again = clone(clustering).fit(W)
    assert np.array_equal(again.labels_, clustering.labels_)
    assert np.array_equal(pickle.loads(pickle.dumps(clustering)).labels_, clustering.labels_)


FAULTS = [
    ({}, W[:2], "weights of 2 classes .* too few for a tree"),
    ({"n_clusters": 11}, W, "n_clusters is 11, but there are 10 classes"),
    ({"n_clusters": 0}, W, "n_clusters is 0; give an integer of at least 1"),
    ({"n_clusters": None}, W, "n_clusters is None and distance_threshold is None: give one"),
    ({"distance_threshold": 1.0}, W, "n_clusters is 2 and distance_threshold is 1.0: give one"),
    ({"n_clusters": None, "distance_threshold": -1.0}, W, "distance_threshold is -1.0; give"),
    ({"linkage": "centroid"}, W, "linkage is 'centroid'; choose one of"),
    ({"metric": "l2"}, W, "metric is 'l2'; choose one of"),
    ({"center": "rows"}, W, "center is 'rows'; choose one of"),
    ({"linkage": "ward"}, W, "linkage='ward' needs metric='euclidean'"),
    ({}, np.zeros((4, 3)), "zero, so their correlation is not defined"),
]


@pytest.mark.parametrize(("params", "weights", "message"), FAULTS, ids=lambda v: str(v)[:30])
def test_what_makes_no_sense_is_refused(params, weights, message):
    with pytest.raises(ValueError, match=message):
        ClassClustering(**params).fit(weights)


def test_scores_of_other_classes_are_refused():
    clustering = ClassClustering().fit(W)
    with pytest.raises(ValueError, match="weights of 4 classes, but 10 were clustered"):
        clustering.score(W[:4])
