"""Robust accuracy: closed forms on linear models, and what must not change a verdict."""

from unittest import mock

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import BIM, FGSM, MIFGSM, PGD, Square, TreeAttack, WorstCase
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.exceptions import BlackBoxWarning, NotDifferentiableError, UnitsWarning
from sklearn_robust.metrics import prediction_stability, robustness_curve
from tests.cases import Normalised, blobs, generators_untouched, quick, same_state, state_of

ORDERS = {"linf": 1, "l2": 2, "l1": np.inf}  # of the dual norm


def clouds(n_samples=120, n_features=6, scales=1.0, seed=0):
    """Two overlapping clouds, in features whose units differ."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % 2
    X = rng.standard_normal((n_samples, n_features)) + 0.9 * (2 * y[:, None] - 1)
    return (X * scales).astype(np.float32), np.array(["no", "yes"])[y]


SCALES = np.array([1, 30, 0.1, 2, 5, 0.5])
X, Y = clouds(scales=SCALES)
PIPELINES = {
    "plain": (),
    "standardised": (StandardScaler(),),
    "standardised and rotated": (StandardScaler(), PCA(4)),
    "rotated and whitened": (PCA(5, whiten=True), StandardScaler()),
    "other scalers": (MaxAbsScaler(), RobustScaler(), MinMaxScaler(), FunctionTransformer()),
}


def slope_in_users_units(model):
    """Weights of the decision function with respect to the X the user holds, by differences."""
    origin = np.zeros((1, X.shape[1]))
    at_origin = model.decision_function(origin)
    return model.decision_function(np.eye(X.shape[1])) - at_origin


@pytest.mark.parametrize("norm", ORDERS)
@pytest.mark.parametrize("steps", PIPELINES)
def test_eps_is_in_the_units_of_the_x_the_user_holds(steps, norm):
    """On a linear pipeline a sample withstands if its margin exceeds eps times the dual norm."""
    model = make_pipeline(*PIPELINES[steps], LogisticRegression(C=0.1)).fit(X, Y)
    slope = slope_in_users_units(model)
    sign = np.where(Y == "yes", 1, -1)
    reach = sign * model.decision_function(X) / np.linalg.norm(slope, ORDERS[norm])
    for eps in np.quantile(reach[reach > 0], [0.1, 0.4, 0.8]):
        # A near tie may fall either way.
        wanted = (np.mean(reach > 1.02 * eps), np.mean(reach > 0.98 * eps))
        attack = PGD(eps=eps, norm=norm, bounds=None, max_iter=40, random_state=0)
        score = robust_score(model, X, Y, attack=attack)
        assert wanted[0] <= score <= wanted[1]


def test_one_eps_a_feature_makes_an_uneven_ball():
    model = LogisticRegression(C=0.1).fit(X, Y)
    sign = np.where(Y == "yes", 1, -1)
    eps = 0.3 * SCALES
    wanted = np.mean(sign * model.decision_function(X) > np.abs(model.coef_[0]) @ eps)
    attack = PGD(eps=eps, bounds=None, random_state=0)
    assert robust_score(model, X, Y, attack=attack) == pytest.approx(wanted, abs=1.5 / len(X))


# -- order of magnitude: clean, member, worst case -----------------------------------------------

MEMBERS = [FGSM(), BIM(), MIFGSM(), PGD(random_state=0), PGD(loss="margin", random_state=0)]


@pytest.fixture(scope="module")
def digits():
    """A few images, and a net that is right on most of them but not robust."""
    images, y = load_digits_images()
    images, y = images[:300], y[:300]
    net = NaturalNet(max_epochs=8, random_state=0, module__hidden=16, module__channels=(4, 8))
    return net.fit(images, y), images[100:], y[100:]


@pytest.mark.parametrize("attack", [None, *MEMBERS, WorstCase(random_state=0)], ids=repr)
@pytest.mark.parametrize("eps", [0.0, 0.03, 0.3])
def test_robust_accuracy_is_never_above_accuracy(digits, attack, eps):
    net, images, y = digits
    attack = None if attack is None else type(attack)(**{**attack.get_params(False), "eps": eps})
    score = robust_score(net, images, y, attack=attack)
    assert isinstance(score, float)
    clean = net.score(images, y)
    assert score == clean if attack is not None and eps == 0 else score <= clean


@pytest.mark.parametrize("eps", [0.03, 0.06])
def test_the_worst_case_is_at_most_each_member(digits, eps):
    net, images, y = digits
    worst = robust_score(net, images, y, attack=WorstCase(MEMBERS, eps=eps, random_state=0))
    for attack in MEMBERS:
        assert worst <= robust_score(net, images, y, attack=WorstCase([attack], eps=eps))


def test_the_default_is_the_worst_case_at_8_255_whatever_a_net_was_trained_with(digits):
    _, images, y = digits
    net = quick(MinMaxNet, attack__eps=0.5, attack__max_iter=2).fit(images[:50], y[:50])
    wanted = robust_score(net, images, y, attack=WorstCase(eps=8 / 255, random_state=0))
    assert robust_score(net, images, y) == wanted


def test_a_clean_error_is_a_robust_error():
    model = LogisticRegression().fit(X, Y)
    wrong = model.predict(X) != Y
    attack = PGD(eps=0.0, random_state=0)
    assert robust_score(model, X[wrong], Y[wrong], attack=attack) == 0
    assert robust_score(model, X, Y, attack=attack) == model.score(X, Y)


def test_a_weak_model_costs_little():
    """Samples that are wrong to begin with are not attacked; a few are looked at."""

    class Counted(nn.Linear):
        seen = 0

        def forward(self, x):
            Counted.seen += len(x) * torch.is_grad_enabled()
            return super().forward(x)

    net = NaturalNet.from_module(Counted(6, 2), classes=["no", "yes"])
    flipped = np.where(net.predict(X) == "no", "yes", "no")
    Counted.seen = 0
    assert robust_score(net, X, flipped, attack=WorstCase(eps=0.1, random_state=0)) == 0
    assert Counted.seen <= 8 < len(X)


# -- what must not change a verdict --------------------------------------------------------------


def verdict(attack, module, x, y, batch_size=None):
    size = batch_size or len(x)
    parts = [
        attack.robust_mask(module, x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)
    ]
    return torch.cat(parts)


@pytest.mark.parametrize("norm", ORDERS)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_batch_size_changes_no_verdict_of_a_linear_model_in_float64(batch_size, norm):
    module = nn.Linear(4, 3).double()
    samples, labels = blobs(60 if batch_size > 1 else 20, labels=(0, 1, 2))
    x, y = torch.tensor(samples, dtype=torch.float64), torch.tensor(labels)
    members = [PGD(loss=loss) for loss in ("cross_entropy", "margin", "scaled_cross_entropy")]
    eps = {"linf": 0.1, "l2": 0.2, "l1": 0.3}[norm]
    attack = WorstCase(members, eps=eps, norm=norm, bounds=(0, 1), random_state=0)
    whole = verdict(attack, module, x, y)
    assert whole.any() and not whole.all()
    assert torch.equal(verdict(attack, module, x, y, batch_size), whole)


@pytest.mark.parametrize("n_restarts", [1, 2])
def test_neither_batch_size_nor_order_nor_processes_change_a_verdict(digits, n_restarts):
    net, images, y = digits
    attack = PGD(eps=0.05, n_restarts=n_restarts, random_state=0)

    def fooled(order=slice(None), **params):
        found = np.empty(len(y), dtype=bool)
        chosen = PGD(**{**attack.get_params(False), **params})
        found[order] = chosen.evaluate(net, images[order], y[order]).fooled
        return found

    whole = fooled()
    assert 0.1 < whole.mean() < 0.95
    order = np.random.default_rng(0).permutation(len(y))
    np.testing.assert_array_equal(fooled(order), whole)
    for batch_size in (7, 64):
        assert np.mean(fooled(batch_size=batch_size) != whole) <= 0.001


def test_processes_share_the_samples_and_agree(digits):
    net, images, y = digits
    attack = PGD(eps=0.05, random_state=0)
    alone = robust_score(net, images, y, attack=attack)
    assert robust_score(net, images, y, attack=attack, n_jobs=2) == alone


def test_the_box_is_that_of_all_samples_whoever_attacks_them():
    """Only the first sample leaves the unit cube, so none has a box, in any process."""
    samples, labels = blobs(40)
    samples[0] -= 5
    model = LogisticRegression().fit(samples, labels)
    attack = PGD(eps=0.6, random_state=0)
    with joblib.parallel_config(backend="threading"):
        shared = robust_score(model, samples, labels, attack=attack, n_jobs=4)
    assert shared == robust_score(model, samples, labels, attack=attack)
    open_box = PGD(eps=0.6, bounds=None, random_state=0)
    assert shared == robust_score(model, samples, labels, attack=open_box)


def test_the_same_seed_gives_the_same_score_and_a_generator_is_not_used_up():
    model = LogisticRegression().fit(X, Y)
    generator = np.random.RandomState(0)
    attack = PGD(eps=0.3, max_iter=1, random_state=generator)
    scores = {robust_score(model, X, Y, attack=attack) for _ in range(3)}
    assert len(scores) == 1
    assert generator.randint(1000) == np.random.RandomState(0).randint(1000)


@pytest.mark.parametrize("score", [robust_score, prediction_stability])
@pytest.mark.parametrize("attack", [None, PGD(eps=0.1)], ids=repr)
def test_scoring_leaves_net_data_and_generators_as_they_were(score, attack):
    samples, labels = blobs()
    net = quick(NaturalNet, module=Normalised).fit(samples, labels)
    net.module_.train()
    before, copy = state_of(net.module_), samples.copy()
    with generators_untouched():
        score(net, samples, labels, attack=attack)
    same_state(net.module_, before)
    np.testing.assert_array_equal(samples, copy)


# -- what may be scored --------------------------------------------------------------------------


def test_a_bare_module_of_logits_is_scored_by_its_columns():
    samples, labels = blobs()
    net = quick(NaturalNet).fit(samples, labels)
    attack = PGD(eps=0.05, random_state=0)
    wanted = robust_score(net, samples, labels, attack=attack)
    assert robust_score(net.module_, samples, labels, attack=attack) == wanted


@pytest.mark.parametrize("kind", [torch.tensor, list, pd.DataFrame], ids=lambda k: k.__name__)
def test_the_container_of_the_data_makes_no_difference(kind):
    samples, labels = blobs()
    net = quick(NaturalNet).fit(samples, labels)
    attack = PGD(eps=0.05, random_state=0)
    wanted = robust_score(net, samples, labels, attack=attack)
    held = (kind(samples), pd.Series(labels) if kind is pd.DataFrame else kind(labels))
    assert robust_score(net, *held, attack=attack) == wanted


def test_a_pipeline_that_was_fitted_on_a_frame_is_scored_on_frames():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    scores = [
        robust_score(make_pipeline(StandardScaler(), model).fit(data, Y), data, Y, attack=attack)
        for model in (LogisticRegression(), quick(NaturalNet))
        for data in (frame, X)
    ]
    assert scores[0] == scores[1] and scores[2] == scores[3]


def test_sample_weights_weigh_the_samples():
    model = LogisticRegression().fit(X, Y)
    attack = PGD(eps=0.1, random_state=0)
    half = np.arange(len(Y)) < len(Y) // 2
    wanted = robust_score(model, X[half], Y[half], attack=attack)
    found = robust_score(model, X, Y, attack=attack, sample_weight=half.astype(float))
    assert found == pytest.approx(wanted)
    with pytest.raises(ValueError, match="one finite number of at least 0 for each of the 120"):
        robust_score(model, X, Y, attack=attack, sample_weight=[1, 2])


class Undefined(nn.Module):
    """Logits that are NaN where the first feature exceeds 9."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, x):
        return torch.where(x[:, :1] > 9, torch.nan, self.layer(x))


JUDGES = {
    "score": lambda net, y, attack: robust_score(net, X[:40], y, attack=attack),
    "shared": lambda net, y, attack: robust_score(net, X[:40], y, attack=attack, n_jobs=3),
    "curve": lambda net, y, attack: robustness_curve(
        net, X[:40], y, eps=[0.1, 5.0, 0.01], attack=attack
    ),
    "stability": lambda net, y, attack: prediction_stability(net, X[:40], attack=attack),
}
SEEKERS = [
    PGD(eps=0.1, bounds=None, random_state=0),
    Square(eps=0.1, bounds=None, random_state=0, max_iter=5),
    WorstCase([FGSM(), PGD()], eps=0.1, bounds=None, random_state=0),
]


@pytest.mark.parametrize("attack", SEEKERS, ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize("judge", JUDGES)
def test_nan_logits_are_an_error_that_names_the_sample_as_the_user_counts(judge, attack):
    """Clean errors, other processes and smaller radii leave the numbers as they are."""
    torch.manual_seed(0)
    net = NaturalNet.from_module(Undefined(), classes=["no", "yes"])
    samples, y = X[:40].copy(), net.predict(X[:40])
    y[:7] = np.where(y[:7] == "no", "yes", "no")
    samples[31, 0], y[31] = 10, "no"  # predict takes NaN for the first class
    with (
        joblib.parallel_config(backend="threading"),
        mock.patch.dict(globals(), X=samples),
        pytest.raises(ValueError, match="NaN for sample 31 .*on_nan='robust'"),
    ):
        JUDGES[judge](net, y, attack)


# -- stability -----------------------------------------------------------------------------------


def test_stability_needs_no_labels_and_is_the_robustness_of_the_predictions(digits):
    net, images, y = digits
    attack = PGD(eps=0.05, random_state=0)
    stable = prediction_stability(net, images, attack=attack)
    assert stable == prediction_stability(net, images, y[::-1], attack=attack)
    assert stable == robust_score(net, images, net.predict(images), attack=attack)
    robust, clean = robust_score(net, images, y, attack=attack), net.score(images, y)
    assert clean + stable - 1 - 1e-12 <= robust <= stable
    assert prediction_stability(net, images, attack=PGD(eps=0.0)) == 1


@pytest.mark.filterwarnings("ignore::sklearn_robust.exceptions.ZeroGradientWarning")
def test_a_constant_model_is_stable():
    module = nn.Linear(6, 2)
    nn.init.zeros_(module.weight)
    net = NaturalNet.from_module(module, classes=["no", "yes"])
    assert prediction_stability(net, X, attack=PGD(eps=9, bounds=None)) == 1


# -- models without a gradient -------------------------------------------------------------------


@pytest.fixture(scope="module")
def tree():
    samples, labels = blobs(40)
    return DecisionTreeClassifier(random_state=0).fit(samples, labels), samples, labels


def test_a_model_without_a_gradient_is_scored_by_its_scores_with_a_warning(monkeypatch):
    samples, labels = blobs(40)
    model = KNeighborsClassifier(3).fit(samples, labels)
    attack = Square(max_iter=20, random_state=0)
    wanted = robust_score(model, samples, labels, attack=attack)
    monkeypatch.setattr("sklearn_robust.attacks._evaluation.Square", lambda random_state: attack)
    with pytest.warns(BlackBoxWarning, match="KNeighborsClassifier has no gradient: Square"):
        assert robust_score(model, samples, labels) == wanted


def test_trees_are_searched_exactly_without_a_warning(tree):
    model, samples, labels = tree
    exact = robust_score(model, samples, labels)
    assert exact == robust_score(model, samples, labels, attack=TreeAttack())
    assert exact <= robust_score(model, samples, labels, attack=Square(random_state=0))


STEPPED = [
    KNeighborsClassifier(3),
    make_pipeline(KBinsDiscretizer(5, encode="ordinal", strategy="uniform"), LogisticRegression()),
    VotingClassifier(
        [("tree", DecisionTreeClassifier()), ("line", LogisticRegression())], voting="soft"
    ),
]


@pytest.mark.parametrize("model", STEPPED, ids=lambda model: type(model).__name__)
def test_what_has_no_gradient_has_a_score_that_is_an_upper_bound(model, monkeypatch):
    samples, labels = blobs(40, labels=("a", "b", "c"))
    samples = samples.round(1)
    short = Square(eps=0.2, max_iter=20, random_state=0)
    monkeypatch.setattr("sklearn_robust.attacks._evaluation.Square", lambda random_state: short)
    model = model.fit(samples, labels)
    name = type(model).__name__
    with pytest.warns(BlackBoxWarning, match=f"{name} has no gradient: .*upper bound"):
        score = robust_score(model, samples, labels)
    assert score < model.score(samples, labels)


def test_a_gradient_attack_on_a_model_without_one_is_refused(tree):
    with pytest.raises(
        NotDifferentiableError, match="DecisionTreeClassifier predicts by trees, .*no gradient"
    ):
        robust_score(*tree, attack=PGD(eps=0.1))


def test_a_step_that_cannot_be_differentiated_is_named():
    class Opaque(FunctionTransformer):
        pass

    model = make_pipeline(StandardScaler(), Opaque(np.cbrt), LogisticRegression()).fit(X, Y)
    with pytest.raises(NotDifferentiableError, match="Step 'opaque' .*register"):
        robust_score(model, X, Y, attack=PGD(eps=0.1))


# -- what makes no sense -------------------------------------------------------------------------

SPOILED = X.copy()
SPOILED[2, 1] = np.nan

BAD = [
    ({"attack": PGD}, TypeError, "attack is <class .*PGD'>; give an attack instance"),
    ({"attack": "pgd"}, TypeError, "attack is 'pgd'; give an attack instance"),
    ({"attack": PGD(targeted=True)}, ValueError, "A targeted attack does not measure robustness"),
    ({"attack": PGD(eps=-0.1)}, ValueError, "eps is -0.1"),
    ({"attack": PGD(eps=np.nan)}, ValueError, "eps is nan"),
    ({"attack": PGD(eps="0.1")}, ValueError, "eps is '0.1'; give a finite radius"),
    ({"attack": PGD(eps=True)}, ValueError, "eps is True; give a finite radius"),
    ({"attack": PGD(eps=[0.1] * 7)}, ValueError, r"eps has shape \(7,\), but the samples have sha"),
    (
        {"attack": PGD(mask=[True] * 7)},
        ValueError,
        r"mask has shape \(7,\) and dtype bool, but the",
    ),
    ({"attack": PGD(norm="l7")}, ValueError, "norm is 'l7'"),
    ({"attack": PGD(norm="l2")}, ValueError, "eps must be given for norm='l2'"),
    ({"attack": PGD(loss="hinge")}, ValueError, "loss is 'hinge'; choose one of"),
    ({"attack": PGD(max_iter=0)}, ValueError, "max_iter is 0"),
    ({"attack": PGD(bounds=(0, 1))}, ValueError, r"X spans .* and leaves bounds=\(0, 1\)"),
    ({"X": SPOILED}, ValueError, "Input X contains NaN"),
    ({"X": np.where(SPOILED == SPOILED, X, np.inf)}, ValueError, "Input X contains infinity"),
    ({"X": X[:, :5]}, ValueError, "X has 5 features, but LogisticRegression was fitted on 6"),
    ({"X": np.full(X.shape, 9, np.uint8)}, ValueError, "divide by 255"),
    ({"y": Y[:5]}, ValueError, "X has 120 samples and y has 5 labels"),
    ({"y": np.full(len(Y), "maybe")}, ValueError, r"labels that .* was not fitted on: \['maybe'\]"),
]


@pytest.mark.parametrize(("changed", "error", "match"), BAD, ids=[match for *_, match in BAD])
def test_what_makes_no_sense_is_refused(changed, error, match):
    given = {"X": X, "y": Y, "attack": PGD(eps=0.1), **changed}
    with pytest.raises(error, match=match):
        robust_score(LogisticRegression().fit(X, Y), given.pop("X"), given.pop("y"), **given)


def test_eps_replaces_that_of_the_attack():
    X, y = blobs(60, labels=(0, 1, 2))
    model = LogisticRegression().fit(X, y)
    for attack in (None, PGD(eps=0.5, random_state=0)):
        named = (WorstCase(random_state=0) if attack is None else attack).set_params(eps=0.07)
        want = robust_score(model, X, y, attack=named)
        assert robust_score(model, X, y, attack=attack, eps=0.07) == want
    eps = np.array([0.0, 0.1, 0.1, 0.0])
    want = robust_score(model, X, y, attack=WorstCase(eps=eps, random_state=0))
    assert robust_score(model, X, y, eps=eps) == want


def test_the_default_radius_is_not_used_in_silence_on_data_of_other_units():
    X, y = blobs(60)
    model = LogisticRegression().fit(1e4 * X, y)
    with pytest.warns(UnitsWarning, match="8/255"):
        robust_score(model, 1e4 * X, y)
    robust_score(model, 1e4 * X, y, eps=8 / 255 * 10)
    robust_score(model, X, y)
