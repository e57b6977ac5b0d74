"""Parameters that speak of columns."""

import numpy as np
import pytest

from sklearn_robust import robust_score
from sklearn_robust._tables import has_columns
from sklearn_robust.attacks import PGD, AutoAttack, WorstCase

from .people import CODED, FRAME, NUMBERS, Y, pipeline

MODEL = pipeline()
W = np.abs(MODEL[-1].coef_[0, :2] / MODEL[0].transformers_[0][1].scale_)
LEAD = MODEL.decision_function(FRAME) * (2 * Y - 1)
STD = NUMBERS.std(0)

BY_COLUMN = {
    "radii": ({"eps": {"age": 0.1, "income": 0.5}}, (0.1, 0.5)),
    "numbers": ({"eps": {0: 0.1, 1: 0.5}}, (0.1, 0.5)),
    "one radius": ({"eps": {"age": 0.3}}, (0.3, 0)),
    "mask": ({"eps": 0.3, "mask": ["income"]}, (0, 0.3)),
    "spread": ({"eps": "0.2 std"}, 0.2 * STD),
    "spread of one": ({"eps": {"age": "0.2 std", "income": 0.1}}, (0.2 * STD[0], 0.1)),
    "spread, masked": ({"eps": "0.2 std", "mask": ["age"]}, (0.2 * STD[0], 0)),
}


@pytest.mark.parametrize("attack", [PGD, WorstCase, AutoAttack])
@pytest.mark.parametrize("name", BY_COLUMN)
def test_radii_by_column(name, attack):
    params, radius = BY_COLUMN[name]
    score = robust_score(MODEL, FRAME, Y, attack=attack(bounds=None, random_state=0, **params))
    assert score == np.mean(LEAD > W @ np.asarray(radius))


def test_members_of_a_cascade_have_columns_of_their_own():
    attack = WorstCase([PGD(eps={"age": 0.3}), PGD(eps={"income": 0.3})], bounds=None)
    score = robust_score(MODEL, FRAME, Y, attack=attack)
    assert score == np.mean(LEAD > 0.3 * W.max())


def test_bounds_and_integers_by_column():
    low = NUMBERS.min(0)
    moved = PGD(eps=0.5, bounds={"age": (low[0], 5)}).generate(MODEL, FRAME, 0 * Y + 1)
    assert moved.age.min() == low[0] and moved.age.max() < NUMBERS[:, 0].max()
    whole = FRAME.assign(age=FRAME.age.round())
    moved = PGD(eps=1.2, integer=["age"], bounds=None).generate(MODEL, whole, Y)
    assert (moved.age == moved.age.round()).all() and (moved.age != whole.age).any()


REFUSED = {
    "unknown column": ({"mask": ["height"]}, "mask names the column 'height', which X does not"),
    "unknown number": ({"eps": {7: 1}}, "eps names the column 7, which X does not have"),
    "radius of a text": ({"eps": {"town": 1}}, "eps names column 'town', but it holds .* values"),
    "radii of an array": ({"eps": np.ones(3)}, "eps names column 'town'"),
    "mask of a text": ({"mask": [True, True, True]}, "mask names column 'town'"),
    "unit": ({"eps": "2 foo"}, "eps is '2 foo'; give a finite radius of at least 0, or a text"),
    "negative": ({"eps": {"age": -1}}, "eps is -1; give a number of at least 0"),
    "bounds": ({"bounds": {"age": (2, 1)}}, "bounds of column 'age' is .*give .low, high"),
    "outside": ({"bounds": {"age": (0, 1)}}, "Row . of X holds .* in column 'age', which leaves"),
    "nothing moves": ({"mask": [False] * 3}, "No column of X moves"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_column_has_is_refused(name):
    params, match = REFUSED[name]
    with pytest.raises(ValueError, match=match):
        robust_score(MODEL, FRAME, Y, attack=PGD(**{"eps": 0.1, **params}))


def test_a_coded_column_of_an_array_has_no_radius():
    model = pipeline(CODED, coded=[2], numeric=[0, 1])
    with pytest.raises(ValueError, match="eps names column 2, but OneHotEncoder reads it as cat"):
        robust_score(model, CODED, Y, attack=PGD(eps={2: 1}))


def test_what_speaks_of_columns():
    assert has_columns({"eps": {"age": 1}}) and has_columns({"mask": ["age"]})
    assert not has_columns({"eps": 1, "mask": [True, False], "bounds": (0, 1)})
