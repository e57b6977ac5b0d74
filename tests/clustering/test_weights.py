"""Class weights of linear models, pipelines and layers; their cosines; distances of mean logits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.clustering import (
    class_weight_matrix,
    linearize,
    weight_correlation,
)
from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotLinearizableError
from tests.clustering.networks import IMAGE, networks

X, y = load_iris(return_X_y=True)


LINEAR_MODELS = [
    LogisticRegression(max_iter=1000),
    LinearSVC(),
    RidgeClassifier(),
    SGDClassifier(random_state=0),
    LinearDiscriminantAnalysis(),
]


@pytest.mark.parametrize("model", LINEAR_MODELS, ids=lambda model: type(model).__name__)
def test_linear_models_give_their_coefficients(model):
    model.fit(X, y)
    assert np.array_equal(class_weight_matrix(model), model.coef_)
    assert np.array_equal(class_weight_matrix(FrozenEstimator(model), X[:1]), model.coef_)


def test_two_classes_share_the_coefficients_of_a_linear_model():
    model = LogisticRegression().fit(X[:100], y[:100])
    W = class_weight_matrix(model)
    assert np.array_equal(W, np.vstack([-model.coef_, model.coef_]) / 2)


def test_scalers_and_projections_of_a_pipeline_belong_to_the_weights():
    model = make_pipeline(StandardScaler(), PCA(2), LogisticRegression()).fit(X, y)
    scaler, pca, last = (step for _, step in model.steps)
    wanted = last.coef_ @ pca.components_ / scaler.scale_
    np.testing.assert_allclose(class_weight_matrix(model), wanted, rtol=1e-12)


def test_a_scaler_that_clips_is_taken_for_one_that_does_not():
    W = [
        class_weight_matrix(make_pipeline(MinMaxScaler(clip=clip), LogisticRegression()).fit(X, y))
        for clip in (False, True)
    ]
    assert np.array_equal(*W)


def test_a_perceptron_of_scikit_learn_gives_the_product_of_its_matrices():
    model = MLPClassifier((5, 6), max_iter=20, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    first, second, third = (layer.T for layer in model.coefs_)
    np.testing.assert_allclose(class_weight_matrix(model), third @ second @ first, rtol=1e-12)
    hidden = class_weight_matrix(model, layer="layers.2")
    np.testing.assert_allclose(hidden, third @ second, rtol=1e-12)


class Probabilities(nn.Sequential):
    """What skorch's own classifier wants: probabilities."""

    def __init__(self):
        super().__init__(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.Softmax(dim=-1))


def test_a_net_of_skorch_that_returns_probabilities_is_taken_by_its_logits():
    net = NeuralNetClassifier(Probabilities, max_epochs=1, train_split=None, verbose=0)
    net.fit(X.astype(np.float32), y)
    W = class_weight_matrix(net, input_shape=(4,))
    wanted = (net.module_[2].weight @ net.module_[0].weight).detach()
    np.testing.assert_allclose(W, wanted, rtol=1e-5)


NOT_LINEAR = [
    SVC(),
    make_pipeline(Normalizer(), LogisticRegression()),
]


@pytest.mark.parametrize("model", NOT_LINEAR, ids=lambda model: type(model).__name__)
def test_a_model_that_is_not_a_network_is_refused_and_its_mean_slope_taken(model):
    model.fit(X, y)
    with pytest.raises(NotLinearizableError, match="still not affine"):
        class_weight_matrix(model)
    assert class_weight_matrix(model, X, method="mean_jacobian").shape == (3, 4)


def test_the_mean_slope_of_a_linear_model_is_its_coefficients_however_many_samples():
    model = LogisticRegression(max_iter=1000).fit(X, y)
    many = np.tile(X, (4, 1))
    W = class_weight_matrix(model, many, method="mean_jacobian")
    np.testing.assert_allclose(W, model.coef_, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "layer", "weight"),
    [
        ("PreActResNet18", "classifier", lambda m: m.classifier.weight),
        ("WideResNet", "classifier", lambda m: m.classifier.weight),
        ("residual", "head.4", lambda m: m.head[4].weight),
        ("residual", "head.3", lambda m: m.head[4].weight),
    ],
)
def test_the_weights_of_a_layers_input(name, layer, weight):
    network = networks()[name]
    W = class_weight_matrix(network, input_shape=IMAGE, layer=layer)
    assert np.array_equal(W, weight(network).detach().double())


def test_the_weights_of_the_first_layers_input_are_the_networks():
    network = networks()["CIFARConvNet"]
    first, whole = (
        class_weight_matrix(network, input_shape=IMAGE, layer=layer)
        for layer in ("features.0", None)
    )
    np.testing.assert_allclose(first, whole, rtol=1e-12, atol=1e-15)


class Misleading(nn.Module):
    """Layers named like the wrappers around a user's network."""

    def __init__(self):
        super().__init__()
        self.stem, self.body, self.module = nn.Linear(7, 6), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.module(self.body(self.stem(x)).relu())


WRAPPED = {
    "module": lambda network: network,
    "view": as_module,
    "net": lambda network: NaturalNet.from_module(network, classes=range(3)),
    "compiled": torch.compile,
}


@pytest.mark.parametrize(("layer", "n_inputs"), [("stem", 7), ("body", 6), ("module", 5)])
@pytest.mark.parametrize("wrap", WRAPPED)
def test_a_layer_has_the_name_that_the_users_module_gives_it(wrap, layer, n_inputs):
    network = Misleading()
    W = class_weight_matrix(WRAPPED[wrap](network), input_shape=(7,), layer=layer)
    wanted = np.eye(3)
    for part in (network.module, network.body, network.stem)[: n_inputs - 4]:
        wanted = wanted @ part.weight.detach().double().numpy()
    np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-6)


class Pair(nn.Module):
    """The sum of two views, whose networks name their layers alike."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (as_module(nn.Sequential(nn.Linear(4, 3))) for _ in range(2))

    def forward(self, x):
        return self.a(x) + self.b(x)


def test_a_name_in_two_networks_is_ambiguous():
    with pytest.raises(ValueError, match="layer is '0', which 2 networks in .* have: compute the"):
        class_weight_matrix(Pair(), input_shape=(4,), layer="0")


def test_many_classes_go_back_in_chunks():
    network = nn.Sequential(nn.Linear(5, 70), nn.ReLU(), nn.Linear(70, 70)).double()
    W = class_weight_matrix(network, input_shape=(5,))
    wanted = (network[2].weight @ network[0].weight).detach()
    np.testing.assert_allclose(W, wanted, rtol=1e-12, atol=1e-15)


FAULTS = [
    ({}, "does not say what shape its samples have: pass X"),
    ({"input_shape": (4,), "X": np.zeros((2, 5))}, r"samples of shape \(4,\), but shape \(5,\)"),
    ({"input_shape": 4}, r"input_shape is 4; give the shape of one sample as a tuple"),
    ({"input_shape": (5,)}, r"fails on samples of shape \(5,\) .*pass samples.*else the net"),
    ({"method": "guess"}, "method is 'guess'; choose one of"),
    ({"method": "mean_jacobian"}, "averages.*over samples: pass X"),
    ({"method": "mean_jacobian", "X": np.zeros((2, 4)), "layer": "0"}, "leave layer out"),
    (
        {"input_shape": (4,), "layer": "7"},
        "'7', which linearised Sequential does not have; choose one of '0', '1'",
    ),
    ({"input_shape": (4,), "layer": "module.0"}, "which linearised Sequential does not have"),
    ({"input_shape": (4,), "layer": "1"}, "is not used"),
    ({"X": np.array([[np.nan] * 4])}, "NaN"),
]


@pytest.mark.parametrize(("params", "message"), FAULTS, ids=lambda value: str(value)[:30])
def test_what_makes_no_sense_is_refused(params, message):
    class Idle(nn.Sequential):
        def forward(self, x):
            return self[0](x)

    Idle.__name__ = "Sequential"
    with pytest.raises(ValueError, match=message):
        class_weight_matrix(Idle(nn.Linear(4, 3), nn.ReLU()), **params)


def test_what_returns_no_logits_is_refused():
    with pytest.raises(ValueError, match=r"GRU returns an output of shape \(1, 2, 3\); a class"):
        class_weight_matrix(nn.GRU(4, 3), input_shape=(2, 4))
    with pytest.raises(ValueError, match="at least two classes"):
        class_weight_matrix(nn.Linear(4, 1), input_shape=(4,))

    class Nameless(nn.Linear):
        def forward(self, x):
            return {0, 1}

    with pytest.raises(ValueError, match="Nameless returns set; a classifier returns logits"):
        class_weight_matrix(Nameless(4, 3), input_shape=(4,))


def test_logits_are_found_by_their_name():
    class Named(nn.Linear):
        def forward(self, x):
            return {"logits": super().forward(x)}

    network = Named(4, 3)
    W = class_weight_matrix(network, input_shape=(4,))
    np.testing.assert_allclose(W, network.weight.detach().numpy(), rtol=1e-6)


def test_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError, match="call fit"):
        class_weight_matrix(LogisticRegression())
    with pytest.raises(NotFittedError, match="call fit"):
        linearize(NaturalNet())


rows = arrays(float, (4, 3), elements=st.floats(-5, 5).filter(lambda v: abs(v) > 1e-3))


@given(rows, st.floats(0.01, 100))
def test_the_correlation_is_a_cosine(W, factor):
    C = weight_correlation(W)
    assert np.array_equal(C, C.T) and np.array_equal(np.diag(C), np.ones(4))
    assert np.abs(C).max() <= 1
    W2 = W * np.array([[factor], [1], [1], [1]])
    np.testing.assert_allclose(weight_correlation(W2), C, rtol=0, atol=1e-9)
    wanted = W[0] @ W[1] / np.sqrt(W[0] @ W[0] * (W[1] @ W[1]))
    assert abs(C[0, 1] - wanted) < 1e-9


def test_centring_removes_what_a_softmax_does_not_see_or_gives_pearsons_correlation():
    W = np.random.default_rng(0).normal(size=(5, 8))
    shifted = W + 10 * W[0]
    np.testing.assert_allclose(
        weight_correlation(W, center="classes"), weight_correlation(shifted, center="classes")
    )
    assert np.abs(weight_correlation(W) - weight_correlation(shifted)).max() > 0.5
    np.testing.assert_allclose(weight_correlation(W, center="features"), np.corrcoef(W))


def test_tiny_weights_have_angles_too():
    W = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(weight_correlation(1e-200 * W), weight_correlation(W))


# Weights of which row 1 has no direction, and what the message calls it.
LOST = [
    ([[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]], None, "zero"),
    ([[1.0, 2.0, 4.0], [0.1, 0.1, 0.1], [2.0, 1.0, 1.0]], "features", "constant"),
    ([[0.1, 0.7, 0.1], [0.2, 0.4, 0.3], [0.3, 0.1, 0.5]], "classes", "equal to the mean of all"),
    ([[1e6, -1e6], [0.0, 0.1], [-1e6, 1e6 + 0.2]], "classes", "equal to the mean of all rows"),
]


@pytest.mark.parametrize(("W", "center", "what"), LOST, ids=lambda value: str(value)[:20])
def test_a_row_that_rounding_alone_keeps_from_zero_has_no_correlation(W, center, what):
    with pytest.warns(UserWarning, match=rf"rows \[1\] are {what}.*counts as 0"):
        C = weight_correlation(W, center=center)
    assert np.array_equal(C[1], [0, 1, 0]) and abs(C[0, 2]) > 0.3


@pytest.mark.parametrize("center", ["classes", "features", None])
def test_weights_without_any_direction_are_refused(center):
    W = np.zeros((3, 7)) if center is None else np.full((3, 7), 0.1)
    with pytest.raises(ValueError, match=r"rows \[0, 1, 2\] are .*not defined"):
        weight_correlation(W, center=center)
    with pytest.raises(ValueError, match="center is 'rows'; choose one of"):
        weight_correlation(W, center="rows")
