"""Feature changes are drawn as they were measured."""

import numpy as np
import pytest
import torch

from sklearn_robust.attacks import PGD
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import FeatureChangeDisplay
from sklearn_robust.spectral import feature_change_report

ATTACK = PGD(eps=0.1, max_iter=3, random_state=0)


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    X = np.random.default_rng(0).random((20, 4), dtype=np.float32)
    return X, {name: MLP((4,), 3, hidden=(6,)) for name in "ab"}


@pytest.mark.parametrize("kind", ["relative", "mean", "gain", "local_gain"])
def test_each_model_has_a_line_for_the_attack_and_one_for_noise(models, kind, pyplot):
    X, nets = models
    display = FeatureChangeDisplay.from_estimators(nets, X, attack=ATTACK, kind=kind)
    labels = [line.get_label() for line in display.lines_]
    assert labels == ["a, attack", "a, noise", "b, attack", "b, noise"]
    report = feature_change_report(nets["b"], X, attack=ATTACK)
    np.testing.assert_allclose(display.lines_[2].get_ydata(), report[f"adversarial_{kind}"])
    np.testing.assert_allclose(display.lines_[3].get_ydata(), report[f"random_{kind}"])
    assert display.lines_[3].get_linestyle() == "--"
    for number, way in ((2, "adversarial"), (3, "random")):
        spread = report[f"{way}_std" if kind == "mean" else f"{way}_{kind}_std"]
        low, high = display.bands_[number].get_paths()[0].get_extents().intervaly
        mean = report[f"{way}_{kind}"]
        assert low == pytest.approx(np.maximum(mean - spread, 0).min(), abs=1e-12)
        assert high == pytest.approx((mean + spread).max())
    ticks = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert ticks == ["features.1", "classifier"]


def test_anisotropy_is_drawn_against_one(models, pyplot):
    X, nets = models
    _, ax = pyplot.subplots()
    display = FeatureChangeDisplay.from_estimator(
        nets["a"], X, attack=ATTACK, kind="anisotropy", ax=ax, name="net", ylabel="ratio"
    )
    np.testing.assert_allclose(display.lines_[0].get_ydata(), display.reports["net"].anisotropy)
    assert display.ax_ is ax and display.figure_ is ax.figure and ax.get_ylabel() == "ratio"
    assert "same in all directions" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_bad_input_is_told_what_to_type(models, pyplot):
    X, nets = models
    with pytest.raises(ValueError, match="kind is 'change'; choose one of"):
        FeatureChangeDisplay.from_estimators(nets, X, kind="change")
    others = {"a": nets["a"], "c": MLP((4,), 3, hidden=(6, 6))}
    with pytest.raises(ValueError, match="different layers"):
        FeatureChangeDisplay.from_estimators(others, X, attack=ATTACK)
