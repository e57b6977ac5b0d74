"""Spectra are drawn as they were found."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.modules import MLP, MNISTConvNet
from sklearn_robust.plotting import LayerSpectrumDisplay
from sklearn_robust.spectral import conv_singular_values, layer_spectra


@pytest.fixture(scope="module")
def nets():
    torch.manual_seed(0)
    options = {"channels": (3, 4), "kernel_size": 3, "hidden": 6}
    return {name: MNISTConvNet((1, 8, 8), 3, **options) for name in "ab"}


def test_the_curve_of_a_layer_holds_all_its_values_in_order(nets, pyplot):
    display = LayerSpectrumDisplay.from_estimator(nets["a"], input_shape=(1, 8, 8))
    assert [line.get_label() for line in display.lines_] == display.reports["MNISTConvNet"].name
    expected = conv_singular_values(nets["a"].features[0], (1, 8, 8))
    x, y = display.lines_[0].get_data()
    middles = (np.arange(len(expected)) + 0.5) / len(expected)
    np.testing.assert_allclose(y[np.searchsorted(x, middles)], expected, rtol=1e-5)
    assert display.ax_.get_title() == "MNISTConvNet" and display.figure_ is display.ax_.figure


@pytest.mark.parametrize("kind", ["std", "cv", "max", "mean", "directional_gain_var"])
def test_a_statistic_has_one_point_a_layer_and_one_line_a_model(nets, kind, pyplot):
    display = LayerSpectrumDisplay.from_estimators(nets, input_shape=(1, 8, 8), kind=kind)
    for line, (name, net) in zip(display.lines_, nets.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(
            line.get_ydata(), layer_spectra(net, input_shape=(1, 8, 8))[kind]
        )
    ticks = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert ticks == ["features.0", "features.3", "classifier.0", "classifier.2"]


def test_the_legend_of_many_layers_hides_no_curve(pyplot):
    display = LayerSpectrumDisplay.from_estimator(MLP((4,), 3, hidden=(5,) * 20), input_shape=(4,))
    figure, ax = display.figure_, display.ax_
    figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert len(display.lines_) == 21 and not legend.overlaps(ax.get_window_extent())
    assert legend.x1 <= figure.bbox.x1 and legend.y0 >= figure.bbox.y0
    colors = [line.get_color() for line in display.lines_]
    assert len(np.unique(np.round(colors, 3), axis=0)) == 21


@pytest.mark.parametrize("n_layers", [4, 20, 40])
def test_names_of_layers_do_not_run_into_one_another(n_layers, pyplot):
    display = LayerSpectrumDisplay.from_estimators(
        {"a": MLP((4,), 3, hidden=(5,) * (n_layers - 1))}, input_shape=(4,)
    )
    display.figure_.canvas.draw()
    names = display.ax_.get_xticklabels()
    height = names[0].get_fontsize() * display.figure_.dpi / 72
    apart = np.diff([name.get_transform().transform(name.get_position())[0] for name in names])
    turned = np.sin(np.radians(names[0].get_rotation()))  # of the distance, across the letters
    assert len(names) == min(n_layers, 20) and (apart * turned > 0.9 * height).all()
    assert names[0].get_fontsize() >= 8 and len(display.lines_[0].get_xdata()) == n_layers


def test_skipped_layers_are_left_out(pyplot):
    net = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    for kind in ("values", "std"):
        display = LayerSpectrumDisplay.from_estimator(net, input_shape=(4,), kind=kind)
        assert len(display.lines_) == (2 if kind == "values" else 1)
        assert len(display.lines_[0].get_ydata()) == (8 if kind == "values" else 2)


def test_axes_and_labels_can_be_given(nets, pyplot):
    _, ax = pyplot.subplots()
    display = LayerSpectrumDisplay.from_estimators(
        nets, input_shape=(1, 8, 8), ax=ax, name="title", xlabel="x", ylabel="y", linewidth=5
    )
    assert display.ax_ is ax and display.lines_[1].get_linewidth() == 5
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("x", "y", "title")


def test_bad_input_is_told_what_to_type(nets, pyplot):
    with pytest.raises(ValueError, match="kind is 'spread'; choose one of"):
        LayerSpectrumDisplay.from_estimators(nets, input_shape=(1, 8, 8), kind="spread")
    with pytest.raises(ValueError, match="kind='values' draws one model"):
        LayerSpectrumDisplay.from_estimators(nets, input_shape=(1, 8, 8), kind="values")
    others = {"a": MLP((4,), 3), "b": MLP((4,), 3, hidden=(5,))}
    with pytest.raises(ValueError, match="different layers.*draw each by itself"):
        LayerSpectrumDisplay.from_estimators(others, input_shape=(4,))


def test_the_method_stands_beside_the_layer_unless_it_is_exact(pyplot):
    module = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 144, 3))
    for kind in ("std", "values"):
        display = LayerSpectrumDisplay.from_estimators(
            {"a": module}, input_shape=(4, 12, 12), method="lanczos", kind=kind
        )
        lines = [line.get_label() for line in display.lines_]
        ticks = [text.get_text() for text in display.ax_.get_xticklabels()]
        names = ticks if kind == "std" else lines
        assert names[:2] == ["0 (lanczos)", "2"]
