"""Balls: what samples, ascends, projects and reaches, against slow oracles in float64."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from sklearn_robust._norms import Box, check_norm, column, get_norm, norm_names
from sklearn_robust._random import RowNoise
from sklearn_robust.attacks import (
    APGD,
    BIM,
    FAB,
    FGSM,
    MIFGSM,
    PGD,
    CarliniWagner,
    DeepFool,
    Norm,
    Square,
    ThreatModel,
    register_norm,
)
from tests.attacks.models import NORMS, ORDER, linear, predicted, samples

EPS = {
    "even": torch.tensor(0.7, dtype=torch.float64),
    "uneven": torch.tensor([0.5, 1.0, 0.25, 2.0, 0.8], dtype=torch.float64),
    "partly fixed": torch.tensor([0.5, 0.0, 1.0, 0.0, 0.8], dtype=torch.float64),
}
N_FEATURES = 5


def rows(n=20, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.standard_normal((n, N_FEATURES)) * scale)


def relative(d, eps):
    """Coordinates in which the ball is the unit ball; those that cannot move count as 0."""
    return torch.where(eps > 0, d / torch.where(eps > 0, eps, 1), 0)


def size(d, eps, norm):
    return torch.linalg.vector_norm(relative(d, eps), ORDER[norm], dim=1)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", NORMS)
def test_samples_fill_the_ball_evenly(norm, eps):
    ball, x = get_norm(norm)(EPS[eps]), rows(4000)
    d = ball.sample(RowNoise(0, x), x, 0)
    sizes = size(d, EPS[eps], norm)
    n_free = int((EPS[eps].expand(N_FEATURES) > 0).sum())
    assert sizes.max() <= 1 + 1e-9
    assert (d[:, EPS[eps].expand(N_FEATURES) == 0] == 0).all()
    # The share of a ball's volume within half its radius.
    assert abs(float((sizes < 0.5).double().mean()) - 0.5**n_free) < 0.02
    assert (d.mean(0).abs() < 0.06 * EPS[eps].max()).all()


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_projection_is_inside_idempotent_and_leaves_the_inside_alone(norm, eps, seed, scale):
    ball, d = get_norm(norm)(EPS[eps]), rows(8, seed, scale)
    inside = ball.project(d)
    assert size(inside, EPS[eps], norm).max() <= 1 + 1e-11
    assert (inside[:, EPS[eps].expand(N_FEATURES) == 0] == 0).all()
    torch.testing.assert_close(ball.project(inside), inside, rtol=0, atol=1e-11)
    held = ball.only_free(d)
    free = size(held, EPS[eps], norm) <= 1
    torch.testing.assert_close(inside[free], held[free], rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_projection_onto_an_even_ball_is_the_nearest_point(norm, seed):
    """No small step toward the point stays inside: compare with a thousand others."""
    ball, d = get_norm(norm)(EPS["even"]), rows(1, seed, 2.0)
    nearest = ball.project(d)
    others = ball.project(nearest + rows(500, seed + 1, 0.2))
    distance = torch.linalg.vector_norm(d - nearest)
    assert (torch.linalg.vector_norm(d - others, dim=1) >= distance - 1e-9).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_l1_ball_cut_by_a_box_is_projected_on_exactly(seed):
    """The threshold t of sum(min((|d| - t)+, room)) = 1, found by a scalar solver."""
    eps, d = EPS["uneven"], rows(1, seed, 3.0)
    room = torch.as_tensor(np.random.default_rng(seed).uniform(0, 1, d.shape))
    ours = get_norm("l1")(eps).project(d, room)[0]
    u, limit = (d / eps).abs()[0].numpy(), (room / eps)[0].numpy()

    def total(t):
        return np.minimum(np.maximum(u - t, 0), limit).sum() - 1

    t = optimize.brentq(total, 0, u.max()) if total(0) > 0 else 0.0
    wanted = np.minimum(np.maximum(u - t, 0), limit) * eps.numpy() * np.sign(d[0].numpy())
    np.testing.assert_allclose(ours, wanted, atol=1e-9)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", NORMS)
def test_a_step_gains_what_the_dual_norm_promises(norm, eps):
    ball, grad = get_norm(norm)(EPS[eps]), rows()
    box = Box(None, grad)
    step = ball.ascent_step(grad, grad, 0.3, box)
    assert size(step, EPS[eps], norm).max() <= 0.3 * (1 + 1e-9)
    torch.testing.assert_close((step * grad).sum(1), 0.3 * ball.dual_norm(grad))


@pytest.mark.parametrize("norm", ["linf", "l1"])
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_no_step_in_the_box_gains_more(norm, seed):
    """The linear programme of the best step, solved by scipy; linf steps are cut afterwards."""
    rng = np.random.default_rng(seed)
    x, grad = torch.as_tensor(rng.uniform(0, 1, (1, N_FEATURES))), rows(1, seed)
    ball, box = get_norm(norm)(EPS["even"]), Box((np.array(0.0), np.array(1.0)), x)
    step = box.clamp(x + ball.ascent_step(x, grad, 1.0, box)) - x
    eps = float(EPS["even"])
    # Variables: the parts up and down of each feature.
    cost = np.concatenate([-grad[0], grad[0]])
    limits = [(0, 1 - v) for v in x[0].tolist()] + [(0, v) for v in x[0].tolist()]
    if norm == "linf":
        limits = [(0, min(high, eps)) for _, high in limits]
        best = optimize.linprog(cost, bounds=limits)
    else:
        best = optimize.linprog(cost, A_ub=np.ones((1, 2 * N_FEATURES)), b_ub=[eps], bounds=limits)
    np.testing.assert_allclose(float((step * grad).sum()), -best.fun, atol=1e-9)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), boxed=st.booleans())
def test_reach_gains_exactly_what_is_asked_at_the_least_size(norm, eps, seed, boxed):
    """Least size: a convex programme over the features; a bisection of its dual is the oracle."""
    rng = np.random.default_rng(seed)
    ball, grad = get_norm(norm)(EPS[eps]), rows(1, seed)
    room = torch.as_tensor(rng.uniform(0, 1, grad.shape)) if boxed else None
    free = EPS[eps].expand(N_FEATURES) > 0
    most = (grad.abs() * room)[:, free].sum() if boxed else torch.tensor(np.inf)
    gain = torch.tensor([min(float(most) * 0.8, 1.0)], dtype=torch.float64)
    d = ball.smallest_step(grad, gain, room)
    torch.testing.assert_close((d * grad).sum(1), gain, rtol=1e-9, atol=1e-12)
    assert (d[:, ~free] == 0).all()
    if boxed:
        assert (d.abs() <= room + 1e-12).all()
    # Any other point of the same gain is at least as far: move along directions of no gain.
    ours = size(d, EPS[eps], norm)
    turn = torch.where(free, rows(300, seed + 1, 0.1), 0)
    along = torch.where(free, grad, 0)
    turn = turn - (turn @ along.T) / (along @ along.T) * along
    others = d + turn
    if boxed:
        inside = ((others.abs() <= room) & (others * grad >= 0)).all(1)
        others = others[inside]
    assert (size(others, EPS[eps], norm) >= ours - 1e-9).all()


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_out_of_reach_goes_as_far_as_it_can(norm):
    ball, grad = get_norm(norm)(EPS["even"]), rows()
    room = torch.full_like(grad, 0.2)
    d = ball.smallest_step(grad, torch.full((len(grad),), 1e6).double(), room)
    torch.testing.assert_close(d, 0.2 * grad.sign())


@pytest.mark.parametrize("norm", NORMS)
def test_reach_has_no_way_along_a_zero_gradient(norm):
    grad = torch.zeros(3, N_FEATURES).double()
    ball, gain = get_norm(norm)(EPS["even"]), torch.ones(3).double()
    for room in (None, torch.ones_like(grad)):
        assert (ball.smallest_step(grad, gain, room) == 0).all()


@pytest.mark.parametrize("bounds", [(0, np.inf), (-np.inf, np.inf)], ids=repr)
@pytest.mark.parametrize("norm", NORMS)
def test_a_box_may_be_open(norm, bounds):
    x = rows(10).abs()
    box = Box(tuple(np.array(float(side)) for side in bounds), x)
    ball, grad = get_norm(norm)(EPS["even"]), rows(10, 1)
    step = ball.ascent_step(x, grad, 1.0, box)
    assert torch.isfinite(step).all() and (step != 0).any(1).all()
    gain = torch.full((10,), 0.01).double()
    d = ball.smallest_step(grad, gain, box.slack(x, grad))
    torch.testing.assert_close((d * grad).sum(1), gain, rtol=1e-6, atol=1e-9)
    assert torch.isfinite(ball.confine(5 * d, x, box)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.5, 1.0, 1.0000001, 3.0]))
def test_sealed_points_are_inside_after_rounding(norm, eps, dtype, seed, scale):
    """Measured in float64, without any tolerance that a rounding could hide in."""
    x = rows(16, seed, 10.0).to(dtype)
    exact = get_norm(norm)(EPS[eps])
    d = exact.project(rows(16, seed + 1, 5.0)) * scale
    sealed = exact.project_exact((x.double() + d).to(dtype), x, Box(None, x))
    assert sealed.dtype == dtype
    assert size(sealed.double() - x.double(), EPS[eps], norm).max() <= 1 + 1e-14
    if norm == "linf":
        assert ((sealed.double() - x.double()).abs() <= EPS[eps]).all()


# -- the registry ----------------------------------------------------------------------------------


@pytest.fixture
def registry():
    """Leave the registry as it was."""
    from sklearn_robust._norms import _registry

    saved = dict(_registry.NORMS), dict(_registry.NAMES)
    yield
    for now, before in zip((_registry.NORMS, _registry.NAMES), saved, strict=True):
        now.clear()
        now.update(before)


class L0(Norm):
    """At most eps features change."""

    name, aliases, order, dual = "l0", (0,), 0, None

    def size(self, d):
        return self.length(d) / self.radius

    def project(self, d, slack=None):
        flat = self.only_free(d).flatten(1)
        largest = flat.abs().topk(min(int(self.radius), flat.shape[1])).indices
        return torch.zeros_like(flat).scatter(1, largest, flat.gather(1, largest)).view_as(d)

    def sample(self, noise, x, stream):
        return self.project(2 * noise.uniform(x, stream) - 1)

    def steepest_step(self, grad, step, slack=None):
        return step * grad.sign()


@pytest.mark.parametrize("norm", NORMS)
def test_facts_about_a_norm(norm):
    kind, v = get_norm(norm), rows(30)
    order = ORDER[norm]
    torch.testing.assert_close(kind.length(v), torch.linalg.vector_norm(v, order, dim=1))
    dual = {np.inf: 1, 2: 2, 1: np.inf}[order]
    torch.testing.assert_close(kind.dual_length(v), torch.linalg.vector_norm(v, dual, dim=1))
    assert kind.length_of_ones(7) == pytest.approx(np.linalg.norm(np.ones(7), order))
    # Hoelder's inequality, which the steepest direction meets.
    step = kind.steepest_direction(v)
    torch.testing.assert_close(kind.length(step), torch.ones(30).double())
    torch.testing.assert_close((step * v).sum(1), kind.dual_length(v))
    # The longest vector of the ball in l2 is a corner, or an axis.
    corner = torch.ones(1, 7) / kind.length(torch.ones(1, 7))
    axis = torch.eye(7)[:1]
    longest = max(float(u.square().sum()) for u in (corner, axis))
    assert kind.euclidean_square(7) == pytest.approx(longest)
    drawn = kind.random_direction(RowNoise(0, v), v, 0)
    torch.testing.assert_close(kind.length(drawn), torch.ones(30).double())
    X = v.numpy()
    assert np.array_equal(kind.distance(X, 0 * X), np.linalg.norm(X, order, axis=1))


def test_names_and_aliases():
    assert [check_norm(norm) for norm in (np.inf, 2, 1, "l2", 2.0)] == [
        "linf",
        "l2",
        "l1",
        "l2",
        "l2",
    ]
    with pytest.raises(ValueError, match=r"norm is \[2\]; choose 'linf', 'l2'"):
        check_norm([2])


def test_a_norm_of_the_user_works_with_every_gradient_attack(registry):
    assert register_norm(L0) is L0
    x = samples(30)
    model = linear()
    y = predicted(model, x)
    for attack in (PGD(max_iter=30), BIM(max_iter=30), MIFGSM(), FGSM()):
        attack.set_params(eps=2, norm=0, bounds=(0, 1), random_state=0)
        x_adv = attack.perturb(model, x, y)
        assert ((x_adv != x).sum(1) <= 2).all()
        assert x_adv.min() >= 0 and x_adv.max() <= 1
    # Brute force: the two features and corners that hurt most.
    pgd = PGD(eps=2, norm="l0", bounds=(0, 1), max_iter=200, n_restarts=3, random_state=0)
    robust = pgd.robust_mask(model, x, y)
    possible = torch.ones_like(robust)
    for i, j in itertools.combinations(range(x.shape[1]), 2):
        for corner in itertools.product((0.0, 1.0), repeat=2):
            point = x.clone()
            point[:, [i, j]] = torch.tensor(corner).double()
            possible &= predicted(model, point) == y
    assert (robust | ~possible).all()
    assert (robust == possible).double().mean() > 0.8
    assert ThreatModel(2, norm="l0").distance(x.numpy() + [1, 0, 0, 0, 0, 0], x.numpy()).max() == 1
    assert ThreatModel(2, norm="l0", bounds=(0, 1)).covering_radius(x.float().numpy()) == 6


def test_what_a_norm_cannot_do_is_told(registry):
    register_norm(L0)
    x, y = samples(2), torch.zeros(2, dtype=torch.int64)
    for attack in (FAB, DeepFool, CarliniWagner, Square, APGD):
        with pytest.raises(ValueError, match=f"norm is 'l0', which {attack.__name__} does not"):
            attack(eps=2, norm="l0").perturb(linear(), x, y)
    with pytest.raises(ValueError, match="norm is 'l0', which has no dual norm"):
        L0.dual_length(x)
    with pytest.raises(ValueError, match="choose 'linf', 'l2', 'l1' or 'l0'"):
        check_norm("l3")


def test_norms_that_cannot_be_registered(registry):
    register_norm(L0)
    with pytest.raises(ValueError, match=r"A norm called 'l0' is registered already \(L0\)"):
        register_norm(L0)
    with pytest.raises(ValueError, match="A norm called 2 is registered already"):
        register_norm(type("Mine", (L0,), {"name": "mine", "aliases": (2,)}))
    bare = type("Bare", (Norm,), {"name": "bare", "order": 3})
    with pytest.raises(ValueError, match="Bare does not say what its dual norm is: .*None"):
        register_norm(bare)
    with pytest.raises(ValueError, match="Nameless has name '' and order 3"):
        register_norm(type("Nameless", (Norm,), {"order": 3, "dual": None}))
    with pytest.raises(TypeError, match="register a subclass of"):
        register_norm("l0")
    assert norm_names() == ["linf", "l2", "l1", "l0"]
    assert norm_names(with_dual=True) == ["linf", "l2", "l1"]


def test_defaults_suit_a_norm_of_another_order(registry):
    """l3 in a few lines: its dual is l1.5, and its steps and samples come from the base."""

    @register_norm
    class L3(Norm):
        name, order, dual = "l3", 3, "l1.5"

        def project(self, d, slack=None):
            return d / column(self.size(d), d).clamp_min(1)

    @register_norm
    class L15(L3):
        name, order, dual = "l1.5", 1.5, "l3"

    ball, x = L3(EPS["partly fixed"]), rows(400)
    drawn = ball.sample(RowNoise(0, x), x, 0)
    assert ball.size(drawn).max() <= 1 + 1e-9 and (drawn[:, [1, 3]] == 0).all()
    step = ball.steepest_step(x, 0.5)
    torch.testing.assert_close(ball.size(step), torch.full((400,), 0.5).double())
    torch.testing.assert_close(L3.dual_length(x), torch.linalg.vector_norm(x, 1.5, dim=1))
    model, x = linear(), samples(20)
    x_adv = PGD(eps=0.3, norm="l3", bounds=None).perturb(model, x, predicted(model, x))
    assert torch.linalg.vector_norm(x_adv - x, 3, dim=1).max() <= 0.3 + 1e-9
