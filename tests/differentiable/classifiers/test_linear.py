"""Linear classifiers as modules."""

from sklearn.linear_model import LogisticRegression


def test_sparse_coefficients_are_read(agrees, flowers):
    X, y = flowers()
    agrees(LogisticRegression(max_iter=1000).fit(X, y).sparsify(), X)
