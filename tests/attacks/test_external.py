"""Attacks of other libraries, by stand-ins of the same protocol and by the libraries themselves."""

import copy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust.attacks import FGSM, External, WorstCase, to_art, to_foolbox
from sklearn_robust.metrics import make_robust_scorer, robust_score, robustness_report
from tests.cases import blobs

X, Y = blobs(60, labels=(0, 1, 2))
EPS = 0.1


@pytest.fixture(scope="module")
def model():
    return make_pipeline(StandardScaler(), LogisticRegression(C=10)).fit(X, Y)


def gradient_step(model, x, y, size):
    x = x.clone().requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(model(x), y, reduction="sum")
    return x.detach() + size * torch.autograd.grad(loss, x)[0].sign()


def function(model, x, y):
    return gradient_step(model, x, y, EPS)


class TorchAttack:
    """As torchattacks: bound to a model, called with images in [0, 1] and labels."""

    def __init__(self, model, eps=8 / 255):
        self.model, self.device, self.eps = model, torch.device("cpu"), eps

    def __call__(self, inputs, labels):
        assert not self.model.training and inputs.min() >= 0 and inputs.max() <= 1
        return gradient_step(self.model, inputs, labels, self.eps).clamp(0, 1)


class FoolboxAttack:
    """As foolbox: called with a wrapped model, and told the radius."""

    def __call__(self, model, inputs, criterion, *, epsilons, **kwargs):
        x_adv = gradient_step(model, inputs, criterion, epsilons).clamp(*model.bounds)
        return x_adv, x_adv, model(x_adv).argmax(1) != criterion


class ArtAttack:
    """As the evasion attacks of ART: bound to a classifier, arrays in and out."""

    def __init__(self, estimator, eps=0.3):
        self._estimator, self.eps = estimator, eps

    @property
    def estimator(self):
        return self._estimator

    def generate(self, x, y=None):
        labels = torch.as_tensor(y.argmax(1))
        moved = gradient_step(self.estimator.model, torch.as_tensor(x), labels, self.eps)
        return moved.clip(*self.estimator.clip_values).numpy()


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, request):
    """Libraries of the same names, with as much as is used."""
    if "oracles" in request.keywords:
        return
    foolbox = SimpleNamespace(
        PyTorchModel=type(
            "PyTorchModel",
            (),
            {
                "__init__": lambda self, model, bounds, device: vars(self).update(
                    model=model, bounds=bounds
                ),
                "__call__": lambda self, x: self.model(x),
            },
        )
    )
    art = SimpleNamespace(PyTorchClassifier=lambda **given: SimpleNamespace(**given))
    monkeypatch.setitem(sys.modules, "foolbox", foolbox)
    for name in ("art", "art.estimators", "art.estimators.classification"):
        monkeypatch.setitem(sys.modules, name, art)


STAND_INS = {
    "function": function,
    "torchattacks": TorchAttack(torch.nn.Identity()),
    "foolbox": FoolboxAttack(),
    "art": ArtAttack(None),
}


@pytest.mark.parametrize("library", STAND_INS)
def test_every_library_finds_what_one_step_finds(model, library):
    attack = External(STAND_INS[library], eps=EPS)
    found = attack.evaluate(model, X, Y)
    want = FGSM(eps=EPS).evaluate(model, X, Y)
    np.testing.assert_allclose(found.X_adv[want.fooled], want.X_adv[want.fooled], atol=1e-6)
    np.testing.assert_array_equal(found.fooled, want.fooled)
    assert 0 < found.fooled.mean() < 1 and (found.n_queries >= 1).all()
    assert (model.predict(found.X_adv) != Y)[found.fooled].all()


def test_attacks_inside_attacks_get_the_model_and_the_radius_too(model):
    """As the cascades of torchattacks, and ART's PGD, which holds another one."""

    class Cascade(TorchAttack):
        def __init__(self, members):
            super().__init__(None, eps=0.0)
            self.members, self.by_name = members, {"first": members[0]}

        def __call__(self, inputs, labels):
            assert self.by_name["first"] is self.members[0]
            return self.members[0](inputs, labels)

    class Shell(ArtAttack):
        def __init__(self, inner):
            super().__init__(None)
            self._attack = inner

        def generate(self, x, y=None):
            return self._attack.generate(x, y)

    want = FGSM(eps=EPS).evaluate(model, X, Y).fooled
    for attack in (Cascade([TorchAttack(None, eps=0.001)]), Shell(ArtAttack(None, eps=0.001))):
        found = External(attack, eps=EPS).evaluate(model, X, Y)
        np.testing.assert_array_equal(found.fooled, want)


@pytest.mark.parametrize("library", ["torchattacks", "art"])
def test_the_other_attack_is_left_as_it_was(model, library):
    before = copy.copy(vars(STAND_INS[library]))
    External(STAND_INS[library], eps=EPS).generate(model, X, Y)
    assert vars(STAND_INS[library]) == before


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_points_are_put_into_ball_and_box(model, norm):
    attack = External(lambda model, x, y: x + 5, eps=EPS, norm=norm)
    X_adv = attack.generate(model, X, Y)
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    assert (np.linalg.norm(X_adv.astype(float) - X, order, axis=1) <= EPS * (1 + 1e-6)).all()
    assert X_adv.min() >= 0 and X_adv.max() <= 1
    if norm == "linf":
        assert (np.abs(X_adv.astype(float) - X) <= EPS).all()


def test_a_success_that_predict_denies_does_not_count(model):
    assert not External(lambda model, x, y: x, eps=EPS).evaluate(model, X, Y).fooled.any()
    nan = External(lambda model, x, y: x * torch.nan, eps=EPS).evaluate(model, X, Y)
    assert not nan.fooled.any() and np.isfinite(nan.X_adv).all()


def test_masks_and_radii_by_feature_hold(model):
    eps = np.array([0.1, 0.2, 0.0, 0.05])
    X_adv = External(function, eps=eps, mask=[0, 2, 3]).generate(model, X, Y)
    assert (np.abs(X_adv.astype(float) - X) <= eps * [1, 0, 1, 1]).all()


def test_it_works_wherever_attacks_do(model):
    attack = External(function, eps=EPS)
    assert clone(attack).attack is function
    score = robust_score(model, X, Y, attack=attack)
    assert make_robust_scorer(attack)(model, X, Y) == score
    assert attack.set_params(estimator=model).fit(X, Y).transform(X).shape == X.shape
    report = robustness_report(model, X, Y, attack=attack, output_dict=True)
    assert report["attacks"] == {"External": score}
    both = WorstCase([FGSM(), attack], eps=EPS)
    assert robust_score(model, X, Y, attack=both) <= score


def test_models_without_a_gradient_need_a_black_box():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)

    def corners(model, x, y):
        moved = [x + EPS * sign for sign in (1, -1)]
        gains = torch.stack([-model(m).gather(1, y[:, None])[:, 0] for m in moved])
        return torch.stack(moved)[gains.argmax(0), torch.arange(len(x))]

    with pytest.raises(TypeError, match="gradient"):
        robust_score(forest, X, Y, attack=External(corners, eps=EPS))
    attack = External(corners, eps=EPS, black_box=True)
    assert robust_score(forest, X, Y, attack=attack) < forest.score(X, Y)


def test_numpys_generator_is_seeded_and_left_alone(model):
    def noisy(model, x, y):
        return x + torch.as_tensor(np.random.uniform(-EPS, EPS, x.shape), dtype=x.dtype)

    np.random.seed(7)
    state = np.random.get_state()[1].copy()
    attack = External(noisy, eps=EPS, random_state=3)
    np.testing.assert_array_equal(attack.generate(model, X, Y), attack.generate(model, X, Y))
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("attack", [None, TorchAttack, 3, "pgd"])
def test_what_is_no_attack_is_refused(model, attack):
    with pytest.raises(TypeError, match="give an attack of foolbox, torchattacks or ART, or"):
        External(attack, eps=EPS).generate(model, X, Y)


def test_a_function_takes_model_samples_and_labels(model):
    with pytest.raises(ValueError, match="give a function of .model, x, y."):
        External(lambda x: x, eps=EPS).generate(model, X, Y)


def test_a_point_for_each_sample_is_wanted(model):
    with pytest.raises(ValueError, match=r"returned points of shape \(3, 4\) for samples of shape"):
        External(lambda model, x, y: x[:3], eps=EPS).generate(model, X, Y)


def test_estimators_go_to_other_libraries(model):
    classifier = to_art(model, bounds=(0, 1))
    assert classifier.nb_classes == 3 and classifier.input_shape == (4,)
    assert classifier.clip_values == (0, 1) and classifier.device_type == "cpu"
    logits = model[-1].decision_function(model[:-1].transform(X))
    for z in (classifier.model(torch.as_tensor(X)), to_foolbox(model)(torch.as_tensor(X))):
        np.testing.assert_allclose(z - z.mean(1, keepdim=True), logits, atol=1e-4)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    with pytest.raises(ValueError, match="accepts samples of any shape: give that of one"):
        to_art(module)
    assert to_art(module, input_shape=(1, 2, 2)).nb_classes == 2


@pytest.mark.oracles
def test_foolbox_itself(model):
    foolbox = pytest.importorskip("foolbox")
    found = External(foolbox.attacks.LinfPGD(rel_stepsize=0.1), eps=EPS).evaluate(model, X, Y)
    assert found.fooled.mean() >= FGSM(eps=EPS).evaluate(model, X, Y).fooled.mean()
    assert to_foolbox(model)(torch.as_tensor(X)).shape == (60, 3)


@pytest.mark.oracles
def test_torchattacks_itself(model):
    torchattacks = pytest.importorskip("torchattacks")
    linear = torch.nn.Linear(4, 3)
    for attack in (
        torchattacks.PGD(linear, eps=0.01, alpha=0.02, steps=20),
        torchattacks.MultiAttack([torchattacks.FGSM(linear, eps=0.01) for _ in range(2)]),
    ):
        found = External(attack, eps=EPS).evaluate(model, X, Y)
        assert found.fooled.mean() >= FGSM(eps=EPS).evaluate(model, X, Y).fooled.mean()


@pytest.mark.oracles
def test_art_itself(model):
    evasion = pytest.importorskip("art.attacks.evasion")
    attack = evasion.ProjectedGradientDescent(to_art(model, bounds=(0, 1)), eps=0.01, verbose=False)
    found = External(attack, eps=EPS).evaluate(model, X, Y)
    assert found.fooled.mean() >= FGSM(eps=EPS).evaluate(model, X, Y).fooled.mean()
