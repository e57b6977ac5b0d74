"""The formulas: fixtures in float64, slow references, and what each is blind to."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_robust import _functional as F

Z = torch.tensor([[2.0, 0, -1], [0, 1, 0.5]], dtype=torch.float64)
Z_ADV = torch.tensor([[1, 0.5, -1], [0.8, 0.2, 0.1]], dtype=torch.float64)
Y = torch.tensor([0, 1])
WRONG = torch.tensor([2, 0])

# Formula, its arguments, and the values of two samples worked out by hand or in the papers.
VALUES = [
    ("margin", (Z, Y), [2, 0.5]),
    ("margin", (Z, WRONG), [-3, -1]),
    ("margin_loss", (Z, Y), [-2, -0.5]),
    ("runner_up", (Z, Y), [1, 2]),
    ("runner_up", (Z, WRONG), [0, 1]),
    ("log_others", (Z, Y), [math.log(1 + math.exp(-1)), math.log(1 + math.exp(0.5))]),
    ("cross_entropy", (Z, Y), [0.1698460196, 0.6802696706]),
    ("kl", (Z_ADV, Z), [0.1718080349, 0.2143258912]),
    ("kl", (Z, Z), [0, 0]),
    ("boosted_cross_entropy", (Z_ADV, Y), [0.9829858282, 1.9867870865]),
    (
        "boosted_cross_entropy",
        (Z[:, :2], Y),
        [2 * math.log1p(math.exp(-2)), 2 * math.log1p(math.exp(-1))],
    ),
    ("dlr", (Z, Y), [-2 / 3, -0.5]),
    ("dlr", (Z[:, :2], Y), [-2, -1]),
    ("targeted_dlr", (Z, Y, WRONG), [-3, -1]),
    (
        "scaled_cross_entropy",
        (Z, Y),
        [
            math.log(1 + math.exp(-1) + math.exp(-1.5)),
            math.log(1 + math.exp(-1) + math.exp(-2)),
        ],
    ),
]


@pytest.mark.parametrize(("name", "arguments", "wanted"), VALUES)
def test_a_formula_gives_the_values_of_its_definition(name, arguments, wanted):
    found = getattr(F, name)(*arguments).double()
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-9)


def test_the_targeted_ratio_of_four_classes():
    z = torch.tensor([[3.0, 1, 0, -2]], dtype=torch.float64)
    found = F.targeted_dlr(z, torch.tensor([0]), torch.tensor([2]))
    torch.testing.assert_close(found, torch.tensor([-3 / (3 - (0 - 2) / 2)], dtype=torch.float64))


LOSSES = [F.margin_loss, F.cross_entropy, F.scaled_cross_entropy, F.dlr]
logits = st.lists(
    st.lists(st.floats(-20, 20, width=32), min_size=4, max_size=4), min_size=1, max_size=5
)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@given(values=logits, shift=st.floats(-50, 50), code=st.integers(0, 3))
def test_a_loss_is_blind_to_a_shift_of_all_logits(loss, values, shift, code):
    z = torch.tensor(values, dtype=torch.float64)
    y = torch.full((len(z),), code)
    if loss in (F.scaled_cross_entropy, F.dlr):  # ratios are ill-conditioned at ties
        top = z.sort(dim=1, descending=True).values
        z = z[(top[:, 0] - top[:, 1] > 1e-3)]
        y = y[: len(z)]
    torch.testing.assert_close(loss(z + shift, y), loss(z, y), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 10.0, 1e4])
@pytest.mark.parametrize("loss", [F.scaled_cross_entropy, F.dlr], ids=lambda loss: loss.__name__)
def test_scaled_losses_are_blind_to_the_scale_of_the_logits(loss, scale):
    torch.testing.assert_close(loss(Z * scale, Y), loss(Z, Y))


def test_scaling_keeps_a_gradient_where_cross_entropy_has_none():
    z = torch.tensor([[200.0, 0, -5]], requires_grad=True)
    y = torch.tensor([0])
    assert F.input_gradient(F.cross_entropy(z, y), z).abs().max() == 0
    assert F.input_gradient(F.scaled_cross_entropy(z, y), z).abs().max() > 1e-4


def test_scaled_cross_entropy_is_finite_at_a_tie():
    z = torch.zeros(1, 3, requires_grad=True)
    loss = F.scaled_cross_entropy(z, torch.tensor([1]))
    assert loss.isfinite().all()
    assert F.input_gradient(loss, z).isfinite().all()


def test_the_input_gradient_is_each_samples_own_and_leaves_the_weights_alone():
    weight = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64))
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    slope = F.input_gradient(F.margin(x @ weight.T, torch.tensor([0, 1, 0])), x)
    difference = (weight[0] - weight[1]).detach()
    torch.testing.assert_close(slope, torch.stack([difference, -difference, difference]))
    assert weight.grad is None and x.grad is None


def test_the_input_gradient_is_not_divided_by_the_batch():
    x = torch.full((1000, 1), 1.0, requires_grad=True)
    tiny = torch.finfo(torch.float32).tiny
    assert (F.input_gradient(tiny * x[:, 0], x) == tiny).all()


@pytest.mark.parametrize("order", [1, 2, torch.inf])
def test_the_norm_of_each_sample(order):
    v = torch.randn(3, 2, 5, dtype=torch.float64)
    wanted = torch.stack([torch.linalg.vector_norm(row, order) for row in v])
    torch.testing.assert_close(F.flat_norm(v, order), wanted)
    zero = torch.zeros(2, 3, requires_grad=True)
    assert torch.equal(F.input_gradient(F.flat_norm(zero, order), zero), torch.zeros(2, 3))


# GAIRAT's weight for kappa = 0, 1, ..., 10 with K = 10 (eq. 6), to two digits or more, by shift.
WEIGHTS = {
    0.0: [
        1.0,
        0.9997,
        0.9975,
        0.982,
        0.8808,
        0.5,
        0.1192,
        0.01799,
        0.002473,
        3.35e-4,
        4.5e-5,
    ],
    -1.0: [
        0.9997,
        0.9975,
        0.982,
        0.8808,
        0.5,
        0.1192,
        0.01799,
        0.002473,
        3.35e-4,
        4.5e-5,
        6.1e-6,
    ],
}


@pytest.mark.parametrize("lam", WEIGHTS)
def test_the_weights_of_gairat(lam):
    kappa = torch.arange(11, dtype=torch.float64)
    weights = F.gair_log_weights(kappa, 10, lam).exp()
    torch.testing.assert_close(weights, torch.tensor(WEIGHTS[lam]).double(), rtol=1e-2, atol=0)
    tanh = (1 + torch.tanh(lam + 5 * (1 - 2 * kappa / 10))) / 2
    torch.testing.assert_close(weights, tanh, rtol=1e-9, atol=1e-15)


# The other two functions for kappa = 0, 1, ..., 10.
SIGMOID = [0.9933, 0.982, 0.9526, 0.8808, 0.7311, 0.5, 0.2689, 0.1192, 0.0474, 0.0180, 0.0067]
LINEAR = [1, 10 / 11, 9 / 11, 8 / 11, 7 / 11, 6 / 11, 5 / 11, 4 / 11, 3 / 11, 2 / 11, 1 / 11]


def test_the_other_weights_of_gairat():
    kappa = torch.arange(11, dtype=torch.float64)
    sigmoid = F.gair_sigmoid_log_weights(kappa, 10, 0.0).exp()
    assert sigmoid.tolist() == pytest.approx(SIGMOID, abs=5e-5)
    assert F.gair_linear_log_weights(kappa, 10).exp().tolist() == pytest.approx(LINEAR, abs=1e-12)
    tanh = F.gair_log_weights(kappa, 10, 0.3)  # the same function, twice as steep
    torch.testing.assert_close(2 * (0.3 + 5 * (1 - kappa / 5)), tanh - (-tanh.exp()).log1p())


def test_the_weights_of_mail():
    """sigmoid(10 (margin - 0.5)) of the probabilities, whose margin is -1 to 1."""
    z = torch.tensor([[3.0, 0, 0], [0, 2, 0], [0, 0, 0]], dtype=torch.float64)
    p = z.softmax(1)
    margins = torch.stack([p[0, 1] - p[0, 0], p[1, 1] - p[1, 0], p[2, 1] - p[2, 0]])
    found = F.mail_log_weights(z, torch.tensor([0, 0, 0]), -2.5).exp()
    torch.testing.assert_close(found, torch.sigmoid(10 * (margins - 0.5)))


WEIGHTED = [
    (F.gair_log_weights, (0.0,), 1.4954637),
    (F.gair_log_weights, (-1.0,), 1.5302471),
    (F.gair_sigmoid_log_weights, (0.0,), 1.464343),
    (F.gair_linear_log_weights, (), 1.34375),
]


@pytest.mark.parametrize(("log_weights", "shift", "wanted"), WEIGHTED)
def test_the_weighted_loss_of_gairat(log_weights, shift, wanted):
    kappa = torch.tensor([0.0, 3, 7, 10], dtype=torch.float64)
    losses = torch.tensor([2, 1, 0.5, 0.25], dtype=torch.float64)
    weights = log_weights(kappa, 10, *shift).softmax(0)
    assert float(weights @ losses) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("max_iter", [1, 7, 10])
@pytest.mark.parametrize("lam", [-50.0, -5.0, 0.0, 50.0])
def test_the_weights_stay_finite_where_all_samples_withstand(max_iter, lam):
    kappa = torch.full((64,), float(max_iter))
    weights = F.gair_log_weights(kappa, max_iter, lam).softmax(0)
    torch.testing.assert_close(weights, torch.full((64,), 1 / 64))


def test_the_effective_sample_size():
    assert F.effective_sample_size(torch.ones(8)) == 8
    assert F.effective_sample_size(torch.tensor([1.0, 0, 0])) == 1
    assert float(F.effective_sample_size(torch.tensor([3.0, 1.0]))) == pytest.approx(1.6)
