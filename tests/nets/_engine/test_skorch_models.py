"""Nets of skorch, ours and other people's, as differentiable modules."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import PGD
from sklearn_robust.differentiable import as_module
from tests.cases import NETS, Normalised, blobs, quick, same_state, state_of

X, Y = blobs(60)
THIRDS, Y3 = blobs(60, labels=(0, 1, 2), seed=3)


class Probabilities(nn.Sequential):
    """What skorch expects by default."""

    def __init__(self, n_classes=2):
        super().__init__(nn.Linear(4, n_classes), nn.Softmax(1))


class OneLogit(nn.Linear):
    """What skorch's binary classifier expects."""

    def __init__(self, flat=False):
        super().__init__(4, 1)
        self.flat = flat

    def forward(self, x):
        z = super().forward(x)
        return z[:, 0] if self.flat else z


SKORCH = {"max_epochs": 5, "lr": 0.3, "verbose": 0, "train_split": None}


def classifier(module, y, **params):
    torch.manual_seed(0)
    return NeuralNetClassifier(module, **SKORCH, **params).fit(THIRDS if y is Y3 else X, y)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_view_of_a_net_gives_its_logits_in_the_dtype_of_its_input(net, dtype):
    fitted = quick(net, module=Normalised).fit(X, np.array(["no", "yes"])[Y])
    before = state_of(fitted.module_)
    view = as_module(fitted)
    x = torch.tensor(X, dtype=dtype, requires_grad=True)
    z = view(x)
    assert z.dtype == dtype and view.classes_.tolist() == ["no", "yes"]
    assert view.input_shape == (4,)
    wanted = fitted.decision_function(X)
    np.testing.assert_allclose((z[:, 1] - z[:, 0]).detach(), wanted, rtol=1e-4, atol=1e-6)
    (slope,) = torch.autograd.grad(z.sum(), x)
    assert slope.isfinite().all()
    same_state(fitted.module_, before)


def test_a_view_is_a_copy():
    net = quick(NaturalNet, module=Normalised).fit(X, Y)
    view = as_module(net)
    before = view(torch.tensor(X))
    net.partial_fit(X, Y)
    torch.testing.assert_close(view(torch.tensor(X)), before, rtol=0, atol=0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_skorchs_default_classifier_returns_probabilities_whose_logarithm_serves(n_classes):
    x, y = (X, Y) if n_classes == 2 else (THIRDS, Y3)
    net = classifier(Probabilities, y, module__n_classes=n_classes)
    view = as_module(net)
    found = view(torch.tensor(x)).softmax(1).numpy()
    np.testing.assert_allclose(found, net.predict_proba(x), atol=1e-6)
    assert 0 < robust_score(net, x, y, attack=PGD(eps=0.02, random_state=0)) <= net.score(x, y)


def test_a_probability_of_nought_has_a_finite_logarithm():
    class Certain(nn.Linear):
        def forward(self, x):
            return torch.stack([torch.zeros(len(x)), torch.ones(len(x))], 1) + 0 * super().forward(
                x
            )

    z = as_module(classifier(lambda: Certain(4, 2), Y, optimizer__lr=0))(torch.tensor(X))
    assert z.isfinite().all() and (z.argmax(1) == 1).all()


def test_a_skorch_classifier_of_logits_is_its_module():
    size = {"module__in_features": 4, "module__out_features": 3}
    net = classifier(nn.Linear, Y3, criterion=nn.CrossEntropyLoss, **size)
    x = torch.tensor(THIRDS)
    torch.testing.assert_close(as_module(net)(x), net.module_(x))
    assert robust_score(net, THIRDS, Y3, attack=PGD(eps=0.02, random_state=0)) > 0


@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("flat", [True, False], ids=["(n,)", "(n, 1)"])
def test_skorchs_binary_classifier_decides_at_its_threshold(flat, threshold):
    torch.manual_seed(0)
    net = NeuralNetBinaryClassifier(OneLogit, module__flat=flat, threshold=threshold, **SKORCH)
    net.fit(X, Y.astype(np.float32))
    view = as_module(net)
    codes = view(torch.tensor(X)).argmax(1).numpy()
    np.testing.assert_array_equal(codes, np.ravel(net.predict(X)))
    assert view.classes_.tolist() == [0, 1]


def test_the_score_of_skorchs_binary_classifier_is_at_most_its_accuracy():
    torch.manual_seed(0)
    net = NeuralNetBinaryClassifier(OneLogit, module__flat=True, **SKORCH)
    net.fit(X, Y.astype(np.float32))
    scores = [
        robust_score(net, X, Y, attack=PGD(eps=eps, random_state=0)) for eps in (0, 0.05, 0.3)
    ]
    assert scores[0] == np.mean(net.predict(X) == Y)
    assert scores[0] >= scores[1] >= scores[2]


def test_what_is_no_classifier_is_refused():
    torch.manual_seed(0)
    net = NeuralNetRegressor(OneLogit, **SKORCH).fit(X, X[:, :1])
    with pytest.raises(
        ValueError, match="NeuralNetRegressor predicts numbers, .*NeuralNetClassifier"
    ):
        robust_score(net, X, Y, attack=PGD(eps=0.1))


@pytest.mark.parametrize("net", [NaturalNet(), NeuralNetClassifier(Probabilities)], ids=type)
def test_an_unfitted_net_is_refused(net):
    with pytest.raises(NotFittedError, match="is not fitted yet: call fit"):
        as_module(net)
