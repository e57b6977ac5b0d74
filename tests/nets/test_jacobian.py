"""The Jacobian penalty: closed forms and slow references in float64, and what switches it off."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import JacobianRegNet, NaturalNet
from sklearn_robust._random import RowNoise
from sklearn_robust.attacks import FGSM
from tests.cases import Normalised, Pairs, blobs, in_training, quick, same_weights

X, Y = blobs(30, labels=(0, 1, 2))
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)

SIZES = {
    "l1": lambda v: v.abs().sum(),
    "l2": lambda v: v.square().sum().sqrt(),
    "l2_squared": lambda v: v.square().sum(),
    "linf": lambda v: v.abs().max(),
}


def smooth_module():
    return torch.nn.Sequential(torch.nn.Linear(4, 9), torch.nn.Tanh(), torch.nn.Linear(9, 3))


def decision(z, y):
    """S(x) of one sample, spelled out."""
    return z[y] - max(z[k] for k in range(len(z)) if k != y)


def loss_of(z, y):
    return -z[y] + z.exp().sum().log()


TARGETS = {"margin": decision, "loss": loss_of}


def slow_penalty(module, norm, target, x=x64, y=y64):
    """Mean size of the gradients, a sample at a time, by torch's own Jacobian."""
    sizes = []
    for sample, label in zip(x, y, strict=True):
        gradient = torch.autograd.functional.jacobian(
            lambda v, label=label: TARGETS[target](module(v[None])[0], label),
            sample,
            create_graph=True,
        )
        sizes.append(SIZES[norm](gradient))
    return torch.stack(sizes).mean()


def gradients(value, module):
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, module.parameters())])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("norm", SIZES)
def test_the_penalty_and_its_gradient_are_those_of_a_slow_reference(norm, target):
    params = {"lam": 0.7, "jacobian_norm": norm, "jacobian_target": target}
    net = in_training(JacobianRegNet, smooth_module(), x64, y64, **params)
    loss, z = net.batch_loss(x64, y64)
    penalty = slow_penalty(net.module_, norm, target)
    wanted = cross_entropy(net.module_(x64), y64) + 0.7 * penalty
    torch.testing.assert_close(loss, wanted, rtol=1e-10, atol=0)
    torch.testing.assert_close(z, net.module_(x64))
    recorded = net.history[-1]["batches"][-1]["jacobian_penalty"]
    assert recorded == pytest.approx(penalty.item())
    torch.testing.assert_close(
        gradients(loss, net.module_), gradients(wanted, net.module_), rtol=1e-8, atol=1e-12
    )


# What the norms' derivatives are, for a vector without ties.
SLOPES = {
    "l1": lambda v: v.sign(),
    "l2": lambda v: v / v.norm(),
    "l2_squared": lambda v: 2 * v,
    "linf": lambda v: v.sign() * (v.abs() == v.abs().max()),
}


@pytest.mark.parametrize("norm", SIZES)
def test_on_a_linear_net_the_penalty_has_a_closed_form(norm):
    """dS/dx = w_y - w_j with j the best rival, so the weights' gradient is known by hand."""
    net = in_training(JacobianRegNet, torch.nn.Linear(4, 3), x64, y64, lam=0.5, jacobian_norm=norm)
    weight = net.module_.weight.detach()
    z = (x64 @ weight.T + net.module_.bias).detach()
    rivals = [max({0, 1, 2} - {int(y)}, key=row.__getitem__) for row, y in zip(z, Y, strict=True)]
    wanted_size, wanted = 0.0, torch.zeros_like(weight)
    for y, rival in zip(Y, rivals, strict=True):
        difference = weight[y] - weight[rival]
        wanted_size += SIZES[norm](difference) / len(Y)
        wanted[y] += SLOPES[norm](difference) / len(Y)
        wanted[rival] -= SLOPES[norm](difference) / len(Y)
    loss, z = net.batch_loss(x64, y64)
    clean = cross_entropy(net.module_(x64), y64)
    torch.testing.assert_close(loss - clean, 0.5 * wanted_size)
    (found,) = torch.autograd.grad(loss - clean, net.module_.weight)
    torch.testing.assert_close(found, 0.5 * wanted)


def test_the_penalty_does_not_depend_on_the_size_of_the_batch():
    """The mean of per-sample norms: twice the same samples have the same penalty."""
    module = smooth_module()
    losses = [
        in_training(JacobianRegNet, module, x, y, lam=1, jacobian_norm="l2_squared").batch_loss(
            x, y
        )[0]
        for x, y in ((x64, y64), (x64.repeat(2, 1), y64.repeat(2)))
    ]
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize(
    "params", [{}, {"jacobian_norm": "l2"}, {"jacobian_target": "loss"}, {"warm_up": 3}], ids=str
)
def test_without_strength_training_is_natural_bit_for_bit(params, as_pairs):
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    natural = quick(NaturalNet, module=Normalised, module__n_classes=3).fit(*data)
    shared = {"module": Normalised, "module__n_classes": 3, **params}
    assert same_weights(natural, quick(JacobianRegNet, lam=0, **shared).fit(*data))
    assert not same_weights(natural, quick(JacobianRegNet, lam=0.1, **shared).fit(*data))


def test_an_attack_without_weight_leaves_the_penalised_net_as_it_is():
    params = {"module": Normalised, "module__n_classes": 3, "lam": 0.1}
    alone = quick(JacobianRegNet, **params).fit(X, Y)
    extra = {"adversarial": FGSM, "adversarial__eps": 0.1}
    assert same_weights(alone, quick(JacobianRegNet, adv_weight=0, **extra, **params).fit(X, Y))
    assert not same_weights(alone, quick(JacobianRegNet, **extra, **params).fit(X, Y))


@pytest.mark.parametrize("adv_weight", [0.3, 0.5, 1.0])
def test_an_attack_shares_the_loss_and_leaves_the_penalty_its_strength(adv_weight):
    """(1 - w) CE(x) + w CE(x_adv) + lam penalty(x), with the penalty of a linear net by hand."""
    module = torch.nn.Linear(4, 3)
    net = in_training(
        JacobianRegNet, module, x64, y64, lam=0.4, adv_weight=adv_weight,
        adversarial=FGSM, adversarial__eps=0.1, adversarial__bounds=None,
    )  # fmt: skip
    loss = net.batch_loss(x64, y64)[0]
    points = FGSM(eps=0.1, bounds=None).perturb(net.module_, x64, y64)
    clean, adversarial = (cross_entropy(net.module_(x), y64) for x in (x64, points))
    penalty = slow_penalty(net.module_, "l1", "margin")
    torch.testing.assert_close(
        loss, (1 - adv_weight) * clean + adv_weight * adversarial + 0.4 * penalty
    )


@pytest.mark.parametrize(
    ("warm_up", "shares"), [(0, [1, 1, 1]), (1, [1 / 2, 1, 1]), (3, [1 / 4, 2 / 4, 3 / 4, 1, 1])]
)
def test_the_strength_grows_over_the_warm_up(warm_up, shares):
    module = smooth_module()
    for epoch, share in enumerate(shares, start=1):
        net = in_training(JacobianRegNet, module, x64, y64, epoch, lam=2, warm_up=warm_up)
        loss, _ = net.batch_loss(x64, y64)
        clean = cross_entropy(net.module_(x64), y64)
        penalty = slow_penalty(net.module_, "l1", "margin")
        torch.testing.assert_close(loss - clean, 2 * share * penalty)


@pytest.mark.parametrize(("fraction", "n_part"), [(0.5, 15), (0.1, 3), (1.0, 30)])
def test_a_share_of_the_batch_is_penalised_and_all_of_it_classified(fraction, n_part):
    net = in_training(JacobianRegNet, smooth_module(), x64, y64, lam=2, penalty_fraction=fraction)
    loss, z = net.batch_loss(x64, y64)
    penalty = slow_penalty(net.module_, "l1", "margin", x64[:n_part], y64[:n_part])
    torch.testing.assert_close(z, net.module_(x64))
    torch.testing.assert_close(loss, cross_entropy(z, y64) + 2 * penalty)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_a_share_of_the_batch_suits_batch_normalisation(fraction):
    params = {"module": Normalised, "module__n_classes": 3, "penalty_fraction": fraction}
    net = quick(JacobianRegNet, batch_size=7, **params).fit(X, Y)
    assert np.isfinite(net.predict_proba(X)).all()


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_half_precision_gives_almost_the_same_penalty(fraction):
    x, y = torch.tensor(X), torch.tensor(Y)
    module, found = smooth_module(), {}
    for dtype in ("float32", "bfloat16"):
        params = {"penalty_fraction": fraction, "penalty_dtype": dtype}
        net = in_training(JacobianRegNet, module, x, y, lam=1, **params)
        loss, z = net.batch_loss(x, y)
        assert z.dtype == loss.dtype == torch.float32
        found[dtype] = net.history[-1]["batches"][-1]["jacobian_penalty"]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.03)


@pytest.mark.parametrize("norm", SIZES)
def test_a_dead_gradient_has_a_finite_penalty(norm):
    """A net that does not look at its input: the norm's derivative at zero must not be NaN."""
    module = torch.nn.Linear(4, 3)
    torch.nn.init.zeros_(module.weight)
    net = quick(JacobianRegNet, module=module, jacobian_norm=norm, lam=1.0, max_epochs=1)
    assert np.isfinite(net.fit(X, Y).predict_proba(X)).all()


def test_the_penalty_flattens_the_decision_function():
    def slope(lam):
        net = quick(JacobianRegNet, lam=lam, max_epochs=30, lr=0.01).fit(X, Y)
        return slow_penalty(net.module_.double(), "l1", "margin").item()

    slopes = [slope(lam) for lam in (0, 0.03, 0.3)]
    assert slopes[0] > 1.3 * slopes[1] > 1.3 * slopes[2]


# -- other routes ---------------------------------------------------------------------------------

ROUTE = {"lam": 1.0, "jacobian_norm": "l2_squared", "variant": "random_projection"}


def test_a_random_projection_is_the_norm_of_the_jacobian_on_average():
    """For a linear net ||J||_F^2 is known, and each sample's projection is its own draw."""
    net = in_training(JacobianRegNet, torch.nn.Linear(4, 3), x64, y64, random_state=0, **ROUTE)
    many, codes = x64.repeat(200, 1) + 1e-3 * torch.rand(6000, 4), y64.repeat(200)
    loss, z = net.batch_loss(many, codes)
    penalty = (loss - cross_entropy(z, codes)).item()
    assert penalty == pytest.approx(net.module_.weight.square().sum().item(), rel=0.05)


def test_a_random_projection_is_that_of_the_drawn_combination():
    module = smooth_module()
    for norm, size in SIZES.items():
        params = {**ROUTE, "jacobian_norm": norm}
        net = in_training(JacobianRegNet, module, x64, y64, random_state=0, **params)
        loss, z = net.batch_loss(x64, y64)
        v = RowNoise(0, z).normal(z.detach(), 0)
        v = 3**0.5 * v / v.norm(dim=1, keepdim=True)
        rows = torch.func.vmap(torch.func.jacrev(net.module_))(x64)
        wanted = torch.stack([size(w @ J) for w, J in zip(v, rows, strict=True)]).mean()
        torch.testing.assert_close(loss - cross_entropy(z, y64), wanted)


@pytest.mark.filterwarnings("ignore:variant='finite_difference'")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("norm", SIZES)
def test_on_a_smooth_net_a_small_difference_is_the_exact_penalty(norm, target):
    module, shared = smooth_module(), {"lam": 1, "jacobian_norm": norm, "jacobian_target": target}
    exact = in_training(JacobianRegNet, module, x64, y64, **shared)
    route = {"variant": "finite_difference", "difference_step": 1e-6}
    other = in_training(JacobianRegNet, exact.module_, x64, y64, **route, **shared)
    ours, wanted = (net.batch_loss(x64, y64)[0] for net in (other, exact))
    torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=0)
    torch.testing.assert_close(
        gradients(ours, other.module_), gradients(wanted, exact.module_), rtol=1e-3, atol=1e-5
    )


def test_differences_warn_in_training_and_are_wrong_at_kinks():
    with pytest.warns(UserWarning, match="gives the weights a wrong gradient wherever a ReLU"):
        quick(JacobianRegNet, variant="finite_difference").fit(X, Y)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 200), torch.nn.ReLU(), torch.nn.Linear(200, 3)]
    module, found = torch.nn.Sequential(*layers), []
    for variant in ("exact", "finite_difference"):
        params = {"variant": variant, "difference_step": 0.1}
        net = in_training(JacobianRegNet, module, x64, y64, lam=1, **params)
        loss, z = net.batch_loss(x64, y64)
        penalty = loss - cross_entropy(z, y64)
        found.append((penalty.item(), gradients(penalty, net.module_)[800:1000]))  # biases
    (exact, slope), (difference, other) = found
    assert difference == pytest.approx(exact, rel=0.2)
    assert slope.norm() == 0 < other.norm()  # biases of a ReLU net do not change its slope


@pytest.mark.filterwarnings("ignore:variant='finite_difference'")
@pytest.mark.parametrize("variant", ["random_projection", "finite_difference"])
def test_other_routes_train_repeatably_and_with_part_of_the_batch(variant):
    params = {"module": Normalised, "module__n_classes": 3, "variant": variant, "lam": 0.1}
    nets = [quick(JacobianRegNet, penalty_fraction=0.5, **params).fit(X, Y) for _ in range(2)]
    assert same_weights(*nets)
    natural = quick(NaturalNet, module=Normalised, module__n_classes=3).fit(X, Y)
    assert not same_weights(nets[0], natural)
    assert same_weights(natural, quick(JacobianRegNet, **{**params, "lam": 0}).fit(X, Y))


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"variant": "jvp"}, "variant is 'jvp'; choose one of"),
        ({"difference_step": 0}, "difference_step is 0; give a number above 0"),
        (
            {"variant": "random_projection", "jacobian_target": "loss"},
            "penalises all logits, and jacobian_target is 'loss': leave one",
        ),
        (
            {"variant": "finite_difference", "penalty_dtype": "bfloat16"},
            "loses its differences in bfloat16",
        ),
        ({"lam": -0.1}, "lam is -0.1; give a number of at least 0"),
        ({"lam": np.nan}, "lam is nan"),
        ({"jacobian_norm": "l3"}, "jacobian_norm is 'l3'; choose one of"),
        ({"jacobian_norm": 2}, "jacobian_norm is 2; choose one of"),
        ({"jacobian_target": "logit"}, r"jacobian_target is 'logit'; choose one of \['loss', 'mar"),
        ({"penalty_dtype": "float16"}, "penalty_dtype is 'float16'"),
        ({"penalty_fraction": 0}, "penalty_fraction is 0; give a number above 0 and at most 1"),
        ({"penalty_fraction": 1.5}, "penalty_fraction is 1.5"),
        ({"adv_weight": 2}, "adv_weight is 2"),
        ({"warm_up": -1}, "warm_up is -1; give an integer of at least 0"),
        ({"warm_up": 0.5}, "warm_up is 0.5"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense_are_refused(params, match):
    with pytest.raises(ValueError, match=match):
        quick(JacobianRegNet, **params).fit(X, Y)
