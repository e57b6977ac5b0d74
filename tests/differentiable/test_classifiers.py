"""Each classifier's view: the same logits, the same labels, the same slopes."""

import pickle
from inspect import signature

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import StackingClassifier
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from torch import nn

from sklearn_robust.attacks import PGD
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


def test_sparse_coefficients_are_read(agrees, flowers):
    X, y = flowers()
    agrees(LogisticRegression(max_iter=1000).fit(X, y).sparsify(), X)


def test_svc_fitted_on_a_sparse_matrix_is_viewed(agrees, flowers):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = flowers()
    model = SVC().fit(sparse.csr_matrix(X), y)
    dense = SVC().fit(X, y)
    z = as_module(model)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z, dense.decision_function(X), atol=1e-6)


@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_pairwise_svc_has_the_logits_of_its_votes(flowers, kind):
    X, y = flowers()
    nu = {"nu": 0.3} if kind is NuSVC else {}
    paired = kind(decision_function_shape="ovo", **nu).fit(X, y)
    voting = kind(decision_function_shape="ovr", **nu).fit(X, y)
    view = as_module(paired)
    np.testing.assert_allclose(
        view(torch.tensor(X)).numpy(), voting.decision_function(X), atol=1e-8
    )
    np.testing.assert_allclose(
        view.body.decision(torch.tensor(X)).numpy(), paired.decision_function(X), atol=1e-8
    )


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_votes_and_surrogate_name_the_predicted_class_of_many(kernel):
    X, y = load_digits(return_X_y=True)
    model = SVC(kernel=kernel).fit(X[::2], y[::2])
    ties_broken = SVC(kernel=kernel, break_ties=True).fit(X[::2], y[::2])
    view = as_module(model)
    x = torch.tensor(X[1::2])
    with torch.no_grad():
        votes, smooth = (module(x).argmax(1).numpy() for module in (view, view.surrogate))
    np.testing.assert_array_equal(votes, ties_broken.predict(X[1::2]))
    assert np.mean(votes == model.predict(X[1::2])) > 0.98
    assert np.mean(smooth == model.predict(X[1::2])) > 0.98


VOTERS = {
    "svc": SVC(kernel="linear"),
    "svc-pairs": SVC(decision_function_shape="ovo"),
    "nu-svc": make_pipeline(MinMaxScaler(), NuSVC(nu=0.1)),
    "one-against-one": OneVsOneClassifier(LinearSVC()),
    "calibrated": CalibratedClassifierCV(SVC(kernel="linear"), cv=2),
    "stacked": StackingClassifier(
        [("svc", SVC(kernel="linear"))], LogisticRegression(max_iter=500), cv=2
    ),
}


@pytest.mark.parametrize("name", VOTERS)
def test_the_surrogate_fools_a_voting_classifier_more_than_its_votes_do(name):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    model = VOTERS[name].fit(X[::3], y[::3])
    view = as_module(model)
    x, codes = torch.tensor(X[1:301:3]), torch.tensor(y[1:301:3])
    with torch.no_grad():
        same = view.surrogate(x).argmax(1) == view(x).argmax(1)
    assert same.double().mean() >= 0.95
    attack = PGD(eps=0.15, max_iter=10, loss="margin", random_state=0)

    def accuracy(followed):
        return np.mean(model.predict(attack.perturb(followed, x, codes).numpy()) == codes.numpy())

    assert accuracy(view.surrogate) < accuracy(view) - 0.05
    assert view.surrogate.input_shape == (64,)
    np.testing.assert_array_equal(view.surrogate.classes_, view.classes_)


@pytest.mark.parametrize("model", [SVC(), LinearSVC(), OneVsRestClassifier(LinearSVC())], ids=str)
def test_logits_that_do_not_jump_are_their_own_surrogate(flowers, model):
    view = as_module(model.fit(*flowers(2)))
    assert view.surrogate is view


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


def test_a_plain_module_is_copied_and_left_alone():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    view = as_module(module)
    x = torch.randn(5, 3)
    wanted = module.eval()(x).detach()
    module.train()
    module[0].weight.data.zero_()
    assert torch.equal(view(x), wanted)
    assert view(x.double()).dtype == torch.float64
    assert module.training and all(p.requires_grad for p in module.parameters())
    np.testing.assert_array_equal(view.classes_, [0, 1])


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


@pytest.mark.parametrize("model", [MLPClassifier(max_iter=2), OneVsRestClassifier(GaussianNB())])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_labels_a_sample_are_refused(flowers, model):
    X, y = flowers()
    labels = np.stack([y == 0, y != 1, y == 2], axis=1).astype(int)
    with pytest.raises(NotDifferentiableError, match="one class for each sample"):
        as_module(model.fit(X, labels))
