"""Each classifier's view: the same logits, the same labels, the same slopes."""

import pickle
from inspect import signature

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import ComplementNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC

from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotDifferentiableError

QUICK_MLP = {"hidden_layer_sizes": (7, 5), "max_iter": 2000, "tol": 1e-2, "random_state": 0}
QUICK_CV = {"Cs": 2, "cv": 2, "max_iter": 1000}
if "use_legacy_attributes" in signature(LogisticRegressionCV).parameters:
    # Their defaults are about to change in scikit-learn 1.10.
    QUICK_CV |= {"l1_ratios": (0,), "use_legacy_attributes": False, "scoring": "neg_log_loss"}

CLASSIFIERS = {
    "logistic": LogisticRegression(max_iter=1000),
    "logistic-cv": LogisticRegressionCV(**QUICK_CV),
    "linear-svc": LinearSVC(),
    "sgd-hinge": SGDClassifier(random_state=0),
    "sgd-log": SGDClassifier(loss="log_loss", random_state=0),
    "sgd-huber": SGDClassifier(loss="modified_huber", random_state=0),
    "ridge": RidgeClassifier(),
    "ridge-cv": RidgeClassifierCV(),
    "perceptron": Perceptron(random_state=0),
    "lda-svd": LinearDiscriminantAnalysis(),
    "lda-lsqr": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "lda-eigen": LinearDiscriminantAnalysis(solver="eigen"),
    "qda": QuadraticDiscriminantAnalysis(reg_param=0.1),
    "gaussian-nb": GaussianNB(),
    "multinomial-nb": MultinomialNB(),
    "complement-nb": ComplementNB(),
    **{
        f"mlp-{activation}": MLPClassifier(activation=activation, **QUICK_MLP)
        for activation in ("identity", "logistic", "tanh", "relu")
    },
    **{
        f"svc-{kernel}": SVC(kernel=kernel, break_ties=True, coef0=0.5)
        for kernel in ("linear", "rbf", "poly", "sigmoid")
    },
    "svc-auto": SVC(gamma="auto"),
    "svc-number": SVC(gamma=0.2, kernel="poly", degree=2),
    "nu-svc": NuSVC(nu=0.3),
    "rest-svc": OneVsRestClassifier(LinearSVC()),
    "rest-logistic": OneVsRestClassifier(LogisticRegression(max_iter=1000)),
    "rest-bayes": OneVsRestClassifier(GaussianNB()),
    "one-svc": OneVsOneClassifier(LinearSVC()),
    "one-logistic": OneVsOneClassifier(LogisticRegression(max_iter=1000)),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_logits_labels_and_slopes_are_those_of_the_classifier(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes, names=["moss", "ash", "elm"])
    model = CLASSIFIERS[name].fit(X, y)
    view = agrees(model, X, "predict_proba" if name == "rest-bayes" else None)
    np.testing.assert_array_equal(view.classes_, model.classes_)
    assert view.input_shape == (4,)


@pytest.mark.parametrize("name", ["logistic", "svc-rbf", "mlp-relu", "rest-bayes", "gaussian-nb"])
def test_float32_samples_give_float64_logits(flowers, name):
    X, y = flowers()
    view = as_module(CLASSIFIERS[name].fit(X, y))
    z = view(torch.tensor(X, dtype=torch.float32))
    assert z.dtype == torch.float64
    torch.testing.assert_close(z, view(torch.tensor(X)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_views_survive_pickling_and_moving(flowers, moves, name):
    X, y = flowers()
    view = as_module(CLASSIFIERS[name].fit(X, y))
    moves(view, X)
    moves(view.surrogate, X)
    x = torch.tensor(X)
    assert torch.equal(pickle.loads(pickle.dumps(view))(x), view(x))


@pytest.mark.parametrize("model", [MLPClassifier(max_iter=2), OneVsRestClassifier(GaussianNB())])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_labels_a_sample_are_refused(flowers, model):
    X, y = flowers()
    labels = np.stack([y == 0, y != 1, y == 2], axis=1).astype(int)
    with pytest.raises(NotDifferentiableError, match="one class for each sample"):
        as_module(model.fit(X, labels))
