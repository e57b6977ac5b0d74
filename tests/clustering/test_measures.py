"""Measures of groups of classes against their definitions."""

from itertools import permutations

import numpy as np
import pytest

from sklearn_robust.clustering import ClassClustering, weight_correlation
from sklearn_robust.clustering._measures import contrast, dendrogram_purity, permutation_p

W = np.random.default_rng(0).normal(size=(10, 6))


GROUPS = np.array([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])  # four and six, as in CIFAR-10


def test_dendrogram_purity_is_the_mean_over_pairs_of_their_smallest_subtree():
    clustering = ClassClustering().fit(W)
    members = [{leaf} for leaf in range(10)]
    for left, right in clustering.children_:
        members.append(members[left] | members[right])
    shares = []
    for i, j in permutations(range(10), 2):
        if GROUPS[i] == GROUPS[j]:
            subtree = min((m for m in members if {i, j} <= m), key=len)
            shares.append(np.mean([GROUPS[leaf] == GROUPS[i] for leaf in subtree]))
    assert dendrogram_purity(clustering.children_, GROUPS) == pytest.approx(np.mean(shares))


def test_the_permutation_test_counts_all_arrangements():
    similarity = weight_correlation(W)[:5, :5]
    codes = np.array([0, 0, 1, 1, 1])
    contrasts = [contrast(similarity, np.array(p)) for p in set(permutations(codes.tolist()))]
    wanted = np.mean(np.array(contrasts) >= contrast(similarity, codes) - 1e-12)
    assert permutation_p(similarity, codes) == pytest.approx(wanted)


def test_the_least_p_of_four_and_six_classes_is_one_in_210():
    perfect = (GROUPS[:, None] == GROUPS).astype(float)
    assert permutation_p(perfect, GROUPS) == pytest.approx(1 / 210)
    assert permutation_p(-perfect, GROUPS) == 1
    assert permutation_p(np.zeros((10, 10)), GROUPS) == 1


def test_many_classes_are_sampled_the_same_way_every_time():
    codes = np.arange(20) % 4
    perfect = (codes[:, None] == codes).astype(float)
    assert permutation_p(perfect, codes) == pytest.approx(1e-4)
    similarity = weight_correlation(np.random.default_rng(1).normal(size=(20, 30)))
    assert permutation_p(similarity, codes) == permutation_p(similarity, codes)
    assert 0.05 < permutation_p(similarity, codes) < 0.95
