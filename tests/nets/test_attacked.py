"""Every public attack against a net that has all an attack could disturb."""

import inspect

import numpy as np
import pytest
import torch

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import BIM, FGSM, SigmaZero, TreeAttack, WorstCase
from tests.cases import (
    ATTACKS as ALL,
)
from tests.cases import (
    Normalised,
    blobs,
    generators_untouched,
    quick,
    same_state,
    state_of,
)

X, Y = blobs(12)
ATTACKS = [attack for attack in ALL if attack is not TreeAttack]  # nets are no trees


def brief(attack, **params):
    """An attack of few steps."""
    short = {"max_iter": 4, "n_searches": 2}
    taken = inspect.signature(attack).parameters
    ball = {"eps": 2, "bounds": (-9, 9)} if attack is SigmaZero else {"eps": 0.1}
    return attack(**{k: v for k, v in short.items() if k in taken}, **{**ball, **params})


@pytest.fixture(scope="module")
def net():
    """A trained net whose module someone is training further, one layer kept still."""
    fitted = quick(NaturalNet, module=Normalised, lr=0.05, max_epochs=10).fit(X, Y)
    fitted.module_.train()
    fitted.module_[1].eval()
    return fitted


CALLS = {
    "generate": lambda attack, net: attack.generate(net, X, Y),
    "generate from predictions": lambda attack, net: attack.generate(net, X),
    "evaluate": lambda attack, net: attack.evaluate(net, X, Y),
    "perturb": lambda attack, net: attack.perturb(net.module_, torch.tensor(X), torch.tensor(Y)),
    "verdict": lambda attack, net: attack.robust_mask(
        net.module_, torch.tensor(X), torch.tensor(Y)
    ),
    "robust_score": lambda attack, net: robust_score(net, X, Y, attack=attack),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_leaves_net_data_and_generators_as_they_were(net, attack, call):
    before, data = state_of(net.module_), X.copy()
    with generators_untouched():
        CALLS[call](brief(attack), net)
    same_state(net.module_, before)
    np.testing.assert_array_equal(X, data)


@pytest.mark.parametrize("call", ["perturb", "verdict"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_that_fails_half_way_leaves_the_net_as_it_was(net, attack, call):
    def fail(*_):
        fail.left -= 1
        if fail.left < 0:
            raise ArithmeticError

    before = state_of(net.module_)
    for fail.left in (0, 1) if attack is not FGSM else (0,):  # FGSM looks once
        hook = net.module_[2].register_forward_hook(fail)
        try:
            with generators_untouched(), pytest.raises(ArithmeticError):
                CALLS[call](brief(attack), net)
        finally:
            hook.remove()
        same_state(net.module_, before)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_one_seed_gives_one_answer_whatever_the_global_generators(net, attack):
    found = []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        found.append(brief(attack, random_state=0).generate(net, X, Y))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "attack", [a for a in ATTACKS if a is not SigmaZero], ids=lambda attack: attack.__name__
)
def test_the_worst_case_with_an_attack_is_at_most_the_attack(net, attack):
    alone = brief(attack, eps=0.2)
    others = [FGSM(eps=0.2), WorstCase([BIM(eps=0.2)])]
    score = robust_score(net, X, Y, attack=WorstCase([alone], random_state=0))
    worst = robust_score(net, X, Y, attack=WorstCase([alone, *others], random_state=0))
    assert worst <= score <= net.score(X, Y)


class Contrary(NaturalNet):
    """A net that predicts by something else than its logits."""

    def predict(self, X):
        """Say the first class of everything."""
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("attack", [FGSM(eps=0.1), BIM(eps=0.1, max_iter=4)], ids=repr)
def test_a_verdict_is_that_of_predict_also_where_a_subclass_has_its_own(attack):
    net = quick(Contrary, module=Normalised).fit(X, Y)
    result = attack.evaluate(net, X, Y)
    np.testing.assert_array_equal(result.fooled, net.predict(result.X_adv) != Y)


def test_the_net_itself_judges_the_points_of_a_single_step_once(net, monkeypatch):
    right = net.predict(X) == Y
    looks = []
    logits = NaturalNet.compute_logits
    monkeypatch.setattr(
        NaturalNet, "compute_logits", lambda net, x: looks.append(len(x)) or logits(net, x)
    )
    result = FGSM(eps=0.1).evaluate(net, X[right], Y[right])
    np.testing.assert_array_equal(result.n_queries, 2)
    assert looks == [right.sum()]  # the net itself judges the last points, once
