"""Ensembles of classifiers as modules."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotDifferentiableError
from tests.differentiable.estimators import LINEAR, MLP, SPREAD, VOTERS

ENSEMBLES = {
    "vote": VotingClassifier(VOTERS, voting="soft"),
    "vote-weighted": VotingClassifier(
        [*VOTERS, ("pipe", make_pipeline(StandardScaler(), LINEAR))],
        voting="soft",
        weights=[1, 0, 2, 0.5],
    ),
    "vote-dropped": VotingClassifier(
        [("gone", "drop"), *VOTERS], voting="soft", weights=[9, 1, 2, 3]
    ),
    "vote-sgd": VotingClassifier(
        [
            ("log", SGDClassifier(loss="log_loss", random_state=0)),
            ("huber", SGDClassifier(loss="modified_huber", random_state=0)),
            ("rest", OneVsRestClassifier(LINEAR)),
            ("lda", LinearDiscriminantAnalysis()),
        ],
        voting="soft",
    ),
    "vote-nested": VotingClassifier(
        [("vote", VotingClassifier(VOTERS, voting="soft"))], voting="soft"
    ),
    "bagging": BaggingClassifier(LINEAR, 3, max_features=3, random_state=0),
    "calibrated-linear": CalibratedClassifierCV(LinearSVC(), cv=2),
    "calibrated-bayes": CalibratedClassifierCV(GaussianNB(), cv=2),
    "calibrated-svc": CalibratedClassifierCV(SPREAD, cv=2),
    "calibrated-once": CalibratedClassifierCV(LINEAR, cv=2, ensemble=False),
    "calibrated-isotonic": CalibratedClassifierCV(LINEAR, method="isotonic", cv=2),
    "calibrated-bagging": CalibratedClassifierCV(
        BaggingClassifier(LINEAR, 3, max_samples=0.4, random_state=0), cv=2
    ),
    "calibrated-isotonic-bayes": CalibratedClassifierCV(MLP, method="isotonic", cv=2),
    "vote-calibrated": VotingClassifier(
        [("svc", CalibratedClassifierCV(LinearSVC(), cv=2)), *VOTERS], voting="soft"
    ),
}
if "temperature" in str(CalibratedClassifierCV._parameter_constraints["method"]):
    for label, member in {"linear": LinearSVC(), "bayes": GaussianNB(), "mlp": MLP}.items():
        ENSEMBLES[f"temperature-{label}"] = CalibratedClassifierCV(
            member, method="temperature", cv=2
        )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensembles_give_their_log_probabilities(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes, names=["moss", "ash", "elm"])
    kinks = 0.005 if "isotonic" in name else 0.0
    agrees(ENSEMBLES[name].fit(X, y), X, "predict_proba", kinks=kinks)


STACKS = {
    "auto": StackingClassifier([*VOTERS, ("svc", SVC(break_ties=True))], cv=2),
    "passthrough": StackingClassifier(
        [("ridge", RidgeClassifier()), ("pairs", SVC(decision_function_shape="ovo"))],
        final_estimator=make_pipeline(StandardScaler(), LINEAR),
        passthrough=True,
        cv=2,
    ),
    "dropped": StackingClassifier(
        [("gone", "drop"), *VOTERS], final_estimator=LinearSVC(), stack_method="predict_proba", cv=2
    ),
    "mlp": StackingClassifier(VOTERS, final_estimator=MLP, cv=2),
    "bagging": StackingClassifier(
        [("bag", BaggingClassifier(LINEAR, 3, max_samples=0.4, random_state=0))],
        stack_method="decision_function",
        cv=2,
    ),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", STACKS)
def test_stacks_are_their_final_estimator_behind_their_members(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes)
    agrees(STACKS[name].fit(X, y), X, "predict_proba" if name == "mlp" else None)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["vote", "vote-weighted", "passthrough", "mlp"])
def test_ensembles_as_transformers_hand_on_their_members_answers(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes)
    agrees(make_pipeline({**ENSEMBLES, **STACKS}[name], StandardScaler(), LINEAR).fit(X, y), X)


def test_saturated_members_keep_their_slopes():
    """Probabilities that round to 1 still have logarithms that can be climbed."""
    X = np.array([[-1.0], [1.0]])
    members = [("a", LogisticRegression(C=1e9, tol=1e-12)), ("b", LogisticRegression())]
    model = VotingClassifier(members, voting="soft").fit(X, [0, 1])
    sure = make_pipeline(VotingClassifier(members[:1], voting="soft")).fit(X, [0, 1])
    for viewed in (model, sure):
        x = torch.tensor([[50.0]], dtype=torch.float64, requires_grad=True)
        z = as_module(viewed)(x)
        (grad,) = torch.autograd.grad(z[0, 1] - z[0, 0], x)
        assert torch.isfinite(z).all() and float(grad) > 0.1


@pytest.mark.parametrize(
    "name", ["vote-weighted", "bagging", "calibrated-svc", "calibrated-isotonic"]
)
def test_ensembles_survive_pickling_and_moving(flowers, moves, name):
    X, y = flowers()
    view = as_module(ENSEMBLES[name].fit(X, y))
    moves(view, X)
    moves(view.surrogate, X)
    x = torch.tensor(X)
    assert torch.equal(pickle.loads(pickle.dumps(view))(x), view(x))


def test_a_fold_that_lacks_a_class_is_refused(flowers):
    X, y = flowers()
    folds = [(np.flatnonzero(y > 0), np.arange(len(y)))]
    model = CalibratedClassifierCV(LINEAR, cv=folds).fit(X, y)
    with pytest.raises(NotDifferentiableError, match="fewer folds"):
        as_module(model)
