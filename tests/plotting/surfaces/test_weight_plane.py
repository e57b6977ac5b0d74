"""Directions of weights have the norms of the filters."""

import numpy as np
import pytest
import torch

from sklearn_robust.modules import CIFARConvNet
from sklearn_robust.plotting.surfaces._weight_plane import WeightPlane, normalize_direction

pytestmark = pytest.mark.usefixtures("pyplot")


def conv():
    torch.manual_seed(0)
    module = CIFARConvNet((3, 4, 4), 3, channels=(4, 4, 6))
    module(torch.rand(8, 3, 4, 4))  # moves the statistics of batch normalisation
    return module.eval()


def test_every_filter_of_a_direction_has_the_norm_of_its_weights():
    module = conv()
    images, codes = torch.rand(4, 3, 4, 4).numpy(), np.arange(4) % 3
    options = {"normalize": "filter", "ignore_bias_bn": True, "random_state": 0}
    plane = WeightPlane(module, images, codes, **options)
    for name, weight in plane.center.items():
        for direction in (plane.a[name], plane.b[name]):
            assert direction.shape == weight.shape
            if weight.ndim < 2:
                assert not direction.any()
                continue
            lengths = (v.flatten(1).norm(dim=1) for v in (direction, weight))
            assert torch.allclose(*lengths, rtol=1e-5)
    assert abs(plane.cosine()) < 0.5


def test_other_normalisations():
    torch.manual_seed(0)
    weight, draw = torch.randn(3, 4), torch.randn(3, 4)
    assert normalize_direction(draw, weight, "layer").norm() == pytest.approx(weight.norm())
    assert torch.equal(normalize_direction(draw, weight, "weight").abs(), weight.abs())
    assert torch.equal(normalize_direction(draw, weight, None), draw)
    assert not normalize_direction(draw, torch.zeros(3, 4), "filter").any()
    bias = torch.randn(5)
    assert normalize_direction(torch.randn(5), bias, "filter").norm() == pytest.approx(bias.norm())
