"""Statistics of a spectrum against samples and closed forms."""

import pytest
import torch
from torch import nn

from sklearn_robust.spectral._solve import spectrum_of
from sklearn_robust.spectral._torch_layers import map_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def test_the_directional_gain_is_what_random_directions_show():
    layer = nn.Conv2d(2, 3, 3, stride=2, padding=1).double()
    spectrum = spectrum_of(map_of(layer, (2, 4, 4)), "exact")
    u = torch.randn(200_000, 2, 4, 4, dtype=torch.float64)
    u /= u.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        gain = (layer(u) - layer(torch.zeros_like(u[:1]))).flatten(1).square().sum(1)
    expected = spectrum.statistics()
    assert float(gain.mean()) == pytest.approx(expected["directional_gain_mean"], rel=0.01)
    assert float(gain.var()) == pytest.approx(expected["directional_gain_var"], rel=0.02)


def test_no_spread_of_the_values_is_the_same_gain_in_every_direction():
    layer = nn.Linear(5, 5).double()
    nn.init.orthogonal_(layer.weight)
    numbers = spectrum_of(map_of(layer)).statistics()
    assert numbers["std"] < 1e-12 and numbers["directional_gain_var"] < 1e-12
    assert numbers["directional_gain_mean"] == pytest.approx(1)
