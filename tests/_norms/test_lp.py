"""lp balls: what samples, ascends, projects and reaches, against slow oracles in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from sklearn_robust._norms import Box, get_norm
from sklearn_robust._random import RowNoise
from tests._norms.cases import EPS, N_FEATURES, rows, size
from tests.attacks.models import NORMS


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
