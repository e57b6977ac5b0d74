"""Distributions are drawn as they were measured."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_robust.attacks import DeepFool
from sklearn_robust.plotting import MarginDisplay
from sklearn_robust.spectral import margin_report


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X, y, {f"C={C}": LogisticRegression(C=C, max_iter=2000).fit(X, y) for C in (0.01, 1)}


@pytest.mark.parametrize(
    "kind",
    ["output", "softmax", "feature", "input_upper", "input_linear", "input_lower", "confidence",
     "loss"],
)  # fmt: skip
def test_values_are_those_of_the_report(iris, kind, pyplot):
    X, y, models = iris
    display = MarginDisplay.from_estimators(models, X, y, kind=kind)
    for name, model in models.items():
        np.testing.assert_array_equal(display.values[name], margin_report(model, X, y)[kind])
    assert display.figure_ is display.ax_.figure and display.kind == kind
    assert display.ax_.get_ylabel() == "share of samples"


def test_histograms_share_their_bins_and_count_every_sample(iris, pyplot):
    X, y, models = iris
    display = MarginDisplay.from_estimators(models, X, y, name="title").plot(bins=12)
    data = [stairs.get_data() for stairs in display.histograms_]
    np.testing.assert_array_equal(data[0].edges, data[1].edges)
    assert [len(d.values) for d in data] == [12, 12]
    assert [d.values.sum() for d in data] == pytest.approx([1, 1])
    assert display.ax_.get_title() == "title"
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["C=0.01", "C=1", "decision boundary"]


@pytest.mark.parametrize("low", [-9.0, -1.0, -1e-3])
@pytest.mark.parametrize("bins", [1, 2, 3, 30])
def test_no_bin_reaches_over_the_boundary(low, bins, pyplot):
    margins = np.append(np.linspace(low, 1, 50), [1e-9, -1e-9])
    display = MarginDisplay(values={"a": margins}, kind="output").plot(bins=bins)
    data = display.histograms_[0].get_data()
    assert 0 in data.edges and len(data.values) == max(2, bins)
    assert data.values.sum() == pytest.approx(1)
    assert data.values[data.edges[1:] <= 0].sum() == pytest.approx((margins < 0).mean())
    np.testing.assert_allclose(np.diff(data.edges), np.diff(data.edges)[0])


@pytest.mark.parametrize("kind", ["confidence", "loss", "output"])
def test_right_and_wrong_predictions_can_be_drawn_apart(iris, kind, pyplot):
    X, y, models = iris
    display = MarginDisplay.from_estimators(models, X, y, kind=kind, by_outcome=True)
    assert list(display.values) == [f"{n}, {part}" for n in models for part in ("right", "wrong")]
    for name, model in models.items():
        report, right = margin_report(model, X, y), model.predict(X) == y
        np.testing.assert_array_equal(display.values[f"{name}, right"], report[kind][right])
        np.testing.assert_array_equal(display.values[f"{name}, wrong"], report[kind][~right])
    alone = MarginDisplay.from_estimators(models, X[:5], y[:5], by_outcome=True)
    assert list(alone.values) == [f"{name}, right" for name in models]  # none is wrong there


def test_one_model_is_named_by_its_class(iris, pyplot):
    X, y, models = iris
    _, ax = pyplot.subplots()
    display = MarginDisplay.from_estimator(models["C=1"], X, y, kind="loss", ax=ax, xlabel="loss")
    assert list(display.values) == ["LogisticRegression"] and display.ax_ is ax
    assert ax.get_xlabel() == "loss"


def test_margins_that_no_attack_found_are_counted_in_the_label(iris, pyplot):
    X, y, models = iris
    options = {"kind": "input_upper", "attack": DeepFool(eps=0.2, bounds=None)}
    display = MarginDisplay.from_estimator(models["C=1"], X, y, name="model", **options)
    values = display.values["model"]
    label = display.ax_.get_legend().get_texts()[0].get_text()
    assert label == f"model ({np.isinf(values).sum()} infinite)"
    assert display.histograms_[0].get_data().values.sum() == pytest.approx(
        np.isfinite(values).mean()
    )


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kind", ["input_upper", "input_linear", "input_lower"])
def test_distances_name_their_norm(iris, kind, norm, pyplot):
    X, y, models = iris
    display = MarginDisplay.from_estimators(models, X, y, kind=kind, attack=DeepFool(norm=norm))
    assert display.ax_.get_xlabel().endswith(f"({norm})")


def test_bad_input_is_told_what_to_type(iris, pyplot):
    X, y, models = iris
    with pytest.raises(ValueError, match="kind is 'margin'; choose one of"):
        MarginDisplay.from_estimators(models, X, y, kind="margin")
    display = MarginDisplay(values={"a": np.array([np.inf, np.nan])}, kind="input_upper")
    with pytest.raises(ValueError, match="No distance .* is finite: choose another kind"):
        display.plot()
