"""Nothing certified may ever be fooled: random models, norms, boxes, masks and radii."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust._threat_model import ThreatModel
from sklearn_robust.attacks import PGD, Square
from sklearn_robust.certification import robust_bounds
from sklearn_robust.differentiable import open_model
from tests._trees.oracles import data

TREES = [
    DecisionTreeClassifier(max_depth=4, random_state=0),
    RandomForestClassifier(4, max_depth=4, random_state=0),
    RandomForestClassifier(4, random_state=0),
    ExtraTreesClassifier(4, max_depth=4, random_state=0),
    BaggingClassifier(n_estimators=3, random_state=0),
    AdaBoostClassifier(n_estimators=4, random_state=0),
    GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
    HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3),
]
OTHERS = [
    LogisticRegression(C=10),
    RidgeClassifier(),
    LinearSVC(),
    SVC(kernel="linear"),
    GaussianNB(),
    KNeighborsClassifier(1),
    KNeighborsClassifier(3),
]
STEPS = [[], [StandardScaler()], [MinMaxScaler((-1, 1))], [RobustScaler()]]


@st.composite
def cases(draw):
    """Model, samples, labels and threat model."""
    X, y = data(draw(st.integers(0, 30)), draw(st.integers(2, 3)))
    model = draw(st.sampled_from(TREES + OTHERS))
    steps = draw(st.sampled_from(STEPS if model in TREES else [*STEPS, [PCA(2)]]))
    if draw(st.booleans()):  # values on a grid lie on thresholds and on the sphere
        X = np.round(X * 8).astype(np.float32) / 8
    double = X.astype(np.float64) if draw(st.booleans()) else X
    norm = draw(st.sampled_from(["linf", "l2", "l1"]))
    eps = draw(st.sampled_from([1 / 64, 0.03, 1 / 16, 0.1, 1 / 8, 0.25]))
    params = {"eps": eps, "norm": norm, "bounds": draw(st.sampled_from([None, "auto"]))}
    if draw(st.booleans()):
        params["mask"] = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True))
    return make_pipeline(*steps, model).fit(double, y), X, y, params


def moves(X, params, rng):
    """Points of the ball, many of them on its corners and edges."""
    threat = ThreatModel(**params).on(X)
    for _ in range(25):
        far = X + threat.eps * rng.choice([-1, 0, 1], X.shape)
        near = np.nextafter(far.astype(np.float32), X)
        for points in (far, near, X + threat.eps * rng.uniform(-1, 1, X.shape)):
            yield threat.project(np.where(threat.radius > 0, points, X), X)


def check(case, seed):
    """Attack everything that is certified; return how many samples were."""
    model, X, y, params = case
    rows = np.arange(0, len(X), 3)
    X, y = X[rows], y[rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quick = Square(max_iter=2, random_state=0)
        result = robust_bounds(model, X, y, **params, attack=quick, time_limit=0.3)
        assert (result.certified <= result.attacked).all()
        safe = result.certified
        if not safe.any():
            return 0
        X, y = X[safe], y[safe]
        attacks = [Square(**params, max_iter=30, random_state=seed)]
        if open_model(model).differentiable:
            attacks.append(PGD(**params, max_iter=20, loss="margin", random_state=seed))
        for attack in attacks:
            assert not attack.evaluate(model, X, y).fooled.any(), (model, params, attack)
        for points in moves(X, params, np.random.default_rng(seed)):
            assert (model.predict(points) == y).all(), (model, params)
    return int(safe.sum())


@settings(max_examples=8, deadline=None, derandomize=True)
@given(cases(), st.integers(0, 1000))
def test_no_attack_fools_a_certified_sample(case, seed):
    check(case, seed)


@pytest.mark.slow
def test_no_attack_fools_any_of_5000_certified_samples():
    certified = [0]

    @settings(max_examples=450, deadline=None)
    @given(cases(), st.integers(0, 1000))
    def search(case, seed):
        certified[0] += check(case, seed)

    search()
    print(certified[0], "certified samples")
    assert certified[0] >= 5000
