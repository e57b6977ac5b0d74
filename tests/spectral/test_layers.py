"""Linear layers of a model: what is folded, skipped and told apart."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.spectral import conv_singular_values, layer_spectra
from tests.spectral.convolutions import matrix_of, values_of
from tests.spectral.models import Attention, Functional, Shortcut, Twice, randomized


class Enlarged(nn.Module):
    """Transposed convolutions whose output size is that of the call."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(1, 2, 3, stride=2, dilation=3)
        self.kernel = nn.Parameter(torch.randn(2, 1, 2, 2))
        self.last = nn.Linear(210, 2)

    def forward(self, x):
        x = self.up(x, output_size=(12, 11))
        x = nn.functional.conv_transpose2d(x, self.kernel, output_padding=1, dilation=2)
        return self.last(x.flatten(1))


def test_transposed_convolutions_are_those_of_the_call():
    net = randomized(Enlarged())
    report = layer_spectra(net, input_shape=(1, 3, 3), method="exact", spectra=True)
    steps = [
        (lambda x: net.up(x, output_size=(12, 11)), (1, 3, 3)),
        (lambda x: nn.functional.conv_transpose2d(x, net.kernel, None, 1, 0, 1, 1, 2), (2, 12, 11)),
    ]
    for values, (step, shape) in zip(report["values"], steps, strict=False):
        np.testing.assert_allclose(values, values_of(matrix_of(step, shape)), atol=1e-12)


def test_batch_norm_behind_a_layer_is_part_of_it():
    pair = randomized(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4))).eval()
    net = nn.Sequential(*pair, nn.ReLU(), nn.Flatten(), nn.Linear(100, 3).double())
    report = layer_spectra(net, input_shape=(2, 5, 5), spectra=True)
    assert report.name == ["0", "4"]
    np.testing.assert_allclose(
        report["values"][0], values_of(matrix_of(pair, (2, 5, 5))), atol=1e-12
    )
    assert report.note[0] == "folds 1"


def test_batch_norm_before_an_activation_is_part_of_the_layers_behind():
    net = randomized(nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 3), nn.Flatten()))
    net.append(nn.Linear(27, 3).double())
    scale = (net[0].weight / (net[0].running_var + net[0].eps).sqrt()).abs()
    conv = copy.deepcopy(net[2])
    conv.weight.data *= scale.reshape(1, -1, 1, 1)
    report = layer_spectra(net, input_shape=(2, 5, 5))
    assert report.name == ["2", "4"]
    assert report["std"][0] == pytest.approx(conv_singular_values(conv, (2, 5, 5)).std())


PREACTIVATED = [
    nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 3)),
    nn.Sequential(
        nn.Dropout(), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(18, 3),
    ),
    nn.Sequential(
        nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.LeakyReLU(), nn.Flatten(), nn.Linear(18, 3)
    ),
    nn.Sequential(
        nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 4, 3, groups=2), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    ),
]  # fmt: skip


@pytest.mark.parametrize("net", PREACTIVATED, ids=range(len(PREACTIVATED)))
def test_the_report_is_blind_to_scale_that_the_function_does_not_see(net):
    """A factor of batch normalisation taken back in the next layer changes nothing."""
    net = randomized(net).eval()
    x = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    other = copy.deepcopy(net)
    norm = next(m for m in other if isinstance(m, nn.BatchNorm2d))
    behind = [m for m in other[list(other).index(norm) :] if isinstance(m, (nn.Conv2d, nn.Linear))][
        0
    ]
    factors = torch.tensor([5.0, 0.1], dtype=torch.float64)
    norm.weight.data *= factors
    norm.bias.data *= factors
    if isinstance(behind, nn.Conv2d) and behind.groups == 2:
        behind.weight.data /= factors.repeat_interleave(2).reshape(-1, 1, 1, 1)
    elif isinstance(behind, nn.Conv2d):
        behind.weight.data /= factors.reshape(1, -1, 1, 1)
    else:
        behind.weight.data /= factors.repeat_interleave(behind.in_features // 2)
    torch.testing.assert_close(net(x), other(x))
    before, after = (layer_spectra(n, x) for n in (net, other))
    np.testing.assert_allclose(before["std"], after["std"], rtol=1e-10)
    raw = [layer_spectra(n, x, fold_bn=False) for n in (net, other)]
    assert abs(raw[0]["std"] - raw[1]["std"]).max() > 0.01


def test_unfolded_batch_norm_has_a_row_with_the_size_of_its_factors():
    net = randomized(nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(27, 2)))
    scale = (net[0].weight / (net[0].running_var + net[0].eps).sqrt()).abs().detach().numpy()
    report = layer_spectra(net, input_shape=(3, 3, 3), fold_bn=False)
    assert report.name == ["0", "2"] and report.n_values[0] == 27
    assert report["max"][0] == pytest.approx(scale.max())
    assert report["std"][0] == pytest.approx(scale.std())


def test_what_a_shortcut_reads_is_not_folded_away():
    net = randomized(Shortcut())
    report = layer_spectra(net, input_shape=(2, 4, 4))
    assert report.name == ["stem", "conv", "last"]
    assert report.note == ["", "folds norm", ""]
    np.testing.assert_allclose(
        report["max"][0], conv_singular_values(net.stem, (2, 4, 4)).max(), rtol=1e-12
    )


def test_batch_norm_whose_output_is_added_stays_by_itself():
    class Added(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.last = nn.BatchNorm1d(4), nn.Linear(4, 3)

        def forward(self, x):
            x = self.norm(x)
            return self.last(x + torch.relu(x))

    report = layer_spectra(randomized(Added()), input_shape=(4,))
    assert report.name == ["norm", "last"]


def test_a_layer_that_runs_twice_has_a_row_for_each_run():
    report = layer_spectra(randomized(Twice()), input_shape=(2, 4, 4))
    assert report.name == ["conv", "conv:2", "last"]
    assert report.input_shape == [(2, 4, 4), (2, 2, 2), (8,)]


def test_layers_need_not_be_modules():
    net = randomized(Functional())
    report = layer_spectra(net, input_shape=(1, 4, 4))
    assert report.name == ["model", "model#2"]
    conv = nn.Conv2d(1, 3, 3, padding=1).double()
    conv.weight = net.kernel
    assert report["max"][0] == pytest.approx(conv_singular_values(conv, (1, 4, 4)).max())


def test_reparametrised_weights_are_those_in_use():
    net = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)), nn.Linear(5, 2))
    net.double()
    for _ in range(30):  # it estimates the norm while it trains
        net(torch.zeros(1, 4, dtype=torch.float64))
    assert layer_spectra(net, input_shape=(4,))["max"][0] == pytest.approx(1, rel=1e-6)


def test_layers_without_a_fixed_map_are_listed_with_the_reason():
    report = layer_spectra(Attention(), input_shape=(5, 4))
    notes = dict(zip(report.name, report.note, strict=True))
    assert notes == {
        "first": "",
        "norm": "skipped: divides by a statistic of each sample",
        "attention": "skipped: attention: its matrix depends on the sample",
        "memory": "skipped: recurrent: its map depends on the sample",
        "last": "",
    }
    assert np.isnan(report["std"][1:4]).all() and report.n_values.tolist()[:1] == [20]
    assert report.method[1] == "none"


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.GroupNorm(1, 2), "statistic of each sample"),
        (nn.InstanceNorm2d(2, affine=True), "statistic of each sample"),
        (nn.BatchNorm2d(2, track_running_stats=False), "statistic of each sample"),
        (nn.PReLU(), "no fixed linear map"),
    ],
    ids=repr,
)
def test_other_weights_are_listed_too(layer, reason):
    net = nn.Sequential(layer, nn.Flatten(), nn.Linear(18, 2))
    report = layer_spectra(net, input_shape=(2, 3, 3))
    assert report.name == ["0", "2"] and reason in report.note[0]
