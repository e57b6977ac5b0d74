"""The table of a model's layers: what is in it."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.modules import MNISTConvNet, PreActResNet18
from sklearn_robust.spectral import conv_singular_values, layer_spectra
from tests.spectral.convolutions import matrix_of, values_of
from tests.spectral.models import randomized

COLUMNS = [
    "name", "type", "input_shape", "n_values", "max", "min", "mean", "std", "cv",
    "directional_gain_mean", "directional_gain_var", "frobenius", "method", "note",
]  # fmt: skip


def test_each_row_sums_up_the_singular_values_of_its_layer():
    net = randomized(MNISTConvNet((1, 8, 8), 3, channels=(4, 6), kernel_size=3, hidden=16))
    report = layer_spectra(net, input_shape=(1, 8, 8), spectra=True)
    assert report.name == ["features.0", "features.3", "classifier.0", "classifier.2"]
    assert report.type == ["Conv2d", "Conv2d", "Linear", "Linear"]
    assert report.input_shape == [(1, 8, 8), (4, 4, 4), (24,), (16,)]
    assert list(report)[:14] == COLUMNS
    for row, name in enumerate(report.name):
        values = conv_singular_values(net.get_submodule(name), report.input_shape[row])
        assert report.n_values[row] == len(values) == report.weights[row].sum()
        assert report["max"][row] == pytest.approx(values.max())
        assert report["min"][row] == pytest.approx(values.min(), abs=1e-12)
        assert report["mean"][row] == pytest.approx(values.mean())
        assert report["std"][row] == pytest.approx(values.std())
        assert report.cv[row] == pytest.approx(values.std() / values.mean())
        assert report.frobenius[row] == pytest.approx(math.sqrt((values**2).sum()))


def test_a_fitted_net_needs_no_samples_and_a_frame_of_the_report_is_one_call():
    X, y = load_iris(return_X_y=True)
    net = NaturalNet(max_epochs=1, random_state=0).fit(X, y)
    frame = pd.DataFrame(layer_spectra(net))
    assert list(frame.columns) == COLUMNS and len(frame) == 3
    pd.testing.assert_frame_equal(frame, pd.DataFrame(layer_spectra(net, X)))
    pd.testing.assert_frame_equal(frame, pd.DataFrame(layer_spectra(net.module_, X)))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (LogisticRegression(max_iter=1000), ["matrix"]),
        (MLPClassifier((5,), max_iter=500, tol=1e-2), ["layers.0", "layers.2"]),
        (
            make_pipeline(StandardScaler(), PCA(2), NaturalNet(max_epochs=1)),
            ["standardscaler", "pca", "features.1", "features.3", "classifier"],
        ),
    ],
    ids=["linear", "mlp", "pipeline"],
)
def test_every_differentiable_classifier_has_layers(model, names):
    X, y = load_iris(return_X_y=True)
    report = layer_spectra(model.fit(X, y), X)
    assert report.name == names
    if names == ["matrix"]:
        assert report["max"][0] == pytest.approx(np.linalg.norm(model.coef_, 2))


def test_scalers_are_rows_by_the_names_of_their_steps():
    X, y = load_iris(return_X_y=True)
    inner = Pipeline([("c", MaxAbsScaler()), ("d", StandardScaler())])
    model = Pipeline([("a", MinMaxScaler()), ("b", inner), ("net", LogisticRegression())])
    report = layer_spectra(model.fit(X, y), spectra=True, input_shape=(4,))
    assert report.name == ["a", "b.c", "b.d", "matrix"]
    factors = [model["a"].scale_, 1 / model["b"]["c"].scale_, 1 / model["b"]["d"].scale_]
    for values, wanted in zip(report["values"], factors, strict=False):
        np.testing.assert_allclose(np.sort(values), np.sort(wanted))
    alone = layer_spectra(model["net"], input_shape=(4,))
    assert report["max"][3] == alone["max"][0]


def test_a_layer_or_a_backbone_need_not_be_a_classifier():
    torch.manual_seed(0)
    conv, shape = nn.Conv2d(2, 3, 3).double(), (2, 6, 6)
    report = layer_spectra(conv, input_shape=shape)
    assert report.name == ["model"]
    values = values_of(matrix_of(conv, shape))
    assert report["max"][0] == pytest.approx(values.max())
    assert report["std"][0] == pytest.approx(values.std())
    backbone = nn.Sequential(conv, nn.ReLU(), nn.Conv2d(3, 2, 3).double())
    assert layer_spectra(backbone, input_shape=shape).name == ["0", "2"]


@pytest.mark.parametrize("size", [8, 9])
def test_auto_is_near_the_true_values_on_both_sides_of_its_threshold(size):
    """14 channels of 8 x 8 are decomposed, of 9 x 9 estimated; a torus is off on both."""
    torch.manual_seed(0)
    conv, shape = nn.Conv2d(14, 14, 3, padding=1), (14, size, size)
    values = np.linalg.svd(matrix_of(conv.double(), shape).float().numpy(), compute_uv=False)
    report = layer_spectra(conv, input_shape=shape)
    assert report.method == ["exact" if size <= 8 else "lanczos"]
    assert report["max"][0] == pytest.approx(values.max(), rel=1e-5)
    assert report["mean"][0] == pytest.approx(values.mean(), rel=0.015)
    assert report["std"][0] == pytest.approx(values.std(), rel=0.015)
    torus = layer_spectra(conv, input_shape=shape, method="fft")
    assert torus["mean"][0] > 1.05 * values.mean()


def test_a_layer_on_a_torus_has_all_its_frequencies():
    conv = nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular").double()
    report = layer_spectra(conv, input_shape=(2, 16, 16))
    values = values_of(matrix_of(conv, (2, 16, 16)))
    assert report["max"][0] == pytest.approx(values.max(), rel=1e-12)
    assert report["min"][0] == pytest.approx(values.min(), rel=1e-9)
    coarse = layer_spectra(conv, input_shape=(2, 16, 16), method="fft", max_grid=8)
    assert coarse["max"][0] <= report["max"][0] and coarse.n_values == report.n_values


def test_what_was_approximated_is_written_down():
    net = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 144, 2))
    options = {"input_shape": (8, 12, 12), "max_grid": 8}
    notes = {m: layer_spectra(net, method=m, **options).note[0] for m in
             ("fft", "exact", "lanczos", "reshape")}  # fmt: skip
    assert notes["fft"] == "torus in place of zeros; grid 8 x 8: max a little low, min high"
    assert notes["exact"] == ""
    assert "stochastic" in notes["lanczos"] and "not the layer's operator" in notes["reshape"]
    full = layer_spectra(net, input_shape=(8, 12, 12), method="fft", max_grid=None)
    assert full.note[0] == "torus in place of zeros"


def test_the_model_is_left_as_it_was():
    net = PreActResNet18((3, 8, 8), 4, channels=(2, 3, 4, 5)).train()
    before = copy.deepcopy(net.state_dict())
    layer_spectra(net, input_shape=(3, 8, 8))
    after = net.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(
        m.training and not m._forward_hooks and not m._forward_pre_hooks for m in net.modules()
    )
    assert all(p.requires_grad for p in net.parameters())


def test_bad_input_is_told_what_to_type():
    net = nn.Linear(4, 3)
    with pytest.raises(ValueError, match=r"pass X, or input_shape=\(1, 28, 28\)"):
        layer_spectra(net)
    with pytest.raises(ValueError, match="choose one of"):
        layer_spectra(net, input_shape=(4,), method="dense")
    with pytest.raises(ValueError, match="max_grid is 0"):
        layer_spectra(net, input_shape=(4,), max_grid=0)
    with pytest.raises(NotFittedError):
        layer_spectra(NaturalNet(), input_shape=(4,))
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"samples have shape \(3,\), but .* fitted on .* \(4,\)"):
        layer_spectra(NaturalNet(max_epochs=1).fit(X, y), X[:, :3])
    with pytest.raises(ValueError, match=r"fails on samples of shape \(5,\).*that it was made for"):
        layer_spectra(net, input_shape=(5,))
    with pytest.raises(ValueError, match=r"of shape \(4,\), but input_shape is \(5,\): pass one"):
        layer_spectra(net, X, input_shape=(5,))
    with pytest.raises(ValueError, match="a tuple of positive integers"):
        layer_spectra(net, input_shape=4)
    small = nn.Sequential(nn.Conv2d(1, 2, 5), nn.Flatten())
    with pytest.raises(ValueError, match="fails on samples of .*Kernel size: .5 x 5."):
        layer_spectra(small, input_shape=(1, 4, 4))
    nn.init.constant_(net.weight, math.nan)
    with pytest.raises(ValueError, match="model has weights that are NaN"):
        layer_spectra(net, input_shape=(4,))
    large = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="16 GiB"):
        layer_spectra(large, input_shape=(64, 32, 32), method="exact")
