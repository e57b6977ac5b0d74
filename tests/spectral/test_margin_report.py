"""Margins against closed forms, in float64."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import BIM, FAB, PGD, DeepFool
from sklearn_robust.datasets import load_digits_images, load_moons
from sklearn_robust.spectral import generalization_bound_terms, margin_report
from tests.spectral.margins import DUAL, closed_form
from tests.spectral.models import Shortcut, randomized


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32).astype(np.float64)  # attacks work in float32
    return X, y, LogisticRegression(max_iter=1000).fit(X, y)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits_images()
    net = NaturalNet(max_epochs=2, random_state=0).fit(X[:600], y[:600])
    return X[600:700], y[600:700], net


@pytest.mark.parametrize("norm", DUAL)
def test_every_margin_in_the_input_is_exact_on_a_linear_model(iris, norm):
    X, y, model = iris
    report = margin_report(model, X, y, attack=DeepFool(norm=norm, bounds=None))
    exact = closed_form(model, X, norm)
    assert report.norm == norm
    np.testing.assert_allclose(report.input_linear, exact, rtol=1e-9)
    np.testing.assert_allclose(report.input_upper, exact, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(report.feature, closed_form(model, X, "l2"), rtol=1e-9)
    if norm == "l2":
        np.testing.assert_allclose(report.input_lower, exact, rtol=1e-9)
    assert (report.input_lower <= exact * (1 + 1e-9)).all()


def test_bisection_finds_the_same_distance(iris):
    X, y = (part[:100:10] for part in iris[:2])
    model = LogisticRegression().fit(X, y)
    low, high = np.zeros(10), np.full(10, 4.0)
    for _ in range(12):
        eps = (low + high) / 2
        attacks = [BIM(eps=float(e), norm="l2", bounds=None, max_iter=2) for e in eps]
        hit = [a.evaluate(model, X[[i]]).fooled[0] for i, a in enumerate(attacks)]
        low, high = np.where(hit, low, eps), np.where(hit, eps, high)
    np.testing.assert_allclose(margin_report(model, X, y).feature, high, atol=2e-3)


def test_by_hand_with_three_classes():
    class Given(nn.Module):
        def forward(self, x):
            return x

    z = np.array([[2.0, 0.5, -1.0], [0.0, 3.0, 2.5], [1.0, 1.0, 0.0]])
    report = margin_report(Given(), z, np.array([0, 2, 1]), kinds=("output", "softmax"), tau=0.4)
    np.testing.assert_allclose(report.output, [1.5, -0.5, 0])
    np.testing.assert_allclose(report.prediction, [1.5, 0.5, 0])
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(report.softmax, [p[0, 0] - p[0, 1], p[1, 2] - p[1, 1], 0])
    np.testing.assert_allclose(report.confidence, p.max(1))
    np.testing.assert_allclose(report.loss, -np.log([p[0, 0], p[1, 2], p[2, 1]]))
    assert report.correct.tolist() == [True, False, False]
    assert report.summary.output.near == pytest.approx(1 / 3)  # far on the wrong side is not near
    assert report.summary.output.min_correct == 1.5 and report.summary.output.min == -0.5
    assert report.right.n == 1 and report.wrong.n == 2
    assert report.wrong.loss_mean == pytest.approx(report.loss[1:].mean())
    assert report.right.confidence_mean == pytest.approx(p[0].max())


MODELS = {
    "net": lambda X, y: NaturalNet(max_epochs=10, random_state=0).fit(X, y),
    "pipeline": lambda X, y: make_pipeline(
        StandardScaler(), NaturalNet(max_epochs=5, random_state=0)
    ).fit(X, y),
    "mlp": lambda X, y: MLPClassifier((8,), max_iter=1000, tol=1e-2, random_state=0).fit(X, y),
    "linear": lambda X, y: LogisticRegression().fit(X, y),
}


@pytest.mark.parametrize("norm", DUAL)
@pytest.mark.parametrize("name", MODELS)
def test_the_lower_bound_is_below_what_any_attack_finds(name, norm):
    X, y = load_moons(120, random_state=0)
    report = margin_report(
        MODELS[name](X, y), X, y, attack=FAB(norm=norm, bounds=None, random_state=0)
    )
    assert report.notes == [] and (report.input_lower > 0).all()
    assert (report.input_lower <= report.input_upper * (1 + 1e-5)).all()
    assert (report.input_lower <= report.input_linear * (1 + 1e-5)).all()
    assert (abs(report.softmax) <= 1).all()
    assert ((report.output < 0) == ~report.correct).all()
    np.testing.assert_array_equal(np.abs(report.output), report.prediction)  # two classes


def test_no_point_within_the_lower_bound_is_predicted_otherwise(digits):
    X, y, net = digits
    report = margin_report(net, X, y)
    d = np.random.default_rng(0).normal(size=X.shape)
    d *= (report.input_lower / np.linalg.norm(d.reshape(len(d), -1), axis=1)).reshape(-1, 1, 1, 1)
    assert (net.predict((X + d).astype(np.float32)) == net.predict(X)).all()
    assert (report.input_lower < report.input_upper).all()


def test_a_net_with_shortcuts_has_a_lower_bound_too():
    net = randomized(Shortcut())
    X = np.random.default_rng(0).random((20, 2, 4, 4))
    report = margin_report(net, X, np.zeros(20, int))
    assert 0 < report.lipschitz < math.inf and report.notes == []
    assert (report.input_lower <= report.input_upper).all()


def test_what_cannot_be_measured_is_said(iris):
    X, y, _ = iris
    report = margin_report(GaussianNB().fit(X, y), X, y)
    assert np.isnan(report.feature).all() and (report.input_lower == 0).all()
    assert report.notes[0] == "feature: GaussianNB does not end in a linear layer"
    assert "no Lipschitz constant is known of" in report.notes[1]
    assert margin_report(SVC().fit(X, y), X[:5], y[:5], kinds="output").notes == []


def test_only_the_kinds_asked_for_are_measured(iris):
    X, y, model = iris
    report = margin_report(model, X, y, kinds="softmax")
    assert "softmax" in report.summary and "prediction" in report.summary
    assert not {"output", "feature", "input_upper", "lipschitz"} & set(report)


def test_samples_that_no_attack_moves_over_are_counted_apart(iris):
    X, y, model = iris
    report = margin_report(model, X, y, attack=DeepFool(eps=0.3, bounds=None))
    far = closed_form(model, X, "l2") > 0.31
    assert np.isinf(report.input_upper[far]).all()
    numbers = report.summary.input_upper
    assert numbers.n_infinite == np.isinf(report.input_upper).sum() and math.isfinite(numbers.mean)


def test_wasserstein_distance_to_another_model_or_its_report(iris):
    X, y, model = iris
    other = LogisticRegression(C=0.01).fit(X, y)
    reference = margin_report(other, X, y, kinds=("output", "softmax"))
    report = margin_report(model, X, y, kinds=("output", "softmax"), reference=reference)
    expected = wasserstein_distance(report.softmax, reference.softmax)
    assert report.wasserstein.softmax == pytest.approx(expected)
    assert expected > 0.1
    again = margin_report(model, X, y, kinds=("output", "softmax"), reference=other)
    assert again.wasserstein == report.wasserstein
    itself = margin_report(model, X, y, kinds=("output",), reference=model)
    assert itself.wasserstein.output == 0


def test_each_kind_may_have_its_own_tau(iris):
    X, y, model = iris
    report = margin_report(model, X, y, tau={"softmax": 1.0, "input": 0.0})
    assert report.summary.softmax.near == 1 and report.summary.input_upper.near == 0


def test_labels_of_any_kind_and_batches_of_any_size(iris):
    X, y, _ = iris
    names = np.array(["a", "b", "c"])[y]
    model = LogisticRegression(max_iter=1000).fit(X, names)
    a, b = (margin_report(model, X, names, batch_size=size) for size in (7, None))
    for kind in ("output", "feature", "input_linear", "input_lower"):
        np.testing.assert_allclose(a[kind], b[kind], rtol=1e-12)


def test_bad_input_is_told_what_to_type(iris):
    X, y, model = iris
    for options, words in [
        ({"kinds": ("outputs",)}, "choose one of"),
        ({"tau": -1}, "tau is -1"),
        ({"tau": {"soft": 0.1}}, "a key of tau is 'soft'; choose one of"),
    ]:
        with pytest.raises(ValueError, match=words):
            margin_report(model, X, y, **options)
    with pytest.raises(ValueError, match="150 samples and y has 3"):
        margin_report(model, X, y[:3])
    with pytest.raises(ValueError, match="y is None: give the true labels"):
        margin_report(model, X, None)
    with pytest.raises(ValueError, match=r"Linear fails on samples of shape \(4,\)"):
        margin_report(nn.Linear(5, 3), X, y)
    for measure in (margin_report, partial(generalization_bound_terms, eps=0.1)):
        with pytest.raises(TypeError, match="give an attack instance"):
            measure(model, X, y, attack=DeepFool)
        with pytest.raises(
            ValueError, match="a distance to the boundary is wanted: give MinimumNorm"
        ):
            measure(model, X, y, attack=PGD(eps=0.1))
    with pytest.raises(ValueError, match=r"give MinimumNorm\(norm='l2'\)"):
        generalization_bound_terms(model, X, y, eps=0.1, attack=DeepFool(norm="linf"))
    with pytest.raises(ValueError, match="not fitted on"):
        margin_report(model, X, y + 7)


def test_nan_weights_and_logits_without_a_boundary_are_refused(iris):
    X, y, _ = iris
    broken = nn.Linear(4, 3)
    nn.init.constant_(broken.weight, float("nan"))
    for measure in (margin_report, partial(generalization_bound_terms, eps=0.1)):
        with pytest.raises(ValueError, match="logits of Linear are NaN at sample 0: fix the model"):
            measure(broken, X, y)
    with pytest.raises(ValueError, match="Constant do not depend on the sample.*kinds="):
        margin_report(Constant(), X, y)
    assert set(margin_report(Constant(), X, y, kinds=("output",)).output) == {-2, -1, 1}


class Constant(nn.Module):
    """Three logits that never change."""

    def forward(self, x):
        return torch.arange(3.0).expand(len(x), 3)


def test_float64_modules_are_measured_in_float64():
    torch.manual_seed(0)
    module = nn.Linear(3, 3).double()
    X = np.random.default_rng(0).normal(size=(20, 3))
    report = margin_report(module, X, np.zeros(20, int), kinds=("output",))
    z = X @ module.weight.detach().numpy().T + module.bias.detach().numpy()
    np.testing.assert_allclose(report.output, z[:, 0] - z[:, 1:].max(1), atol=1e-13)


class _BatchStatistics(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return nn.functional.batch_norm(self.linear(x), None, None, training=True)


def test_statistics_of_the_batch_are_refused():
    X, y = load_iris(return_X_y=True)
    for n in (len(X), 2):
        with pytest.raises(ValueError, match="depend on the other samples of its batch"):
            margin_report(_BatchStatistics(), X[:n], y[:n])
