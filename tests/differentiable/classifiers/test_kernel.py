"""Support vector machines as modules."""

import numpy as np
import pytest
import torch
from sklearn.svm import SVC, NuSVC

from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotDifferentiableError


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
