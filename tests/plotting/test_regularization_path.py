"""The path is drawn as it was read."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, validation_curve
from sklearn.utils import Bunch

from sklearn_robust.plotting import RegularizationPathDisplay
from sklearn_robust.spectral import regularization_path


@pytest.fixture(scope="module")
def search():
    X, y = load_iris(return_X_y=True)
    return GridSearchCV(
        LogisticRegression(max_iter=2000),
        {"C": [1.0, 0.01, 0.1]},
        scoring={"accuracy": "accuracy", "neg_log_loss": "neg_log_loss", "f1": "f1_macro"},
        refit=False,
        cv=3,
        return_train_score=True,
    ).fit(X, y)


@pytest.mark.parametrize(
    ("kind", "columns", "label"),
    [
        (None, ["train_error", "test_error", "error_gap"], "error (share)"),
        ("loss", ["train_loss", "test_loss", "loss_gap"], "cross-entropy (nats)"),
        ("f1", ["train_f1", "test_f1"], "f1"),
    ],
)
def test_lines_are_the_columns_of_the_path(search, kind, columns, label, pyplot):
    path = regularization_path(search, param="C")
    display = RegularizationPathDisplay.from_results(search, param="C", kind=kind, name="title")
    assert display.path.keys() == path.keys()
    for line, column in zip(display.lines_, columns, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [0.01, 0.1, 1.0])
        np.testing.assert_array_equal(line.get_ydata(), path[column])
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("C", label, "title")
    assert len(ax.collections) == len(columns)  # one band each
    assert display.figure_ is ax.figure


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("boundary_mass", "share of samples near the boundary"),
        ("softmax_margin_std", "std of the margins of the probabilities"),
        ("spectrum_std/features.0", "std of the singular values, features.0"),
        ("balanced_accuracy", "balanced accuracy"),
    ],
)
def test_metrics_are_named_in_words(metric, words, pyplot):
    columns = {f"{side}_{metric}{end}": np.zeros(2) for side in ("train", "test")
               for end in ("", "_std")}  # fmt: skip
    path = Bunch(param="lam", values=np.array([0.0, 1.0]), **columns)
    display = RegularizationPathDisplay(path=path).plot(kind=metric)
    assert display.ax_.get_ylabel() == words


def test_axes_labels_and_looks_can_be_given(search, pyplot):
    _, ax = pyplot.subplots()
    display = RegularizationPathDisplay.from_results(
        search, param="C", ax=ax, show_spread=False, xlabel="strength", ylabel="share", linewidth=5
    )
    assert display.ax_ is ax and not ax.collections
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("strength", "share")
    assert display.lines_[0].get_linewidth() == 5


def test_without_an_accuracy_the_loss_is_drawn(pyplot):
    X, y = load_iris(return_X_y=True)
    curve = validation_curve(
        LogisticRegression(max_iter=2000), X, y, param_name="C", param_range=[0.1, 1], cv=2,
        scoring="neg_log_loss",
    )  # fmt: skip
    display = RegularizationPathDisplay.from_results(
        curve, param="C", values=[0.1, 1], loss="score"
    )
    assert display.ax_.get_ylabel() == "cross-entropy (nats)"
    assert (display.lines_[0].get_ydata() > 0).all()


def test_strengths_that_are_no_numbers_stand_side_by_side(pyplot):
    X, y = load_iris(return_X_y=True)
    found = GridSearchCV(
        LogisticRegression(max_iter=2000), {"solver": ["lbfgs", "newton-cg"]}, cv=2,
        return_train_score=True,
    ).fit(X, y)  # fmt: skip
    ax = RegularizationPathDisplay.from_results(found, param="solver").ax_
    assert [text.get_text() for text in ax.get_xticklabels()] == ["lbfgs", "newton-cg"]


def test_an_unknown_kind_is_told_what_there_is(search, pyplot):
    display = RegularizationPathDisplay(path=regularization_path(search, param="C"))
    with pytest.raises(ValueError, match=r"the path has \['error', 'loss', 'f1'\]"):
        display.plot(kind="margin")
