"""Whose word counts: the estimator's own predictions, columns by name, and steps of float32."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_robust import robust_score
from sklearn_robust.attacks import PGD, Square, WorstCase
from sklearn_robust.metrics import decision_margin, robustness_curve, robustness_report
from tests.cases import blobs

NAMES = list("abcd")
X, Y = blobs(60)
FRAME = pd.DataFrame(X, columns=NAMES)
BY_NAME = make_pipeline(
    ColumnTransformer([("scaled", StandardScaler(), NAMES[:3])]), LogisticRegression()
).fit(FRAME, Y)


# -- predictions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.05, 0.4, 0.95])
@pytest.mark.parametrize("eps", [0.03, 0.1])
def test_a_threshold_of_its_own_decides_who_is_fooled(threshold, eps):
    inner = LogisticRegression(C=30)
    model = FixedThresholdClassifier(inner, threshold=threshold, response_method="predict_proba")
    model.fit(X, Y)
    w, b = model.estimator_.coef_[0], model.estimator_.intercept_[0]
    gap = X @ w + b - np.log(threshold / (1 - threshold))
    worst = gap - np.where(Y == 1, 1, -1) * eps * np.abs(w).sum()
    exact = np.mean((worst >= 0) == (Y == 1))
    attack = Square(eps=eps, bounds=None, max_iter=400, random_state=0)
    found = attack.evaluate(model, X, Y)
    assert robust_score(model, X, Y, attack=attack) == pytest.approx(exact)
    assert np.array_equal(found.fooled, model.predict(found.X_adv) != Y)


def radial(A, B):
    return np.exp(-((A[:, None] - B[None]) ** 2).sum(-1) / 0.1)


WRAPPED = {
    "plain": lambda model: model,
    "pipeline": lambda model: make_pipeline(StandardScaler(with_std=False), model),
    "search": lambda model: GridSearchCV(model, {"C": [1.0]}, cv=2),
}


@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_decisions_between_pairs_are_no_scores_of_classes(wrapped, n_classes):
    samples, labels = blobs(60, labels=range(n_classes))
    attack, scores = Square(eps=0.15, max_iter=100, random_state=0), []
    for shape in ("ovr", "ovo"):
        model = WRAPPED[wrapped](SVC(kernel=radial, decision_function_shape=shape))
        model = FrozenEstimator(model.fit(samples, labels))
        scores.append(robust_score(model, samples, labels, attack=attack))
    assert scores[0] == scores[1] < 1


# -- columns -------------------------------------------------------------------------------------

ASKED = {
    "score": lambda model, X: robust_score(model, X, Y, attack=PGD(eps=0.0)),
    "curve": lambda model, X: robustness_curve(model, X, Y, eps=[0.0])[0],
    "report": lambda model, X: robustness_report(model, X, Y, output_dict=True)["clean"],
    "attack": lambda model, X: 1 - PGD(eps=0.0).evaluate(model, X, Y).fooled.mean(),
    "points": lambda model, X: model.score(
        pd.DataFrame(PGD(eps=0.0).generate(model, X, Y), columns=NAMES), Y
    ),
}


@pytest.mark.parametrize("what", ASKED)
def test_columns_in_another_order_are_refused(what):
    assert ASKED[what](BY_NAME, FRAME) == pytest.approx(BY_NAME.score(FRAME, Y))
    with pytest.raises(ValueError, match=r"X has the columns \['d', 'c'.*feature_names_in_\]"):
        ASKED[what](BY_NAME, FRAME[NAMES[::-1]])


def test_indicators_refuse_them_too():
    with pytest.raises(ValueError, match="another order of them"):
        decision_margin(BY_NAME, FRAME[NAMES[::-1]], Y)


def test_a_black_box_that_picks_columns_by_name_is_given_frames():
    forest = RandomForestClassifier(5, random_state=0)
    picked = ColumnTransformer([("kept", "passthrough", NAMES[1:])])
    model = make_pipeline(picked, forest).fit(FRAME, Y)
    attack = Square(eps=0.1, max_iter=20, random_state=0)
    assert robust_score(model, FRAME, Y, attack=attack) <= model.score(FRAME, Y)


# -- float32 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [PGD(eps=0.3), WorstCase(eps=0.3)], ids=["PGD", "WorstCase"])
def test_a_radius_below_the_steps_of_float32_is_told(attack):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X + 1e7, Y)
    with pytest.warns(UserWarning, match=r"the steps of float32 are 1, too coarse for eps="):
        attack.evaluate(model, X + 1e7, Y)
