"""The one loop of robust accuracy: against closed forms, each kind of caller, and bad input."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_robust
from sklearn_robust import robust_score
from sklearn_robust.attacks import (
    FAB,
    FGSM,
    PGD,
    DeepFool,
    Square,
    TreeAttack,
    WorstCase,
    _worst_case,
)
from sklearn_robust.attacks._evaluation import (
    choose_attack,
    minimal_distances,
    open_samples,
    robust_mask,
    robust_mask_of_batches,
)
from sklearn_robust.differentiable import Model, as_module, open_model
from sklearn_robust.exceptions import BlackBoxWarning, NotDifferentiableError
from sklearn_robust.metrics import prediction_stability, robustness_curve, robustness_report
from sklearn_robust.report._attack import attack_model
from sklearn_robust.spectral import make_regularization_scorer
from tests.cases import blobs

X, Y = blobs(60, labels=("no", "yes"))
LINE = LogisticRegression(C=30).fit(X, Y)
MODEL = open_model(LINE)
CODES = (Y == "yes").astype(np.int64)
EPS = 0.08


def exact(eps=EPS, codes=CODES):
    """Which samples a linear model keeps in a linf ball, in closed form."""
    gap = (2 * codes - 1) * (X.astype(float) @ LINE.coef_[0] + LINE.intercept_[0])
    return gap > eps * np.abs(LINE.coef_).sum()


@pytest.mark.parametrize(
    "attack", [FGSM(), PGD(random_state=0), WorstCase(random_state=0)], ids=str
)
def test_the_mask_of_a_linear_model_is_known(attack):
    attack.set_params(eps=EPS, bounds=None)
    assert 0 < exact().mean() < 1
    assert np.array_equal(robust_mask(MODEL, X, CODES, attack), exact())


def test_without_labels_the_predicted_ones_are_kept():
    attack = FGSM(eps=EPS, bounds=None)
    predicted = MODEL.predict_codes(X)
    assert np.array_equal(robust_mask(MODEL, X, None, attack), exact(codes=predicted))


def test_only_samples_known_to_be_correct_are_attacked():
    correct = np.arange(len(X)) % 2 == 0
    robust = robust_mask(MODEL, X, CODES, FGSM(eps=0.0), correct=correct)
    assert np.array_equal(robust, correct & (MODEL.predict_codes(X) == CODES))
    assert not robust_mask(MODEL, X, CODES, FGSM(eps=0.0), correct=~(correct | True)).any()


def test_distances_of_a_linear_model_are_known():
    gap = (2 * CODES - 1) * (X.astype(float) @ LINE.coef_[0] + LINE.intercept_[0])
    wanted = np.maximum(gap, 0) / np.linalg.norm(LINE.coef_)
    found = minimal_distances(MODEL, X, CODES, DeepFool(norm="l2", bounds=None))
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-6)


def test_an_attack_is_left_as_it_is():
    attack = PGD(eps=EPS, random_state=np.random.RandomState(0))
    before = repr(attack), attack.random_state.get_state()[1].tolist()
    robust_mask(MODEL, X, CODES, attack)
    assert (repr(attack), attack.random_state.get_state()[1].tolist()) == before


def test_every_caller_finds_the_same_samples():
    attack = PGD(eps=EPS, bounds=None, random_state=0)
    share = exact().mean()
    assert robust_score(LINE, X, Y, attack=attack) == share
    assert robustness_curve(LINE, X, Y, eps=[EPS], attack=attack)[0] == share
    assert robustness_report(LINE, X, Y, attack=attack, output_dict=True)["worst_case"] == share
    scores = make_regularization_scorer(attack, spectra=False)(LINE, X, Y)
    assert scores["robust_accuracy"] == pytest.approx(share)
    rounds = list(attack_model(LINE, X, Y, [EPS], seed=0, bounds=None, attacks={"pgd": attack}))
    assert np.array_equal(rounds[0]["pgd"], exact()) and len(rounds) == 1
    module, batches = as_module(LINE), torch.as_tensor(X).split(25)
    codes = torch.as_tensor(CODES).split(25)
    robust = robust_mask_of_batches(module, zip(batches, codes, strict=True), attack)
    assert np.array_equal(robust.numpy(), exact())


PIPE = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
CALLS = {
    "score": lambda: robust_score(PIPE, X, Y),
    "stability": lambda: prediction_stability(PIPE, X),
    "curve": lambda: robustness_curve(PIPE, X, Y, eps=[0, 0.1, 0.2, 0.4]),
    "nearest": lambda: robustness_curve(PIPE, X, Y, eps=[0.1, 0.2], attack=FAB(max_iter=5)),
    "report": lambda: robustness_report(PIPE, X[:20], Y[:20], attack=FGSM(eps=0.1)),
    "comparison": lambda: list(attack_model(PIPE, X, Y, [0.1, 0.2], seed=0, bounds=None)),
    "generate": lambda: PGD(eps=0.1).generate(PIPE, X, Y),
    "evaluate": lambda: WorstCase(eps=0.1).evaluate(PIPE, X, Y),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_opens_its_model_once(call, monkeypatch):
    opened, init = [], Model.__init__
    monkeypatch.setattr(Model, "__init__", lambda self, e: (opened.append(e), init(self, e))[1])
    CALLS[call]()
    assert opened == [PIPE]


def test_a_score_copies_few_attacks(monkeypatch):
    copies, clone = [], _worst_case.clone
    counting = lambda attack: (copies.append(attack), clone(attack))[1]  # noqa: E731
    monkeypatch.setattr(_worst_case, "clone", counting)
    robust_score(PIPE, X, Y, attack=WorstCase(batch_size=5, random_state=0))
    assert len(copies) <= 12


def test_the_gradient_is_near_the_call():
    """From a score to the first gradient it takes at most 300 calls of our functions."""
    import sys

    root, calls = sklearn_robust.__path__[0], []

    class Reached(Exception):
        pass

    def count(frame, event, arg):
        if event == "call" and frame.f_code.co_filename.startswith(root):
            calls.append(frame.f_code)
            if frame.f_code.co_name == "input_gradient":
                raise Reached

    try:
        sys.setprofile(count)
        with pytest.raises(Reached):
            robust_score(PIPE, X, Y, attack=PGD(eps=0.1))
    finally:
        sys.setprofile(None)
    assert len(calls) <= 300


def test_none_means_the_worst_case_or_a_search_by_scores():
    assert isinstance(choose_attack(None, MODEL), WorstCase)
    forest = open_model(RandomForestClassifier(3, random_state=0).fit(X, Y))
    assert isinstance(choose_attack(None, forest), TreeAttack)
    neighbors = open_model(KNeighborsClassifier(3).fit(X, Y))
    with pytest.warns(BlackBoxWarning, match="KNeighborsClassifier has no gradient"):
        assert isinstance(choose_attack(None, neighbors), Square)
    with pytest.raises(NotDifferentiableError):
        choose_attack(PGD(), forest)
    with pytest.raises(TypeError, match="give an attack instance"):
        choose_attack(PGD, MODEL)


REFUSED = {
    "targeted": (PGD(eps=0.1, targeted=True), "targeted attack does not measure robustness"),
    "no radius": (FAB(), "FAB has no radius: give it an eps"),
    "norm": (PGD(eps=0.1, norm="l3"), "norm is 'l3'; choose 'linf', 'l2'"),
    "eps": (PGD(eps=-1), "eps is -1; give a finite radius"),
    "infinite": (PGD(eps=np.inf), "PGD has no radius: give it an eps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_attacks_that_measure_nothing_are_refused(case):
    attack, text = REFUSED[case]
    with pytest.raises(ValueError, match=text):
        robust_mask(MODEL, X, CODES, attack)


def test_samples_of_another_shape_or_number_are_refused():
    with pytest.raises(ValueError, match="X has 3 features"):
        open_samples(MODEL, X[:, :3], Y)
    with pytest.raises(ValueError, match="X has 60 samples and y has 59 labels"):
        open_samples(MODEL, X, Y[:-1])


def test_verdict_still_answers_with_a_warning():
    x, y = torch.as_tensor(X), torch.as_tensor(CODES)
    attack = FGSM(eps=EPS, bounds=None)
    with pytest.warns(FutureWarning, match="verdict is called robust_mask now"):
        old = attack.verdict(as_module(LINE), x, y)
    assert torch.equal(old, attack.robust_mask(as_module(LINE), x, y))
