"""The attack of a net, a component as skorch's own are: set anywhere, searched over, put back."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from sklearn_robust import (
    AdvTrainNet,
    CertifiedNet,
    FastATNet,
    FATNet,
    FreeATNet,
    GAIRATNet,
    JacobianRegNet,
    MinMaxNet,
    NaturalNet,
    TRADESNet,
)
from sklearn_robust.attacks import BIM, FGSM, PGD, DeepFool, WorstCase
from tests.cases import (
    CRAFTING,
    NETS,
    Linear,
    Normalised,
    blobs,
    generators_untouched,
    quick,
    same_state,
    same_weights,
    state_of,
)

X, Y = blobs()

# Ways to say eps = 0.2: all train the same net.
SPELLINGS = {
    "class and argument": lambda: quick(MinMaxNet, attack=PGD, attack__eps=0.2),
    "argument alone": lambda: quick(MinMaxNet, attack__eps=0.2),
    "instance": lambda: quick(MinMaxNet, attack=PGD(eps=0.2)),
    "instance and argument": lambda: quick(MinMaxNet, attack=PGD(eps=9), attack__eps=0.2),
    "set_params": lambda: quick(MinMaxNet).set_params(attack__eps=0.2),
    "set_params of an instance": lambda: quick(MinMaxNet).set_params(attack=PGD(eps=0.2)),
    "set_params on an instance": lambda: quick(MinMaxNet, attack=PGD()).set_params(attack__eps=0.2),
    "set_params after fit": lambda: quick(MinMaxNet).fit(X, Y).set_params(attack__eps=0.2),
    "clone": lambda: clone(quick(MinMaxNet, attack__eps=0.2)),
    "clone of an instance": lambda: clone(quick(MinMaxNet, attack=PGD(eps=0.2))),
    "clone of a fitted net": lambda: clone(quick(MinMaxNet, attack__eps=0.2).fit(X, Y)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_an_attack_trains_the_same_net(spelling):
    net = SPELLINGS[spelling]().fit(X, Y)
    assert net.attack_.eps == 0.2
    assert same_weights(net, quick(MinMaxNet, attack=PGD(eps=0.2)).fit(X, Y))
    assert not same_weights(net, quick(MinMaxNet).fit(X, Y))


def test_the_instance_that_was_given_is_not_touched():
    given = PGD(eps=9)
    net = quick(MinMaxNet, attack=given, attack__eps=0.2).fit(X, Y)
    assert net.attack is given and given.eps == 9 and not hasattr(given, "bounds_")


@pytest.mark.parametrize("given", [PGD, PGD(eps=0.1)], ids=["class", "instance"])
def test_an_attack_set_on_a_fitted_net_acts_at_once_and_keeps_the_weights(given):
    net = quick(MinMaxNet, attack=given, attack__eps=0.1).fit(X, Y)
    before = state_of(net.module_)
    x, y = torch.tensor(X), torch.tensor(Y)

    def reach():
        return float((net.perturb(x, y) - x).abs().max())

    assert reach() == pytest.approx(0.1, abs=1e-6)
    net.set_params(attack__eps=0.02)
    assert reach() == pytest.approx(0.02, abs=1e-6)
    net.set_params(attack=FGSM(eps=0.03), attack__eps=0.04)
    assert type(net.attack_) is FGSM and reach() == pytest.approx(0.04, abs=1e-6)
    same_state(net.module_, before)


def test_parameters_of_the_attack_are_parameters_of_the_net():
    assert quick(MinMaxNet, attack__eps=0.2).get_params()["attack__eps"] == 0.2
    assert quick(MinMaxNet, attack=PGD(eps=0.2)).get_params()["attack__eps"] == 0.2


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_the_repr_tells_what_was_changed_and_no_more(net):
    assert repr(net()) == f"{net.__name__}()"
    assert repr(net(random_state=3)) == f"{net.__name__}(random_state=3)"


def test_the_repr_of_an_attack():
    assert repr(MinMaxNet(attack__eps=0.1)) == "MinMaxNet(attack__eps=0.1)"
    assert repr(MinMaxNet(attack=PGD(eps=0.1))) == "MinMaxNet(attack=PGD(eps=0.1))"
    assert repr(MinMaxNet(lr=0.1).fit(X, Y).set_params(max_epochs=3)) == (
        "MinMaxNet(lr=0.1, max_epochs=3)"
    )


# -- the box of the data -------------------------------------------------------------------------


@pytest.mark.parametrize("net", CRAFTING, ids=lambda net: net.__name__)
def test_an_attack_in_training_keeps_to_the_box_of_all_the_data(net):
    """Also where a batch alone would not show it: here only two rows leave the unit cube."""
    wide = np.concatenate([X, X[:2] - 2])
    labels = np.concatenate([Y, Y[:2]])
    assert quick(net, attack__eps=0.5).fit(wide, labels).attack_.bounds_ is None
    low, high = quick(net, attack__eps=0.5).fit(X, Y).attack_.bounds_
    assert (low, high) == (0, 1)
    given = quick(net, attack__eps=0.5, attack__bounds=(-3, 3)).fit(wide, labels)
    crafted = given.perturb(torch.tensor(wide), torch.tensor(labels))
    assert crafted.min() >= -3 and given.attack_.bounds_[1] == 3


def test_the_box_grows_with_the_data_of_partial_fit():
    net = quick(MinMaxNet).partial_fit(X, Y)
    assert net.attack_.bounds_ is not None
    assert net.partial_fit(X - 2, Y).attack_.bounds_ is None
    assert net.partial_fit(X, Y).attack_.bounds_ is None


# -- the state of the net ------------------------------------------------------------------------

PROBES = {
    "perturb batch": lambda net: net.perturb(torch.tensor(X), torch.tensor(Y)),
    "generate": lambda net: PGD(eps=0.1).generate(net, X, Y),
    "evaluate": lambda net: WorstCase(eps=0.1).evaluate(net, X, Y),
    "perturb": lambda net: PGD(eps=0.1).perturb(net.module_, torch.tensor(X), torch.tensor(Y)),
    "verdict": lambda net: PGD(eps=0.1).robust_mask(net.module_, torch.tensor(X), torch.tensor(Y)),
    "predict": lambda net: net.predict(X),
    "score": lambda net: net.score(X, Y),
}


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("training", [False, True], ids=["eval", "mixed"])
def test_attacks_and_predictions_leave_the_net_as_it_was(probe, training):
    net = quick(MinMaxNet, module=Normalised).fit(X, Y)
    if training:  # a net that someone goes on training by hand, with one layer kept still
        net.module_.train()
        net.module_[1].eval()
    before = state_of(net.module_)
    with generators_untouched():
        PROBES[probe](net)
    same_state(net.module_, before)


class Breaking(Normalised):
    """Fails on the second evaluation."""

    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + (not self.training)
        if getattr(self, "armed", False) and self.calls % 2 == 0:
            raise ArithmeticError
        return super().forward(x)


@pytest.mark.parametrize("probe", ["perturb batch", "perturb", "verdict", "predict"])
def test_the_net_is_as_it_was_after_an_exception_too(probe):
    net = quick(MinMaxNet, module=Breaking).fit(X, Y)
    net.module_.train()
    net.module_[3].eval()
    net.module_.armed, net.module_.calls = True, 1
    before = state_of(net.module_)
    with generators_untouched(), pytest.raises(ArithmeticError):
        PROBES[probe](net)
    same_state(net.module_, before)


def test_crafting_in_training_moves_neither_statistics_nor_gradients():
    """The statistics are those of one forward of the crafted batch, and of nothing else."""
    net = quick(MinMaxNet, module=Normalised, batch_size=-1, max_epochs=1, attack__max_iter=3)
    net.fit(X, Y)
    assert int(net.module_[1].num_batches_tracked) == 1


# -- attacks that cannot train a net -------------------------------------------------------------

NO_ATTACKS = [None, "PGD", 0.1, LogisticRegression]


@pytest.mark.parametrize("given", NO_ATTACKS, ids=str)
@pytest.mark.parametrize("net", CRAFTING, ids=lambda net: net.__name__)
def test_what_is_no_attack_is_refused(net, given):
    with pytest.raises(
        ValueError, match="attack is .*; give an attack class or instance, such as attack=PGD"
    ):
        quick(net, attack=given).fit(X, Y)


def test_only_where_an_attack_is_an_extra_may_it_be_none():
    assert quick(JacobianRegNet, adversarial=None).fit(X, Y).attack_ is None
    with pytest.raises(ValueError, match=r"adversarial is None and \['eps'\] is set for it"):
        quick(JacobianRegNet, adversarial__eps=0.1).fit(X, Y)
    with pytest.raises(ValueError, match="unexpected argument.*attack__eps"):
        quick(NaturalNet, attack__eps=0.1).fit(X, Y)


BAD_ATTACKS = [
    ({"attack__eps": -0.1}, "eps is -0.1; give a finite radius"),
    ({"attack__eps": np.nan}, "eps is nan"),
    ({"attack__norm": "l3"}, "norm is 'l3'"),
    ({"attack__norm": "l2"}, "eps must be given for norm='l2'"),
    ({"attack__loss": "hinge"}, "loss is 'hinge'"),
    ({"attack__bounds": (0.4, 0.6)}, r"leaves bounds=\(0.4, 0.6\)"),
    ({"attack__targeted": True}, "attack is targeted, but training has no targets"),
    ({"attack__epsilon": 0.1}, "unexpected keyword argument 'epsilon'"),
    ({"attack": PGD(), "attack__epsilon": 0.1}, "Invalid parameter 'epsilon'"),
    ({"attack": PGD, "attack__max_iter": 0}, "max_iter is 0"),
]


@pytest.mark.parametrize(("params", "match"), BAD_ATTACKS, ids=[str(p) for p, _ in BAD_ATTACKS])
@pytest.mark.parametrize("net", CRAFTING, ids=lambda net: net.__name__)
def test_parameters_of_an_attack_that_make_no_sense_are_refused(net, params, match):
    with pytest.raises((ValueError, TypeError), match=match):
        quick(net, **params).fit(X, Y)


@pytest.mark.parametrize("attack", [WorstCase(), PGD(n_restarts=2)], ids=repr)
@pytest.mark.parametrize(("net", "what"), [(GAIRATNet, "counts kappa"), (FATNet, "stops samples")])
def test_some_nets_need_one_run_of_gradient_steps(net, what, attack):
    with pytest.raises(ValueError, match=f"{net.__name__} {what} along one run of gradient steps"):
        quick(net, attack=attack).fit(X, Y)


@pytest.mark.parametrize("attack", [FGSM, PGD(random_start=False)], ids=str)
def test_a_divergence_must_not_be_climbed_from_where_it_is_flat(attack):
    for net in (quick(TRADESNet, attack=attack), quick(GAIRATNet, attack=attack, base="trades")):
        with pytest.raises(ValueError, match="begins at the clean sample, where its loss 'kl' has"):
            net.fit(X, Y)
        net.set_params(attack__loss="cross_entropy").fit(X, Y)


def test_an_attack_without_a_loss_cannot_climb_the_divergence():
    with pytest.raises(ValueError, match="TRADESNet sets loss='kl' on its attack, which WorstC"):
        quick(TRADESNet, attack=WorstCase).fit(X, Y)


ONE_STEP = [FastATNet, FreeATNet]  # they take a step of their own from FGSM
MARGIN, EUCLIDEAN = PGD(loss="margin"), PGD(eps=0.5, norm="l2")


@pytest.mark.parametrize("attack", [MARGIN, EUCLIDEAN, FGSM(loss="margin")], ids=str)
@pytest.mark.parametrize("net", [net for net in CRAFTING if net not in (*ONE_STEP, CertifiedNet)])
def test_any_gradient_attack_trains_any_net_of_many_steps(net, attack):
    fitted = quick(net, module=Linear, attack=attack).fit(X, Y)
    assert np.isfinite(fitted.predict_proba(X)).all()
    assert fitted.attack_.loss == (attack.loss if attack != EUCLIDEAN else usual_loss(net))


def usual_loss(net):
    return "kl" if net is TRADESNet else "cross_entropy"


@pytest.mark.parametrize("attack", [FGSM, FGSM(eps=0.5, norm="l2"), FGSM(eps=0.5, norm="l1")])
@pytest.mark.parametrize("net", ONE_STEP)
def test_fgsm_trains_nets_of_one_step_in_any_norm(net, attack):
    fitted = quick(net, module=Linear, attack=attack).fit(X, Y)
    assert np.isfinite(fitted.predict_proba(X)).all()


@pytest.mark.parametrize("attack", [PGD, BIM(max_iter=1), WorstCase], ids=str)
@pytest.mark.parametrize("net", ONE_STEP)
def test_other_attacks_cannot_train_nets_of_one_step(net, attack):
    with pytest.raises(ValueError, match=f"{net.__name__} takes one step of its own from attack=F"):
        quick(net, attack=attack).fit(X, Y)


# -- the warm-up of eps --------------------------------------------------------------------------


def radii(**params):
    """Largest move of each batch while a net trains (three batches an epoch, two epochs)."""
    seen = []

    class Watched(MinMaxNet):
        def perturb(self, x, y, **kwargs):
            x_adv = super().perturb(x, y, **kwargs)
            seen.append(float((x_adv - x).abs().max()))
            return x_adv

    quick(Watched, **{"attack__eps": 0.3, "attack__bounds": None, **params}).fit(X, Y)
    return seen


@pytest.mark.parametrize("step_size", [None, 0.2])
@pytest.mark.parametrize(
    ("eps_warm_up", "shares"),
    [(0, [1] * 6), (1, [0, 1 / 3, 2 / 3, 1, 1, 1]), (2, [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])],
)
def test_eps_grows_with_every_batch_of_its_warm_up(eps_warm_up, shares, step_size):
    found = radii(eps_warm_up=eps_warm_up, attack__step_size=step_size)
    np.testing.assert_allclose(found, 0.3 * np.array(shares), atol=1e-6)


def test_members_of_a_cascade_that_have_radii_of_their_own_warm_up_too():
    attack = WorstCase([FGSM(eps=0.3), PGD(eps=0.15, max_iter=2)])
    params = {"attack": attack, "attack__bounds": None, "eps_warm_up": 1}
    found = radii(**params, attack__eps=None)
    shares = np.array([0, 1 / 3, 2 / 3, 1, 1, 1])
    assert (np.array(found) <= 0.3 * shares + 1e-6).all()
    assert (np.array(found) >= 0.15 * shares - 1e-6).all()


def test_an_attack_without_a_radius_has_nothing_to_warm_up():
    nets = [quick(MinMaxNet, attack=DeepFool, eps_warm_up=n).fit(X, Y) for n in (0, 1)]
    assert same_weights(*nets)


def test_outside_fit_the_attack_has_its_full_radius():
    net = quick(MinMaxNet, max_epochs=1, eps_warm_up=1, attack__eps=0.3, attack__bounds=None)
    x = torch.tensor(X)
    moved = net.fit(X, Y).perturb(x, torch.tensor(Y)) - x
    assert float(moved.abs().max()) == pytest.approx(0.3, abs=1e-6)


def test_a_fit_that_ends_before_its_warm_up_says_where():
    net = quick(MinMaxNet, max_epochs=2, eps_warm_up=8)
    with pytest.warns(UserWarning, match="eps_warm_up is 8 .* ends at 25% of the attack's eps"):
        net.fit(X, Y)
    quick(MinMaxNet, max_epochs=2, eps_warm_up=8).partial_fit(X, Y)  # may be trained on


@pytest.mark.parametrize("value", [-1, np.nan, "long"], ids=repr)
def test_a_warm_up_that_makes_no_sense_is_refused(value):
    with pytest.raises(ValueError, match="eps_warm_up is .*; give a number of at least 0"):
        quick(MinMaxNet, eps_warm_up=value).fit(X, Y)


def test_all_nets_that_craft_warm_up():
    for net in (AdvTrainNet, MinMaxNet, GAIRATNet, JacobianRegNet):
        assert net().eps_warm_up == 1
