"""Votes on noisy copies of samples."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_robust.certification import SmoothedClassifier, _votes


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    model = SmoothedClassifier(LogisticRegression(max_iter=1000), sigma=0.5, random_state=0)
    return model.fit(X, y), X[::15].astype(np.float32)


def test_noise_follows_from_sample_seed_and_stream():
    row = np.arange(4, dtype=np.float32)
    noise = _votes.noise_of(row, 0, 0, 5)
    assert noise.shape == (5, 4)
    assert np.array_equal(noise, _votes.noise_of(row.copy(), 0, 0, 5))
    for other in ((row + 1, 0, 0), (row, 1, 0), (row, 0, 1)):
        assert not np.array_equal(noise, _votes.noise_of(*other, 5))


def test_votes_are_counts_of_predicted_classes(fitted):
    model, X = fitted
    votes = _votes.count_votes(model, X, 1, 20)
    for row, counts in zip(X, votes, strict=True):
        noisy = _votes.add_noise(row, 0.5, _votes.noise_of(row, model.seed_, 1, 20))
        assert counts.tolist() == np.bincount(model.estimator_.predict(noisy), minlength=3).tolist()


def test_votes_do_not_depend_on_the_size_of_a_call(fitted, monkeypatch):
    model, X = fitted
    votes = _votes.count_votes(model, X, 0, 20)
    monkeypatch.setattr(_votes, "_MEMORY", 1)
    assert np.array_equal(votes, _votes.count_votes(model, X, 0, 20))
