"""FGSM, BIM, MI-FGSM, PGD and their worst case against the closed forms of linear models."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_robust import _functional as F
from sklearn_robust.attacks import APGD, BIM, FAB, FGSM, MIFGSM, PGD, DeepFool, WorstCase
from sklearn_robust.attacks._losses import make_objective
from tests.attacks.models import (
    DUAL,
    NORMS,
    curved,
    lengths,
    linear,
    predicted,
    samples,
)
from tests.cases import named

EPS = {"linf": 0.1, "l2": 0.3, "l1": 0.5}
# How much of the greatest change of the margin PGD must reach.
SHARE = {"linf": 1 - 1e-5, "l2": 0.98, "l1": 0.98}


def greatest_change(slope, x, eps, norm, bounds=None):
    """Largest gain of <slope, d> over the ball around x, and the box; l2 has no box here."""
    slope, x = slope.flatten(1).numpy(), x.flatten(1).numpy()
    if bounds is None:
        return eps * np.linalg.norm(slope, DUAL[norm], axis=1)
    room = np.where(slope > 0, bounds[1] - x, x - bounds[0])
    slope = np.abs(slope)
    if norm == "linf":
        return (slope * np.minimum(room, eps)).sum(1)
    order = np.argsort(-slope, axis=1)  # l1: the steepest features are filled one by one
    room, slope = np.take_along_axis(room, order, 1), np.take_along_axis(slope, order, 1)
    left = np.maximum(eps - (room.cumsum(1) - room), 0)
    return (slope * np.minimum(room, left)).sum(1)


@pytest.mark.parametrize("shape", [(6,), (1, 4, 4)], ids=repr)
@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_one_step_along_the_steepest_direction(norm, shape):
    model, x = curved(shape=shape), samples(shape=shape)
    y = predicted(model, x)
    leaf = x.clone().requires_grad_(True)
    grad = F.input_gradient(F.cross_entropy(model(leaf), y), leaf)
    step = {
        "linf": grad.sign(),
        "l2": grad
        / torch.linalg.vector_norm(grad.flatten(1), dim=1).reshape(-1, *[1] * len(shape)),
        "l1": torch.zeros_like(grad)
        .flatten(1)
        .scatter(1, grad.flatten(1).abs().argmax(1, keepdim=True), 1.0)
        .reshape(grad.shape)
        * grad.sign(),
    }[norm]
    x_adv = FGSM(eps=EPS[norm], norm=norm, bounds=None).perturb(model, x, y)
    torch.testing.assert_close(x_adv, x + EPS[norm] * step, rtol=0, atol=1e-11)


def test_fgsm_in_float32_is_x_plus_eps_times_the_sign():
    """To the last bit, but for a rounding that would leave the ball."""
    model, x = curved().float(), samples().float()
    y = predicted(model, x)
    leaf = x.clone().requires_grad_(True)
    sign = F.input_gradient(F.cross_entropy(model(leaf), y), leaf).sign()
    wanted = x + torch.tensor(0.1) * sign
    x_adv = FGSM(eps=0.1, bounds=None).perturb(model, x, y)
    same = x_adv == wanted
    assert same.float().mean() > 0.3
    assert torch.equal(torch.where(same, x_adv, torch.nextafter(wanted, x)), x_adv)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "scaled_cross_entropy"])
def test_pgd_reaches_the_worst_point_of_a_linear_model(norm, loss):
    """With two classes every loss has the same worst point: the margin falls by eps ||dw||."""
    model, x = linear(2), samples(30)
    y = predicted(model, x)
    slope = (model.weight[1 - y] - model.weight[y]).reshape(x.shape)
    best = greatest_change(slope, x, EPS[norm], norm)
    # The default path of 2.5 eps turns a random start on the far side of an l2 ball only so far.
    for share, search in (
        (SHARE[norm], {"random_start": False}),
        (SHARE[norm], {"max_iter": 50, "step_size": EPS[norm] / 10}),
        (SHARE[norm] - 0.02 * (norm == "l2"), {}),
    ):
        attack = PGD(eps=EPS[norm], norm=norm, loss=loss, bounds=None, random_state=0, **search)
        fall = F.margin(model(x), y) - F.margin(model(attack.perturb(model, x, y)), y)
        assert np.all(fall.detach().numpy() <= best * (1 + 1e-9))
        assert np.all(fall.detach().numpy() >= share * best)


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_pgd_fills_an_active_box(norm):
    model, x = linear(2, shape=(8,)), samples(30, shape=(8,))
    x = torch.where(x < 0.3, 0.0, torch.where(x > 0.7, 1.0, x))  # most features at their bounds
    y = predicted(model, x)
    eps = 4 * EPS[norm]
    attack = PGD(eps=eps, norm=norm, loss="margin", max_iter=100, random_state=0)
    x_adv = attack.perturb(model, x, y)
    fall = F.margin(model(x), y) - F.margin(model(x_adv), y)
    slope = (model.weight[1 - y] - model.weight[y]).reshape(x.shape)
    best = greatest_change(slope, x, eps, norm, bounds=(0, 1))
    assert np.all(fall.detach().numpy() >= SHARE[norm] * best)
    assert x_adv.min() >= 0 and x_adv.max() <= 1


def test_bim_takes_signed_steps_from_the_sample_itself():
    model, x = curved(), samples()
    y, x_adv = predicted(model, x), samples()
    for _ in range(4):
        leaf = x_adv.clone().requires_grad_(True)
        grad = F.input_gradient(F.cross_entropy(model(leaf), y), leaf)
        x_adv = x + (x_adv + 0.03 * grad.sign() - x).clamp(-0.1, 0.1)
    ours = BIM(eps=0.1, step_size=0.03, max_iter=4, bounds=None).perturb(model, x, y)
    torch.testing.assert_close(ours, x_adv, rtol=0, atol=1e-11)


def test_mifgsm_climbs_the_decaying_sum_of_normalised_gradients():
    model, x = curved(), samples()
    y, x_adv, memory = predicted(model, x), samples(), 0
    for _ in range(4):
        leaf = x_adv.clone().requires_grad_(True)
        grad = F.input_gradient(F.cross_entropy(model(leaf), y), leaf)
        memory = 0.7 * memory + grad / grad.abs().sum(1, keepdim=True)
        x_adv = x + (x_adv + 0.03 * memory.sign() - x).clamp(-0.1, 0.1)
    attack = MIFGSM(eps=0.1, step_size=0.03, decay=0.7, max_iter=4, bounds=None)
    torch.testing.assert_close(attack.perturb(model, x, y), x_adv, rtol=0, atol=1e-11)


def test_without_momentum_mifgsm_is_bim():
    model, x = curved(), samples()
    y = predicted(model, x)
    ours, plain = MIFGSM(eps=0.1, decay=0.0), BIM(eps=0.1)
    assert torch.equal(ours.perturb(model, x, y), plain.perturb(model, x, y))


def test_the_default_step_is_two_and_a_half_radii_over_the_number_of_steps():
    model, x = curved(), samples()
    y = predicted(model, x)
    told = PGD(eps=0.1, max_iter=5, step_size=2.5 * 0.1 / 5, random_state=0)
    ours = PGD(eps=0.1, max_iter=5, random_state=0)
    torch.testing.assert_close(ours.perturb(model, x, y), told.perturb(model, x, y))


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_starts_anywhere_in_the_ball_unless_told_otherwise(norm):
    """One step of no length shows the starting points."""
    model, x = curved(), samples(200)
    y = predicted(model, x)
    params = {"eps": EPS[norm], "norm": norm, "max_iter": 1, "step_size": 1e-12, "bounds": None}
    start = PGD(**params, random_state=0).perturb(model, x, y)
    size = lengths(start, x, norm) / EPS[norm]
    assert 0.5 < size.mean() < 1 and size.max() <= 1 and size.min() < size.max()
    at_home = PGD(**params, random_start=False).perturb(model, x, y)
    torch.testing.assert_close(at_home, x, rtol=0, atol=1e-11)


@pytest.mark.parametrize("stop", [False, True], ids=["last", "first"])
def test_restarts_never_lower_the_best_loss(stop):
    model, x = curved(width=40), samples(40)
    y = predicted(model, x)
    one, many = (
        PGD(eps=0.4, max_iter=2, n_restarts=n, random_state=0, loss="margin") for n in (1, 6)
    )
    if stop:
        assert (many.robust_mask(model, x, y) <= one.robust_mask(model, x, y)).all()
        return
    gain = F.margin(model(one.perturb(model, x, y)), y) - F.margin(
        model(many.perturb(model, x, y)), y
    )
    assert gain.min() >= 0 and gain.max() > 0


LOSSES = ["cross_entropy", "margin", "scaled_cross_entropy", "dlr", "targeted_dlr", "kl"]


def falling_logit(z, y):
    """A loss of the user: the logit of the true class has to fall."""
    return -z.gather(1, y[:, None])[:, 0]


@pytest.mark.parametrize("loss", [*LOSSES, falling_logit], ids=named)
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_an_attack_climbs_its_loss(loss, targeted, n_classes):
    """Whatever it is, of the labels or of the targets."""
    if targeted and loss == "kl":
        pytest.skip("it has no target")
    model, x = curved(n_classes, width=32), samples(40)
    y = (predicted(model, x) + targeted) % n_classes
    params = {"loss": loss, "targeted": targeted, "max_iter": 20, "bounds": None}
    x_adv = PGD(eps=0.3, random_state=0, **params).perturb(model, x, y)
    # The scaled loss has a scale that its gradient takes for constant: it climbs the plain one.
    climbed = "cross_entropy" if loss == "scaled_cross_entropy" else loss
    objective = make_objective(climbed, targeted, y, lambda: model(x))
    before, after = (objective(model(v), torch.arange(40)) for v in (x, x_adv))
    assert (after > before).double().mean() > 0.9


@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "scaled_cross_entropy"])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_a_targeted_attack_moves_toward_its_target(loss, n_classes):
    model, x = curved(n_classes, width=32), samples(40)
    target = (predicted(model, x) + 1) % n_classes
    attack = PGD(eps=0.8, loss=loss, targeted=True, max_iter=20, bounds=None, random_state=0)
    x_adv = attack.perturb(model, x, target)
    assert (F.margin(model(x_adv), target) > F.margin(model(x), target)).all()
    withstood = attack.robust_mask(model, x, target)
    result = attack.evaluate(model, x.float().numpy(), target.numpy())
    assert not withstood.all()
    hit = predicted(model, torch.as_tensor(result.X_adv).double()) == target
    assert torch.equal(torch.as_tensor(result.fooled), hit)


def test_gradient_attacks_climb_a_loss_that_saturates_when_it_is_scaled():
    """Logits of a thousand blank the cross-entropy, not the losses that scale them."""
    quiet = linear(3)
    loud = linear(3, scale=1e4)
    x = samples(40)
    y = predicted(loud, x)
    assert torch.equal(y, predicted(quiet, x))
    count = {
        loss: int(
            (~PGD(eps=0.2, loss=loss, max_iter=20, random_state=0).robust_mask(loud, x, y)).sum()
        )
        for loss in ("cross_entropy", "scaled_cross_entropy", "dlr")
    }
    assert count["scaled_cross_entropy"] > 0
    assert count["dlr"] == count["scaled_cross_entropy"] >= count["cross_entropy"]


def test_observers_see_each_gradient_forward():
    model, x = curved(), samples()
    y, seen = predicted(model, x), []
    PGD(eps=0.1, max_iter=3, random_start=False).perturb(
        model, x, y, observe=lambda step, rows, z, x_adv: seen.append((step, rows, z, x_adv))
    )
    assert [step for step, *_ in seen] == [0, 1, 2]
    assert torch.equal(seen[0][3], x)
    for _, rows, z, x_adv in seen:
        assert torch.equal(rows, torch.arange(len(x)))
        torch.testing.assert_close(z, model(x_adv).detach())


class TestWorstCase:
    def members(self):
        return [FGSM(loss="margin"), PGD(max_iter=5), PGD(max_iter=5, loss="dlr"), DeepFool()]

    def test_no_sample_withstands_that_a_member_fools(self):
        model, x = curved(width=40), samples(80)
        y = predicted(model, x)
        cascade = WorstCase(self.members(), eps=0.25, norm="linf", random_state=0)
        withstood = cascade.robust_mask(model, x, y)
        assert 0 < withstood.sum() < len(x)
        for member in self.members():
            member.set_params(eps=0.25, norm="linf", random_state=0)
            assert (withstood <= member.robust_mask(model, x, y)).all(), member

    def test_samples_that_are_fooled_are_not_shown_to_the_next(self):
        model, x = linear(2), samples(60)
        y = predicted(model, x).numpy()
        X = x.float().numpy()
        first = FGSM(eps=0.3).evaluate(model, X, y)
        both = WorstCase([FGSM(), PGD(max_iter=7)], eps=0.3).evaluate(model, X, y)
        assert 0 < first.fooled.sum() < len(x)
        assert np.array_equal(both.fooled, first.fooled)
        assert both.n_queries[first.fooled].max() < 7 < both.n_queries[~first.fooled].min()

    def test_verdict_and_evaluation_agree(self):
        model, x = curved(width=40), samples(80)
        y = predicted(model, x)
        cascade = WorstCase(eps=0.2, random_state=0)
        result = cascade.evaluate(model, x.float().numpy(), y.numpy())
        assert np.array_equal(
            ~result.fooled, cascade.robust_mask(model, x.float().double(), y).numpy()
        )

    def test_settings_of_the_cascade_hold_for_all_members(self):
        model, x = curved(), samples()
        y = predicted(model, x)
        cascade = WorstCase([FGSM(eps=9.0), PGD(eps=9.0)], eps=0.1, norm="l2", random_state=0)
        x_adv = cascade.perturb(model, x, y)
        assert lengths(x_adv, x, "l2").max() <= 0.1

    def test_clean_errors_are_no_successes_of_an_attack(self):
        model, x = linear(3), samples(30)
        wrong = (predicted(model, x) + 1) % 3
        result = WorstCase(eps=0.0).evaluate(model, x.float().numpy(), wrong.numpy())
        assert result.fooled.all() and (result.distance == 0).all()
        assert (result.n_queries == 1).all()

    @pytest.mark.parametrize(
        ("attacks", "match"),
        [
            ([], "empty"),
            ([PGD(), PGD(targeted=True)], "targeted"),
            ([PGD(), FAB()], "FAB in a cascade needs a radius"),
            ([PGD(loss="unknown")], "loss is 'unknown'"),
        ],
    )
    def test_what_cannot_be_a_cascade_is_refused(self, attacks, match):
        with pytest.raises(ValueError, match=match):
            WorstCase(attacks).perturb(linear(), samples(), torch.zeros(12, dtype=torch.int64))


# -- the box of a batch --------------------------------------------------------------------------


def test_a_batch_outside_the_box_of_fit_has_none():
    attack = PGD(eps=0.1, random_state=0).fit(np.random.default_rng(0).random((20, 4)), [0, 1] * 10)
    model, x = linear(shape=(4,)), 3 + samples(shape=(4,))
    x_adv = attack.perturb(model, x, predicted(model, x))
    assert float((x_adv - x).abs().max()) <= 0.1 + 1e-6
    with pytest.raises(ValueError, match="leaves bounds"):
        attack.set_params(bounds=(0, 1)).perturb(model, x, predicted(model, x))


def test_members_of_a_cascade_share_its_box():
    X, y = np.random.default_rng(0).random((20, 4)), [0, 1] * 10
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="PGD has bounds=None, .* share one box: .*WorstCase"):
        WorstCase([PGD(bounds=None)]).evaluate(model, X, y)
    WorstCase([PGD(bounds=None)], bounds=None, random_state=0).evaluate(model, X, y)


# -- losses and slopes ---------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [PGD(), APGD(max_iter=3)], ids=["PGD", "APGD"])
def test_a_loss_gives_one_value_a_sample(attack):
    model, x = linear(shape=(4,)), samples(shape=(4,))
    attack.set_params(loss=torch.nn.functional.cross_entropy)
    with pytest.raises(ValueError, match=r"loss=cross_entropy returns shape \(\) .*'none'"):
        attack.perturb(model, x, predicted(model, x))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("factory", [PGD, APGD, FAB, DeepFool])
def test_an_infinite_slope_is_a_steep_one(factory, norm):
    """The root has one at 0, where many of the samples are."""
    X = np.random.default_rng(0).random((60, 4)).round(1)
    y = (X.sum(1) > 2).astype(int)
    model = make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression(C=100)).fit(X, y)
    result = factory(eps=1.0, norm=norm).evaluate(model, X, y)
    assert np.isfinite(result.X_adv).all() and result.fooled.mean() > 0.5


# -- transformers --------------------------------------------------------------------------------


def test_transform_has_no_classes_to_reach():
    X, y = np.random.default_rng(0).random((20, 4)), [0, 1] * 10
    with pytest.raises(ValueError, match=r"generate\(estimator, X, y\)"):
        PGD(targeted=True).fit(X, y).transform(X)


def test_the_estimator_is_fitted_on_the_columns_of_a_frame():
    X = pd.DataFrame(np.random.default_rng(0).random((20, 2)), columns=["a", "b"])
    model = make_pipeline(ColumnTransformer([("b", StandardScaler(), ["b"])]), LogisticRegression())
    attack = PGD(model, eps=0.2, random_state=0).fit(X, [0, 1] * 10)
    moved = (attack.transform(X) != X.to_numpy(np.float32)).any(0)
    assert moved.tolist()[1] and list(attack.estimator_.feature_names_in_) == ["a", "b"]
