"""Support vector machines as modules."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC, NuSVC

from sklearn_robust.attacks import PGD
from sklearn_robust.differentiable import as_module, open_model
from sklearn_robust.exceptions import NotDifferentiableError
from sklearn_robust.metrics import robust_score


def test_svc_fitted_on_a_sparse_matrix_is_viewed(agrees, flowers):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = flowers()
    model = SVC().fit(sparse.csr_matrix(X), y)
    dense = SVC().fit(X, y)
    z = as_module(model)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z, dense.decision_function(X), atol=1e-6)


def test_an_rbf_kernel_keeps_its_digits_far_from_zero(flowers):
    X, y = flowers(2)
    X = X + [0, 1e8, 0, 0]
    model = SVC(gamma=0.3).fit(X, y)
    z = as_module(model)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z[:, 1] - z[:, 0], model.decision_function(X), atol=1e-5)


def test_kernels_that_torch_cannot_follow_are_refused(flowers):
    X, y = flowers()
    with pytest.raises(NotDifferentiableError, match="kernel='precomputed'.*choose one of"):
        as_module(SVC(kernel="precomputed").fit(X @ X.T, y))
    with pytest.raises(NotDifferentiableError, match="kernel=<function"):
        as_module(NuSVC(kernel=_dot).fit(X, y))


def _dot(A, B):
    return A @ B.T


def _two_petals(n_classes=3):
    X, y = load_iris(return_X_y=True)
    X = MinMaxScaler().fit_transform(X)[:, 2:].astype(np.float32)
    X, y = X[y >= 3 - n_classes], y[y >= 3 - n_classes]
    return SVC().fit(X, y), X, y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("eps", [0.3, 1.0])
def test_attacks_find_nearly_what_a_dense_grid_finds(eps, n_classes):
    """The decision function of an RBF kernel fades far from data, away from every class."""
    model, X, y = _two_petals(n_classes)
    steps = np.linspace(-eps, eps, 41)
    moves = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    robust = np.ones(len(X), dtype=bool)
    for move in moves:
        left = np.flatnonzero(robust)
        if len(left):
            robust[left] = model.predict(np.clip(X[left] + move, 0, 1)) == y[left]
    for loss in ("cross_entropy", "margin"):
        attack = PGD(eps=eps, bounds=(0, 1), max_iter=20, loss=loss, random_state=0)
        assert robust_score(model, X, y, attack=attack) <= robust.mean() + 0.02


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_attacks_follow_names_the_predicted_class_far_from_data_too(n_classes):
    model, _, _ = _two_petals(n_classes)
    X = np.random.default_rng(0).uniform(-1, 2, (2000, 2)).astype(np.float32)
    guide, far = open_model(model).guide, torch.full((1, 2), 1e4)
    x = torch.tensor(X)
    same = guide.classes_[guide(x).argmax(1).numpy()] == model.predict(X)
    assert same.mean() > 0.99
    assert torch.isfinite(guide(far)).all()
    z = open_model(model).logits(x)
    torch.testing.assert_close(z, as_module(model).surrogate(x))
