"""Networks and all that is differentiable: what is proven, no attack undoes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet
from sklearn_robust._threat_model import ThreatModel
from sklearn_robust.attacks import WorstCase
from sklearn_robust.certification import certified_radius, robust_bounds
from sklearn_robust.certification._networks import certify_network, margin_bounds
from sklearn_robust.certification._registry import make_problem
from sklearn_robust.differentiable import open_model

X, Y = load_iris(return_X_y=True)
X = (X / 8).astype(np.float32)


def problem_of(model, X, codes, **threat):
    threat = ThreatModel(**threat).on(X)
    return make_problem(open_model(model), X, codes, threat)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_scikit_learns_network_is_proven(activation):
    model = MLPClassifier((16,), activation=activation, max_iter=400, tol=1e-2, random_state=0)
    model.set_params(solver="lbfgs", alpha=0.01).fit(X, Y)
    result = robust_bounds(model, X, Y, eps=0.01)
    assert result.note is None
    assert 0.5 < result.lower <= result.upper <= model.score(X, Y)
    assert not (result.certified & ~result.attacked).any()


def test_a_pipeline_is_proven_in_the_units_of_its_input():
    net = NaturalNet(max_epochs=20, lr=0.01, random_state=0)
    model = make_pipeline(MinMaxScaler(clip=True), StandardScaler(), PCA(3), net).fit(X, Y)
    result = robust_bounds(model, X, Y, eps=0.005)
    assert result.note is None and 0.5 < result.lower <= result.upper
    tiny = robust_bounds(model, X, Y, eps=0.0)
    assert tiny.lower == pytest.approx(model.score(X, Y))


def test_radii_follow_the_norm_and_the_box():
    model = NaturalNet(max_epochs=20, lr=0.01, random_state=0).fit(X, Y)
    some = slice(0, None, 30)
    linf, l2, l1 = (
        certified_radius(model, X[some], Y[some], norm=n, tol=0.01) for n in ("linf", "l2", "l1")
    )
    assert (linf <= 1.02 * l2).all() and (l2 <= 1.02 * l1).all()
    free = certified_radius(model, X[some], Y[some], bounds=None, tol=0.01)
    assert (free <= 1.02 * linf).all()
    masked = certified_radius(model, X[some], Y[some], mask=[0], tol=0.01)
    assert (1.02 * masked >= linf).all()


def test_slopes_that_are_optimised_prove_more():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 3))
    model = open_model(net)
    codes = model.predict_codes(X)
    problem = problem_of(net, X[::10], codes[::10], eps=0.6)
    module = model.module.exact
    ibp, noise = margin_bounds(module, problem, method="ibp")
    crown, _ = margin_bounds(module, problem)
    alpha, _ = margin_bounds(module, problem, n_steps=10)
    assert (ibp <= crown).all() and (crown <= alpha).all()
    assert (ibp < crown).any() and (crown < alpha).any() and (noise < 1e-4).all()


def test_probabilities_are_followed_to_their_logits():
    body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    torch.manual_seed(0)
    for layer in (body[0], body[2]):
        layer.reset_parameters()
    y = open_model(body).predict_codes(X)
    want = robust_bounds(body, X, y, eps=0.02).certified
    found = robust_bounds(nn.Sequential(body, nn.Softmax(1)), X, y, eps=0.02).certified
    assert want.any() and (found == want).mean() > 0.97


class Odd(nn.Module):
    """Logits by an operation that has no bounds."""

    def __init__(self, operation):
        super().__init__()
        self.operation = operation
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return self.operation(self.linear(x))


def halves(z):
    return z / z.norm(dim=1, keepdim=True)


def branches(z):
    return z if float(z.detach().sum()) > 0 else -z


def hidden_branches(z):
    constant = torch.from_numpy(z.detach().numpy().copy()).to(z)
    return z - constant / 2


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (torch.floor, "floor"),
        (halves, "div"),
        (branches, "_local_scalar_dense"),
        (hidden_branches, "that depends on the data"),
    ],
)
def test_what_cannot_be_bounded_is_named(operation, sentence):
    net = Odd(operation)
    answer = certify_network(problem_of(net, X[:20], Y[:20], eps=0.01))
    assert not answer.proven.any() and sentence in answer.note
    assert answer.note.startswith("Nothing is proven of Odd: no bounds are known of ")


def test_a_model_without_gradient_is_named():
    model = RandomForestClassifier(5, random_state=0).fit(X, Y)
    problem = problem_of(model, X, Y, eps=0.1)
    answer = certify_network(problem)
    assert not answer.proven.any() and "it has no differentiable model, whose" in answer.note


def test_bounds_that_overflow_prove_nothing():
    net = Odd(lambda z: torch.exp(300 * z) * 1e200)
    answer = certify_network(problem_of(net, X[:20], Y[:20], eps=0.5))
    assert not answer.proven.any()


ACTIVATIONS = [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.SiLU, nn.ELU]


@st.composite
def networks(draw):
    torch.manual_seed(draw(st.integers(0, 10**6)))
    widths = [4, *draw(st.lists(st.integers(2, 16), min_size=1, max_size=3))]
    parts = []
    for n_in, n_out in zip(widths, widths[1:], strict=False):
        parts += [nn.Linear(n_in, n_out), draw(st.sampled_from(ACTIVATIONS))()]
    net = nn.Sequential(*parts, nn.Linear(widths[-1], 3))
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(draw(st.floats(0.5, 4)))
    return net


threats = st.fixed_dictionaries(
    {
        "norm": st.sampled_from(["linf", "l2", "l1"]),
        "eps": st.floats(0.005, 0.3),
        "mask": st.sampled_from([None, [0, 2], [1]]),
        "bounds": st.sampled_from([None, "auto", (0, 1)]),
    }
)


def undone(net, threat, n_samples):
    """Number of samples that are proven and that an attack fools: must be 0."""
    rows = np.linspace(0, len(X) - 1, n_samples).astype(int)
    y = open_model(net).predict_codes(X[rows])
    result = robust_bounds(net, X[rows], y, **threat)
    attack = WorstCase(random_state=0, **threat)
    fooled = attack.evaluate(net, X[rows], y).fooled
    return int((result.certified & fooled).sum())


@settings(max_examples=6, deadline=None, derandomize=True)
@given(networks(), threats)
def test_no_attack_undoes_a_proof(net, threat):
    assert undone(net, threat, 10) == 0


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(networks(), threats)
def test_no_attack_undoes_one_of_thousands_of_proofs(net, threat):
    assert undone(net, threat, 60) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", [NaturalNet, MinMaxNet, JacobianRegNet])
def test_the_proven_side_is_below_the_attacked_one_on_digits(kind):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    for seed in range(10):
        model = kind(max_epochs=5, random_state=seed).fit(X[:1000], y[:1000])
        for eps in (0.01, 0.03, 0.06, 0.1):
            result = robust_bounds(model, X[1000:1050], y[1000:1050], eps=eps)
            assert result.lower <= result.upper and result.note is None
            fooled = WorstCase(eps=eps, random_state=0).evaluate(model, X[1000:1050]).fooled
            right = model.predict(X[1000:1050]) == y[1000:1050]
            assert not (result.certified & right & fooled).any()
