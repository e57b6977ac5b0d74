"""Classifiers that displays draw."""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

X, Y = load_digits(return_X_y=True)
X, Y = X[:60] / 16, Y[:60]
MODELS = {str(C): LogisticRegression(C=C, max_iter=1000).fit(X, Y) for C in (0.01, 1)}
