"""Searches over categories find what brute force finds."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust import robust_score
from sklearn_robust.attacks import PGD, Square

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_robust.exceptions.BlackBoxWarning")
RNG = np.random.RandomState(0)
N = 40
FRAME = pd.DataFrame(
    {
        "job": RNG.choice(["cook", "clerk", "pilot"], N),
        "town": RNG.choice(list("abcd"), N),
        "kids": RNG.randint(0, 4, N),
    }
)
Y = ((FRAME.job == "cook") * 2 + (FRAME.town == "b") + FRAME.kids > 2).astype(int).to_numpy()


def trees():
    steps = make_column_transformer((OrdinalEncoder(), ["job", "town"]), remainder="passthrough")
    return make_pipeline(steps, DecisionTreeClassifier(max_depth=4, random_state=0)).fit(FRAME, Y)


def linear():
    steps = make_column_transformer(
        (OneHotEncoder(), ["job", "town"]), (StandardScaler(), ["kids"])
    )
    return make_pipeline(steps, LogisticRegression()).fit(FRAME, Y)


def forced(model, row, y, *, eps, most, allowed=lambda frame: True):
    """Whether every row within reach keeps its class, one by one."""
    jobs, towns = ["cook", "clerk", "pilot"], list("abcd")
    rows = [
        {"job": job, "town": town, "kids": row.kids + step}
        for job, town, step in product(jobs, towns, range(-eps, eps + 1))
        if (job != row.job) + (town != row.town) <= most and 0 <= row.kids + step <= 3
    ]
    frame = pd.DataFrame(rows)[[*FRAME.columns]]
    frame = frame[allowed(frame)] if allowed(frame) is not True else frame
    return (model.predict(frame) == y).all()


PARAMS = {"eps": {"kids": 1}, "bounds": {"kids": (0, 3)}, "random_state": 0}
ANY = {"categorical": {"job": "any", "town": "any"}}


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize(("make", "attack"), [(trees, Square), (linear, PGD)])
def test_robust_accuracy_is_that_of_brute_force(make, attack, most):
    model = make()
    right = np.mean(
        [forced(model, r, y, eps=1, most=most) for r, y in zip(FRAME.itertuples(), Y, strict=True)]
    )
    few = {"max_iter": 25 if attack is Square else 5}
    search = attack(**PARAMS, **ANY, **few, max_flips=most)
    assert robust_score(model, FRAME, Y, attack=search) == right
    assert right < robust_score(model, FRAME, Y, attack=attack(**PARAMS, **few))


def test_relations_bind_categories_too():
    model = trees()
    allowed = lambda frame: (frame.job != "cook") | (frame.kids <= 2)  # noqa: E731
    rows = allowed(FRAME)
    frame, y = FRAME[rows], Y[rows]
    pairs = zip(frame.itertuples(), y, strict=True)
    right = np.mean([forced(model, r, t, eps=1, most=2, allowed=allowed) for r, t in pairs])
    text = "job != 'cook' or kids <= 2"
    bound = Square(**PARAMS, **ANY, relations=[text], max_iter=25)
    assert robust_score(model, frame, y, attack=bound) == right
    assert right >= robust_score(model, frame, y, attack=Square(**PARAMS, **ANY, max_iter=25))


def test_categories_alone_need_no_numbers():
    codes = np.c_[RNG.randint(0, 3, (60, 2)), RNG.randint(0, 2, 60)].astype(float)
    y = (codes.sum(1) > 2).astype(int)
    model = CategoricalNB().fit(codes, y)
    every = np.array([*product(range(3), range(3), range(2))], dtype=float)
    predicted = model.predict(every)
    near = (codes[:, None] != every).sum(2) <= 1
    right = np.mean([(predicted[n] == t).all() for n, t in zip(near, y, strict=True)])
    search = Square(categorical={0: "any", 1: "any", 2: "any"}, max_flips=1, max_iter=2)
    assert robust_score(model, codes, y, attack=search) == right


def test_a_beam_searches_what_is_too_much_for_all():
    n, wide = 60, {}
    for k in range(6):
        wide[f"c{k}"] = RNG.choice(list("abcde"), n)
    frame = pd.DataFrame(wide)
    y = (sum((frame[c] < "c").astype(int) for c in frame) > 2).astype(int).to_numpy()
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, y)
    search = PGD(categorical=dict.fromkeys(frame, "any"), max_flips=2, random_state=0)
    result = search.evaluate(model, frame, y)
    w = model[-1].coef_[0]
    gains = []
    for k in range(n):
        sign, best, start = 2 * y[k] - 1, [], 0
        for c, cats in zip(frame, model[0].categories_, strict=True):
            own = w[start + list(cats).index(frame[c][k])]
            best.append(max(sign * (own - v) for v in w[start : start + len(cats)]))
            start += len(cats)
        gains.append(sum(sorted(best)[-2:]))
    lead = (2 * y - 1) * model.decision_function(frame)
    assert np.array_equal(result.fooled, lead < gains)
    assert ((result.X_adv != frame).sum(axis=1) <= 2).all()
    assert (result.distance[result.fooled] == 0).all()
