"""Constraints hold exactly after an attack, and cost nothing where they do not bind."""

import numpy as np
import pytest

from sklearn_robust import MinMaxNet, robust_score
from sklearn_robust.attacks import FAB, PGD, Square, WorstCase

from .people import CODED, FRAME, NUMERIC, Y, exact, pipeline

MODEL = pipeline()


@pytest.mark.parametrize("attack", [PGD, Square, WorstCase])
def test_increasing_columns_grow_exactly_as_far_as_they_may(attack):
    params = {"max_iter": 100} if attack is Square else {}
    search = attack(eps=0.4, bounds=None, increasing=["age"], random_state=0, **params)
    moved = search.generate(MODEL, FRAME, Y)
    assert (moved.age >= FRAME.age).all() and abs(
        moved[NUMERIC] - FRAME[NUMERIC]
    ).max().max() <= 0.4
    w = MODEL[-1].coef_[0, :2] / MODEL[0].transformers_[0][1].scale_
    sign = 2 * Y - 1
    gain = 0.4 * (np.maximum(-sign * w[0], 0) + abs(w[1]))
    right = np.mean(sign * MODEL.decision_function(FRAME) > gain)
    assert robust_score(MODEL, FRAME, Y, attack=search) == right


HOLDS = {
    "income <= age + 4": lambda age, income, gap: income <= age + 4,
    "income >= age - 5": lambda age, income, gap: income >= age - 5,
    "age == income + gap": lambda age, income, gap: np.isclose(age, income + gap, rtol=1e-9),
}


@pytest.mark.parametrize("relation", HOLDS)
@pytest.mark.parametrize("attack", [PGD, Square])
def test_relations_hold_and_scores_are_not_below_those_without(attack, relation):
    frame = FRAME.assign(gap=FRAME.age - FRAME.income)
    params = {"eps": 0.4, "bounds": None, "random_state": 0}
    params |= {"max_iter": 60} if attack is Square else {}
    search = attack(relations=[relation], **params)
    model = pipeline(frame, numeric=[*NUMERIC, "gap"])
    moved = search.generate(model, frame, Y)
    holds = HOLDS[relation](moved.age, moved.income, moved.gap)
    assert holds.all() and (moved != frame).any(axis=None)
    free = robust_score(model, frame, Y, attack=attack(**params))
    assert robust_score(model, frame, Y, attack=search) >= free


def test_relations_of_functions_and_of_categories():
    def rule(frame):
        return ((frame.town != "z") | (frame.age <= 3)).to_numpy()

    search = PGD(eps=1, bounds=None, relations=[rule, "town != 'w' or age <= 4"], random_state=0)
    moved = search.generate(MODEL, FRAME, Y)
    assert rule(moved).all()


REFUSED = {
    "clean row": ({"relations": ["age <= 0"]}, "Row .* of X violates the relation 'age <= 0'"),
    "unknown column": ({"relations": ["height < 2"]}, "names the column 'height'"),
    "increasing text": ({"increasing": ["town"]}, "increasing names column 'town', but it holds"),
    "no dict": ({"categorical": ["town"]}, "categorical is .*; give a dict"),
    "no category": (
        {"categorical": {"age": "any"}},
        "'age', which holds numbers .* give it an eps",
    ),
    "choice": ({"categorical": {"town": "some"}}, "give 'any', 'fixed' or a list"),
    "unknown value": ({"categorical": {"town": ["q"]}}, "holds 'q', which neither X nor the enc"),
    "count": ({"categorical": {"town": "any"}, "max_flips": 0}, "max_flips is 0; give an integer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_constraints_that_make_no_sense_are_refused(name):
    params, match = REFUSED[name]
    with pytest.raises(ValueError, match=match):
        robust_score(MODEL, FRAME, Y, attack=PGD(eps=0.1, bounds=None, **params))


def test_a_nearest_point_has_no_categories():
    with pytest.raises(ValueError, match="FAB looks for the nearest point, and a change of categ"):
        FAB(categorical={"town": "any"}).generate(MODEL, FRAME, Y)


def test_tensors_have_no_columns():
    net = MinMaxNet(attack__relations=["x0 < x1"], max_epochs=1)
    with pytest.raises(ValueError, match="relations is .*, which speaks of the columns of a table"):
        net.fit(CODED[:, :2], Y)


def test_fixed_categories_stay():
    attack = PGD(eps=0.1, bounds=None, categorical={"town": "fixed"}, random_state=0)
    assert robust_score(MODEL, FRAME, Y, attack=attack) == exact(MODEL, FRAME, 0.1)
