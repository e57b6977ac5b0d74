"""Scorers: small objects that say what they are and go where scorers go."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from sklearn_robust import make_robust_scorer, robust_score
from sklearn_robust.attacks import FGSM, PGD, WorstCase
from tests.cases import blobs

X, Y = blobs()

SCORERS = {
    "make_robust_scorer(None)": make_robust_scorer(),
    "make_robust_scorer(PGD(eps=0.1, random_state=0))": make_robust_scorer(
        PGD(eps=0.1, random_state=0)
    ),
    "make_robust_scorer(FGSM(eps=0.2), n_jobs=1)": make_robust_scorer(FGSM(eps=0.2), n_jobs=1),
    "make_robust_scorer(WorstCase(eps=0.1, random_state=0))": make_robust_scorer(
        WorstCase(eps=0.1, random_state=0)
    ),
}


@pytest.mark.parametrize("text", SCORERS)
def test_a_scorer_says_what_makes_it_and_survives_copies(text):
    scorer = SCORERS[text]
    model = LogisticRegression().fit(X, Y)
    wanted = scorer(model, X, Y)
    assert repr(scorer) == text
    names = {"make_robust_scorer": make_robust_scorer, "PGD": PGD, "FGSM": FGSM}
    for again in (
        eval(text, {**names, "WorstCase": WorstCase}),
        pickle.loads(pickle.dumps(scorer)),
        clone(scorer, safe=False),
    ):
        assert repr(again) == text and again(model, X, Y) == wanted


def test_a_scorer_is_robust_score_with_its_attack():
    model = LogisticRegression().fit(X, Y)
    attack = PGD(eps=0.1, random_state=0)
    scorer = make_robust_scorer(attack)
    assert scorer(model, X, Y) == robust_score(model, X, Y, attack=attack)
    weight = np.arange(len(Y))
    assert scorer(model, X, Y, sample_weight=weight) == robust_score(
        model, X, Y, attack=attack, sample_weight=weight
    )


@pytest.mark.parametrize("attack", [PGD, "pgd", 0.1, LogisticRegression()], ids=str)
def test_what_is_no_attack_is_refused_at_once(attack):
    with pytest.raises(TypeError, match="attack is .*; give an attack instance, such as PGD"):
        make_robust_scorer(attack)
