"""The path of a sweep against a hand computation from its table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, validation_curve

from sklearn_robust import MinMaxNet
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_moons
from sklearn_robust.metrics import make_robust_scorer
from sklearn_robust.spectral import (
    make_regularization_scorer,
    regularization_path,
)

ATTACK = PGD(eps=0.3, max_iter=3, random_state=0)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def search(X, y, grid=None, **options):
    options = {"scoring": ["accuracy", "neg_log_loss"], "refit": False, "cv": 3} | options
    options.setdefault("return_train_score", True)
    grid = {"C": [1.0, 0.01, 0.1]} if grid is None else grid
    return GridSearchCV(LogisticRegression(max_iter=2000), grid, **options).fit(X, y)


def test_gaps_are_those_of_the_table_fold_by_fold(iris):
    found = search(*iris)
    path = regularization_path(found, param="C")
    table = found.cv_results_
    order = [1, 2, 0]  # ascending
    assert path.param == "C" and path["values"].tolist() == [0.01, 0.1, 1.0]

    def folds(side, metric):
        return np.stack([table[f"split{k}_{side}_{metric}"][order] for k in range(3)], 1)

    train, test = folds("train", "accuracy"), folds("test", "accuracy")
    np.testing.assert_allclose(path.error_gap, (train - test).mean(1))
    np.testing.assert_allclose(path.error_gap_std, (train - test).std(1))
    np.testing.assert_allclose(path.test_error, 1 - table["mean_test_accuracy"][order])
    np.testing.assert_allclose(path.train_error_std, table["std_train_accuracy"][order], atol=1e-15)
    train, test = folds("train", "neg_log_loss"), folds("test", "neg_log_loss")
    np.testing.assert_allclose(path.loss_gap, (train - test).mean(1))
    np.testing.assert_allclose(path.train_loss, -table["mean_train_neg_log_loss"][order])
    assert len(pd.DataFrame(path)) == 3


def test_a_search_and_its_table_and_a_validation_curve_say_the_same(iris):
    X, y = iris
    found = search(X, y, scoring=None)
    curve = validation_curve(
        LogisticRegression(max_iter=2000), X, y, param_name="C", param_range=[1.0, 0.01, 0.1], cv=3
    )
    paths = [
        regularization_path(found, param="C"),
        regularization_path(found.cv_results_, param="C"),
        regularization_path(curve, param="C", values=[1.0, 0.01, 0.1]),
    ]
    for other in paths[1:]:
        assert paths[0].keys() == other.keys() and "loss_gap" not in other
        np.testing.assert_allclose(paths[0].error_gap, other.error_gap)
        np.testing.assert_allclose(paths[0].test_error_std, other.test_error_std)


def test_a_single_metric_is_known_by_its_name(iris):
    path = regularization_path(search(*iris, scoring="neg_log_loss"), param="C")
    assert "loss_gap" in path and "error_gap" not in path


def test_names_of_metrics_can_be_given(iris):
    scoring = {"right": "accuracy", "nll": "neg_log_loss", "f1": "f1_macro"}
    path = regularization_path(
        search(*iris, scoring=scoring), param="C", accuracy="right", loss="nll"
    )
    assert {"error_gap", "loss_gap", "train_f1", "test_f1_std"} <= set(path)
    with pytest.raises(ValueError, match="no metric 'ce'; the search has"):
        regularization_path(search(*iris, scoring=scoring), param="C", loss="ce")


def test_other_parameters_are_fixed_by_name(iris):
    grid = {"C": [0.1, 1.0], "fit_intercept": [True, False]}
    found = search(*iris, grid)
    with pytest.raises(
        ValueError, match=r"\['fit_intercept'\] varied too.*fixed=\{'fit_intercept'"
    ):
        regularization_path(found, param="C")
    path = regularization_path(found, param="C", fixed={"fit_intercept": False})
    rows = [k for k, p in enumerate(found.cv_results_["params"]) if not p["fit_intercept"]]
    np.testing.assert_allclose(path.test_error, 1 - found.cv_results_["mean_test_accuracy"][rows])


def test_bad_input_is_told_what_to_type(iris):
    found = search(*iris, return_train_score=False)
    with pytest.raises(ValueError, match="return_train_score=True"):
        regularization_path(found, param="C")
    with pytest.raises(ValueError, match=r"did not vary 'attack__eps'; it varied \['C'\]"):
        regularization_path(found)
    with pytest.raises(ValueError, match=r"did not vary 'tol'; it varied \['C'\]"):
        regularization_path(found, param="C", fixed={"tol": 0.1})
    with pytest.raises(ValueError, match=r"fixed=\{'tol': 9\}: the search tried .*'0.1', '0.2'"):
        regularization_path(search(*iris, {"C": [1.0], "tol": [0.1, 0.2]}), param="C",
                            fixed={"tol": 9})  # fmt: skip
    with pytest.raises(ValueError, match=r"'C' twice, \[1.0, 1.0\]: give each once"):
        regularization_path(search(*iris, {"C": [1.0, 1.0]}), param="C")
    with pytest.raises(ValueError, match="give a fitted GridSearchCV"):
        regularization_path(LogisticRegression())
    with pytest.raises(ValueError, match="needs values=param_range"):
        regularization_path((np.zeros((2, 3)), np.zeros((2, 3))))


def test_a_sweep_over_the_strength_of_an_attack_in_training():
    X, y = load_moons(160, random_state=0)
    found = GridSearchCV(
        MinMaxNet(max_epochs=12, attack__max_iter=3, random_state=0),
        {"attack__eps": [0.0, 0.06]},
        scoring=make_regularization_scorer(clone(ATTACK).set_params(eps=0.05)),
        refit=False,
        cv=2,
        return_train_score=True,
    ).fit(X, y)
    path = regularization_path(found)
    assert path["values"].tolist() == [0, 0.06]
    for name in ("error_gap", "test_robust_accuracy", "test_confidence", "test_spectrum_std_std"):
        assert path[name].shape == (2,) and np.isfinite(path[name]).all()
    assert path.test_confidence[1] < path.test_confidence[0]


SCORERS = [make_robust_scorer(ATTACK), get_scorer("neg_log_loss")]


@pytest.mark.parametrize("scoring", SCORERS, ids=["robust", "loss"])
def test_the_score_of_a_scorer_passes_for_no_accuracy(scoring, iris):
    found = search(*iris, scoring=scoring)
    path = regularization_path(found, param="C")
    assert {"train_score", "test_score"} <= path.keys() and "error_gap" not in path
    assert "error_gap" in regularization_path(found, param="C", accuracy="score")


def test_numbers_beyond_one_are_no_accuracies(iris):
    table = search(*iris, scoring="neg_log_loss").cv_results_
    assert "error_gap" not in regularization_path(table, param="C")


def test_strengths_without_an_order_stay_as_they_came(iris):
    grid = {"class_weight": [None, "balanced"]}
    path = regularization_path(search(*iris, grid), param="class_weight")
    assert list(path["values"]) == [None, "balanced"]
