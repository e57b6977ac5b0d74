"""Whose word counts: predictions, columns by name, gradients that vanish, steps of float32."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_robust import robust_score
from sklearn_robust.attacks import (
    APGD,
    BIM,
    FAB,
    FGSM,
    MIFGSM,
    PGD,
    CarliniWagner,
    DeepFool,
    Square,
    WorstCase,
)
from sklearn_robust.exceptions import ZeroGradientWarning
from sklearn_robust.metrics import (
    boundary_distance,
    decision_margin,
    input_jacobian,
    make_robust_scorer,
    prediction_stability,
    robustness_curve,
    robustness_report,
)
from sklearn_robust.spectral import make_regularization_scorer
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
def test_columns_in_another_order_are_read_by_name(what):
    """ColumnTransformer takes its columns by name, whatever their order."""
    other = FRAME[NAMES[::-1]]
    assert BY_NAME.score(other, Y) == BY_NAME.score(FRAME, Y)
    assert ASKED[what](BY_NAME, FRAME) == pytest.approx(BY_NAME.score(FRAME, Y))
    assert ASKED[what](BY_NAME, other) == pytest.approx(BY_NAME.score(FRAME, Y))


def test_indicators_read_them_by_name_too():
    wanted = decision_margin(BY_NAME, FRAME, Y)
    np.testing.assert_allclose(decision_margin(BY_NAME, FRAME[NAMES[::-1]], Y), wanted, atol=1e-6)


def test_a_black_box_that_picks_columns_by_name_is_given_frames():
    forest = RandomForestClassifier(5, random_state=0)
    picked = ColumnTransformer([("kept", "passthrough", NAMES[1:])])
    model = make_pipeline(picked, forest).fit(FRAME, Y)
    attack = Square(eps=0.1, max_iter=20, random_state=0)
    assert robust_score(model, FRAME, Y, attack=attack) <= model.score(FRAME, Y)


# -- labels that are missing --------------------------------------------------------------------

NEEDS_LABELS = {
    "robust_score": robust_score,
    "scorer": make_robust_scorer(),
    "curve": lambda *given: robustness_curve(*given, eps=[0.1]),
    "report": robustness_report,
}


@pytest.mark.parametrize("what", NEEDS_LABELS)
def test_no_number_is_called_robust_accuracy_without_labels(what):
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match="y is None: .*prediction_stability"):
        NEEDS_LABELS[what](model, X, None)


# -- gradients that vanish -----------------------------------------------------------------------

SURE = LogisticRegression().fit(X, Y)
SURE.coef_, SURE.intercept_ = 1e4 * SURE.coef_, 1e4 * SURE.intercept_
STANDING = {
    "FGSM": FGSM(eps=1.0),
    "BIM": BIM(eps=1.0),
    "MIFGSM": MIFGSM(eps=1.0),
    "APGD": APGD(eps=1.0, random_state=0),
    "KL from the clean point": FGSM(eps=1.0, loss="kl"),
}


@pytest.mark.parametrize("attack", STANDING.values(), ids=STANDING)
def test_an_attack_that_stands_still_says_so(attack):
    with pytest.warns(ZeroGradientWarning, match=r"could not move \d+ of \d+ samples: .*WorstCase"):
        robust_score(SURE, X, Y, attack=attack)
    with pytest.warns(ZeroGradientWarning):
        attack.generate(SURE, X, Y)


def test_pgd_goes_on_by_the_margin_where_its_loss_stands_still():
    attack = PGD(eps=1.0, random_state=0)
    worst = robust_score(SURE, X, Y, attack=PGD(eps=1.0, loss="margin", random_state=0))
    assert robust_score(SURE, X, Y, attack=attack) == worst
    with pytest.warns(ZeroGradientWarning):
        attack.generate(SURE, X, Y)


class Stairs(torch.nn.Module):
    """Right on the data and flat everywhere, so that no loss has a gradient."""

    def forward(self, x):
        f = (x[:, :1] / 2).round() - 0.5 + 0 * x.sum(1, keepdim=True)
        return torch.cat([-f, f], 1)


def test_a_cascade_whose_every_loss_stands_still_says_so():
    X, y = np.array([[0.2, 0.0], [2.1, 0.0]], np.float32), np.array([0, 1])
    with pytest.warns(ZeroGradientWarning, match="WorstCase could not move . of 2.*Square"):
        assert robust_score(Stairs(), X, y, attack=WorstCase(eps=3.0, random_state=0)) > 0
    attacks = [PGD(), Square(max_iter=50)]  # which needs none
    assert robust_score(Stairs(), X, y, attack=WorstCase(attacks, eps=3.0, random_state=0)) == 0


@pytest.mark.parametrize(
    "attack",
    [WorstCase(eps=1.0), FGSM(eps=1.0, loss="margin"), PGD(eps=1.0, loss="scaled_cross_entropy")],
    ids=["WorstCase", "margin", "scaled"],
)
def test_an_attack_that_needs_no_confidence_moves_them(attack):
    found = robust_score(SURE, X, Y, attack=clone(attack).set_params(random_state=0))
    with pytest.warns(ZeroGradientWarning):
        assert found < robust_score(SURE, X, Y, attack=STANDING["FGSM"])


# -- float32 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [PGD(eps=0.3), WorstCase(eps=0.3)], ids=["PGD", "WorstCase"])
def test_a_radius_below_the_steps_of_float32_is_told(attack):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X + 1e7, Y)
    with pytest.warns(UserWarning, match=r"the steps of float32 are 1, too coarse for eps="):
        attack.evaluate(model, X + 1e7, Y)


# -- NaN that counts as robust -------------------------------------------------------------------


@pytest.mark.parametrize("on_nan", ["raise", "robust"])
def test_a_threshold_decides_whatever_is_made_of_nan(on_nan):
    inner = LogisticRegression(C=30)
    model = FixedThresholdClassifier(inner, threshold=0.9, response_method="predict_proba").fit(
        X, Y
    )
    attack = Square(eps=0.05, max_iter=50, random_state=0)
    wanted = robust_score(model, X, Y, attack=attack)
    assert robust_score(model, X, Y, attack=attack.set_params(on_nan=on_nan)) == wanted


# -- attacks without a radius --------------------------------------------------------------------

NEEDS_A_RADIUS = {
    "score": lambda attack: robust_score(BY_NAME, FRAME, Y, attack=attack),
    "stability": lambda attack: prediction_stability(BY_NAME, FRAME, attack=attack),
    "scorer": lambda attack: make_robust_scorer(attack)(BY_NAME, FRAME, Y),
    "path": lambda attack: make_regularization_scorer(attack)(BY_NAME, FRAME, Y),
}


@pytest.mark.parametrize("attack", [DeepFool(), FAB(), CarliniWagner()], ids=str)
@pytest.mark.parametrize("what", NEEDS_A_RADIUS)
def test_without_a_radius_there_is_no_robust_accuracy(what, attack):
    with pytest.raises(ValueError, match="has no radius: give it an eps"):
        NEEDS_A_RADIUS[what](attack)


# -- labels for indicators -----------------------------------------------------------------------


MEASURES = [input_jacobian, partial(boundary_distance, max_distance=1.0), decision_margin]


@pytest.mark.parametrize("measure", MEASURES, ids=["jacobian", "distance", "margin"])
def test_indicators_of_labels_refuse_to_go_without(measure):
    with pytest.raises(ValueError, match="y is None"):
        measure(SURE, X, None)


def test_a_direction_that_is_an_attack_inside_a_ball_is_no_direction():
    with pytest.raises(ValueError, match=r"A direction is PGD\(.*such as FAB"):
        boundary_distance(SURE, X, Y, max_distance=1, directions=[PGD(eps=0.1)])
