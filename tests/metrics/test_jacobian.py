"""Input gradients against closed forms."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust import _functional as F
from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotDifferentiableError
from sklearn_robust.metrics import decision_margin, input_jacobian, jacobian_norm, jacobian_sparsity
from tests.cases import named
from tests.metrics.indicator_cases import (
    N_CLASSES,
    N_FEATURES,
    Constant,
    Detached,
    Scaled,
    labels,
    linear,
    mlp,
    quadratic,
    relu_nets,
    samples,
    some_labels,
)

X = samples()
OFS = ["margin", "loss", "smooth_margin", "logits", F.scaled_cross_entropy]


def test_the_jacobian_of_a_linear_model_is_a_difference_of_weights():
    module, y = linear(), some_labels()
    W = module.weight.detach().numpy()
    z = X @ W.T + module.bias.detach().numpy()
    others = np.where(np.eye(N_CLASSES, dtype=bool)[y], -np.inf, z)
    wanted = W[y] - W[others.argmax(1)]
    assert np.array_equal(input_jacobian(module, X, y), wanted)
    margin = z[np.arange(len(X)), y] - others.max(1)
    assert np.allclose(decision_margin(module, X, y), margin, rtol=1e-12)
    assert np.array_equal(input_jacobian(module, X, y, of="logits"), np.tile(W, (len(X), 1, 1)))


def test_the_jacobian_of_a_quadratic_is_linear():
    module = quadratic()
    A, b = module.A.detach().numpy(), module.b.detach().numpy()
    J = input_jacobian(module, X, np.zeros(len(X), int))
    assert np.allclose(J, X @ A + b, rtol=1e-12)
    assert np.allclose(input_jacobian(module, X, np.ones(len(X), int)), -J, rtol=1e-12)


@pytest.mark.parametrize("of", OFS[:3])
def test_jacobians_agree_with_differences(of):
    module, y, h = mlp(nn.Tanh), some_labels(), 1e-6
    J = input_jacobian(module, X, y, of=of, tau=0.5)
    functions = {
        "margin": decision_margin,
        "smooth_margin": lambda *a: decision_margin(*a, tau=0.5),
        "loss": lambda module, X, y: F.cross_entropy(
            as_module(module)(torch.tensor(X)), torch.tensor(y)
        ).numpy(),
    }
    for feature in range(N_FEATURES):
        step = h * np.eye(N_FEATURES)[feature]
        rise = functions[of](module, X + step, y) - functions[of](module, X - step, y)
        assert np.allclose(J[:, feature], rise / (2 * h), atol=1e-7)


def test_a_pipeline_is_differentiated_in_the_units_of_its_input():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), PCA(3), LogisticRegression()).fit(X, y)
    W = model[-1].coef_ @ model[1].components_ / model[0].scale_
    z = model.decision_function(X)
    others = np.where(np.eye(3, dtype=bool)[y], -np.inf, z)
    J = input_jacobian(model, X, model.classes_[y])
    assert np.allclose(J, W[y] - W[others.argmax(1)], rtol=1e-9)


def test_the_penalty_of_the_jacobian_can_be_differentiated_by_the_weights():
    module = mlp(nn.Softplus)
    x, y = torch.tensor(X[:3]), torch.tensor(some_labels(3))
    names, weights = zip(*module.named_parameters(), strict=True)

    def penalty(*weights):
        point = x.detach().requires_grad_(True)
        state = dict(zip(names, weights, strict=True))
        z = torch.func.functional_call(module, state, (point,))
        return F.flat_norm(F.input_gradient(F.margin(z, y), point, create_graph=True), 1).mean()

    assert torch.autograd.gradcheck(penalty, weights, atol=1e-6)


@pytest.mark.parametrize("of", OFS, ids=named)
@pytest.mark.parametrize(("module", "shape"), relu_nets(), ids=lambda v: type(v).__name__)
def test_a_sample_has_the_same_jacobian_alone_and_in_any_batch(module, shape, of):
    X = samples(12, shape)
    y = labels(module, X)
    whole = input_jacobian(module, X, y, of=of)
    assert whole.shape[0] == 12 and whole.shape[-len(shape) :] == shape
    order = np.random.default_rng(0).permutation(12)
    shuffled = input_jacobian(module, X[order], y[order], of=of, batch_size=5)
    assert np.allclose(shuffled, whole[order], rtol=1e-9, atol=1e-12)
    alone = np.concatenate(
        [input_jacobian(module, X[i : i + 1], y[i : i + 1], of=of) for i in range(12)]
    )
    assert np.allclose(alone, whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_the_norm_scales_with_logits_and_against_inputs(norm):
    module, y = mlp(nn.Tanh), some_labels()
    size = jacobian_norm(module, X, y, norm=norm)
    J = input_jacobian(module, X, y)
    order = {"l1": 1, "l2": 2, "linf": np.inf}[norm]
    assert np.allclose(size, np.linalg.norm(J, order, axis=1), rtol=1e-12)
    assert np.allclose(jacobian_norm(Scaled(module, logits=3), X, y, norm=norm), 3 * size)
    assert np.allclose(jacobian_norm(Scaled(module, inputs=0.1), 10 * X, y, norm=norm), size / 10)


def test_the_average_is_that_of_the_entries():
    module, y = mlp(nn.ReLU), some_labels()
    J = input_jacobian(module, X, y)
    assert np.allclose(jacobian_norm(module, X, y, average=True), abs(J).mean(1))
    rms = jacobian_norm(module, X, y, norm="l2", average=True)
    assert np.allclose(rms, np.sqrt((J**2).mean(1)))


def test_sparsity_counts_small_entries():
    module, y = mlp(nn.ReLU), some_labels()
    J = abs(input_jacobian(module, X, y))
    assert np.array_equal(jacobian_sparsity(module, X, y, threshold=0.5), (J <= 0.5).mean(1))
    share = jacobian_sparsity(module, X, y, threshold=0.1, relative=True)
    assert np.array_equal(share, (J <= 0.1 * J.max(1, keepdims=True)).mean(1))
    rescaled = Scaled(module, logits=100)
    assert np.array_equal(jacobian_sparsity(rescaled, X, y, threshold=0.1, relative=True), share)


def test_a_constant_model_has_a_jacobian_of_zero():
    y = some_labels()
    assert not input_jacobian(Constant(), X, y).any()
    assert not input_jacobian(Constant(), X, y, of="logits").any()
    assert not jacobian_norm(Constant(), X, y).any()
    assert (jacobian_sparsity(Constant(), X, y) == 1).all()


def test_the_precision_is_that_of_the_samples():
    module, y = mlp(nn.ReLU), some_labels()
    assert input_jacobian(module, X, y).dtype == np.float64
    assert input_jacobian(module.float(), X.astype(np.float32), y).dtype == np.float32
    assert decision_margin(module, X.astype(int), y).dtype == np.float64


def test_labels_of_any_type_and_jumping_logits():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    net = NaturalNet(max_epochs=2, random_state=0).fit(X, names)
    assert ((decision_margin(net, X, names) > 0) == (net.predict(X) == names)).all()
    model = SVC().fit(X, names)
    assert ((decision_margin(model, X, names) > 0) == (model.predict(X) == names)).all()
    assert input_jacobian(model, X, names).any(axis=1).all()


NAN = X.copy()
NAN[3, 2] = np.nan
BAD = [
    (lambda: input_jacobian(linear(), NAN, some_labels()), ValueError, "NaN"),
    (lambda: input_jacobian(linear(), X, some_labels()[:-1]), ValueError, "20 samples.*19 labels"),
    (lambda: input_jacobian(linear(), X, np.full(len(X), 9)), ValueError, "labels that Linear"),
    (
        lambda: input_jacobian(linear(), X, some_labels(), of="entropy"),
        ValueError,
        "of is 'entropy'",
    ),
    (
        lambda: input_jacobian(linear(), X, some_labels(), of="smooth_margin", tau=0),
        ValueError,
        "tau is 0; give a number above 0",
    ),
    (lambda: decision_margin(linear(), X, some_labels(), tau=-1), ValueError, "tau is -1"),
    (lambda: jacobian_norm(linear(), X, some_labels(), norm="l3"), ValueError, "norm is 'l3'"),
    (
        lambda: jacobian_sparsity(linear(), X, some_labels(), threshold=-1),
        ValueError,
        "threshold is -1",
    ),
    (
        lambda: input_jacobian(linear(), X, some_labels(), batch_size=0),
        ValueError,
        "batch_size is 0",
    ),
    (
        lambda: input_jacobian(Detached(), X, some_labels(n_classes=2)),
        NotDifferentiableError,
        "no gradient reaches it",
    ),
    (
        lambda: input_jacobian(Scaled(linear(), logits=np.nan), X, some_labels()),
        ValueError,
        "NaN at sample 0",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[case[2] for case in BAD])
def test_bad_input_is_told_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
