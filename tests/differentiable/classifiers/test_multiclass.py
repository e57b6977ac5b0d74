"""Classifiers made of binary ones, as modules."""

import numpy as np
import torch
from sklearn.multiclass import OneVsOneClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from sklearn_robust.differentiable import as_module


def test_two_classes_one_against_one_are_split_at_the_threshold_of_predict(flowers):
    X, y = flowers(2)
    for member in (LinearSVC(), GaussianNB()):
        model = OneVsOneClassifier(member).fit(X, y)
        z = as_module(model)(torch.tensor(X)).numpy()
        threshold = 0.0 if isinstance(member, LinearSVC) else 0.5
        np.testing.assert_allclose(
            z[:, 1] - z[:, 0], model.decision_function(X) - threshold, atol=1e-8
        )
        np.testing.assert_array_equal(model.classes_[z.argmax(1)], model.predict(X))


def test_one_against_one_of_probabilities_is_its_decision_function(agrees, flowers):
    X, y = flowers()
    agrees(OneVsOneClassifier(GaussianNB()).fit(X, y), X)
