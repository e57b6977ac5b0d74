"""Certified accuracy as a scorer."""

import pickle

import numpy as np
import pytest

from sklearn_robust.certification import certified_score, make_certified_scorer
from tests.certification.test_bounds import Known, X, Y


def test_weights_count():
    model = Known().fit(X, Y)
    weights = [1, 0, 1, 0]
    assert certified_score(model, X, Y, eps=0.1, sample_weight=weights) == 0.5
    assert make_certified_scorer(0.1)(model, X, Y, sample_weight=weights) == 0.5


def test_labels_that_a_fold_lacked_are_errors():
    model = Known().fit(X, Y)
    assert make_certified_scorer(0.1)(model, X, np.array([0, 2, 0, 1])) == 0.5


def test_the_scorer_travels_and_tells_its_parameters():
    scorer = pickle.loads(pickle.dumps(make_certified_scorer(0.1, norm="l2")))
    assert repr(scorer) == "make_certified_scorer(eps=0.1, norm='l2')"


def test_bad_radii_are_refused_at_once():
    with pytest.raises(ValueError, match="eps is -1"):
        make_certified_scorer(-1)
    with pytest.raises(ValueError, match="eps must be given for norm='l2'"):
        make_certified_scorer(norm="l2")
