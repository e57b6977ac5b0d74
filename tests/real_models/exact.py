"""Models whose robust accuracy is known, and ways to ask for it."""

import numpy as np
import torch

from tests.real_models.oracle import tensor_of
from tests.real_models.verdicts import is_ours

__all__ = ["affine_map", "exact_mask", "linear_score", "refused", "right_or_refused"]


def affine_map(module, shape):
    """Weight (n_classes, *shape) and bias of a module that is affine, found by plain torch."""
    n = int(np.prod(shape))
    with torch.no_grad():
        bias = tensor_of(module(torch.zeros(1, *shape)))[0].double()
        rows = tensor_of(module(torch.eye(n).reshape(n, *shape))).double() - bias
        middle = tensor_of(module(torch.full((1, *shape), 0.5)))[0].double()
    assert torch.allclose(middle, bias + 0.5 * rows.sum(0), atol=1e-4), "the module is not affine"
    return rows.T.numpy(), bias.numpy()


def exact_mask(W, b, X, y, eps):
    """Which rows of X a linear model keeps right in a linf ball (eps may be one per feature)."""
    X = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    z, kept = X @ W.T + b, np.ones(len(X), dtype=bool)
    eps = np.broadcast_to(np.asarray(eps, dtype=float).ravel(), X.shape[1:])
    for k in range(len(W)):
        lead = z[np.arange(len(X)), y] - z[:, k]
        kept &= (y == k) | (lead > (np.abs(W[y] - W[k]) * eps).sum(1))
    return kept


def linear_score(model, X, y, eps):
    """Exact robust accuracy of scikit-learn's linear classifier, of codes y and no box."""
    W, b = model.coef_, model.intercept_
    if len(W) == 1:
        W, b = np.vstack([-W, W]) / 2, np.r_[-b, b] / 2
    return exact_mask(W, b, X, np.asarray(y), eps).mean()


def refused(call, match, error=(ValueError, TypeError)):
    """Assert that a call ends in a sentence of ours that holds ``match``."""
    try:
        call()
    except error as caught:
        assert is_ours(caught), f"not our sentence: {type(caught).__name__}: {caught}"
        assert match in str(caught), f"{match!r} is not in {str(caught)!r}"
        return
    raise AssertionError("nothing was refused")


def right_or_refused(call, right, match, atol=1e-9):
    """Assert that a call returns ``right``, or ends in a sentence of ours that holds ``match``."""
    try:
        got = call()
    except (ValueError, TypeError) as caught:
        assert is_ours(caught), f"not our sentence: {type(caught).__name__}: {caught}"
        assert match in str(caught), f"{match!r} is not in {str(caught)!r}"
        return
    np.testing.assert_allclose(got, right, rtol=0, atol=atol)
