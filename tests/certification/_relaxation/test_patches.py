"""Patches: the same bounds as whole images, for every geometry."""

import pytest
import torch
from torch import nn

from sklearn_robust._norms import get_norm
from sklearn_robust.certification._relaxation import bounds as module
from sklearn_robust.certification._relaxation.graph import record
from sklearn_robust.certification._relaxation.intervals import rule_of
from sklearn_robust.certification._relaxation.patches import Patches, patch_size, unit_patches
from sklearn_robust.certification._relaxation.region import Region

NETWORKS = [
    [
        *(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Tanh()),
        *(nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2), nn.ReLU()),
    ],
    [
        *(nn.Conv2d(2, 3, 5, padding=2), nn.MaxPool2d(3, 2, 1), nn.ReLU()),
        *(nn.Conv2d(3, 4, (3, 5)), nn.MaxPool2d((2, 1)), nn.GELU()),
    ],
]


@pytest.mark.parametrize("parts", NETWORKS, ids=["strides", "pooling"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_bounds_are_those_of_whole_images(parts, norm, monkeypatch):
    torch.manual_seed(0)
    for part in parts:
        if isinstance(part, nn.Conv2d):
            part.reset_parameters()
    net = nn.Sequential(*parts, nn.Flatten(), nn.LazyLinear(3)).float()
    x = torch.rand(2, 2, 16, 16, dtype=torch.float64)
    net(x.float())
    net = net.double().eval().requires_grad_(False)
    kind = None if norm == "linf" else get_norm(norm)
    region = Region(x, x - 0.05, x + 0.05, kind, torch.full_like(x, 0.05))
    graph = record(net, x)
    found = module.Bounds(graph, region, graph.output)
    assert max(len(found._walk(ref).numbers) for ref in found.inputs) >= 3
    monkeypatch.setattr(module, "patch_size", lambda *_: None)
    wanted = module.Bounds(graph, region, graph.output)
    assert all(not wanted._walk(ref).numbers for ref in wanted.inputs)
    for ref, ends in wanted.inputs.items():
        for got, end in zip(found.inputs[ref], ends, strict=True):
            assert torch.allclose(got, end, atol=1e-12)


def test_unit_patches_are_unit_vectors():
    like = torch.zeros(2, 3, 4, 5, dtype=torch.float64)
    index = torch.tensor([[0, 59], [21, 7]])
    dense = unit_patches(index, like).dense().flatten(2)
    assert dense.shape == (4, 2, 60)
    for k, row in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert dense[k, row].argmax() == index[row, k] and dense[k, row].sum() == 1
        assert torch.equal(dense[k + 2, row], -dense[k, row])


def test_what_lies_outside_of_the_image_counts_for_nothing():
    a = torch.ones(1, 1, 1, 3, 3, dtype=torch.float64)
    corner = torch.tensor([[-1]])
    patches = Patches(a, corner, corner, (1, 4, 4))
    assert patches.clipped().a.sum() == 4
    assert patches.dense()[0, 0, 0, :2, :2].sum() == patches.dense().sum() == 4
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert patches.read(image)[0, 0, 0, 1:, 1:].flatten().tolist() == [0, 1, 4, 5]


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Conv2d(1, 1, (3, 5), stride=(2, 1)), (5, 6)),
        (nn.Conv2d(1, 1, 3, dilation=2), (6, 6)),
        (nn.MaxPool2d(2), (4, 4)),
        (nn.ReLU(), (2, 2)),
        (nn.ConvTranspose2d(1, 1, 2), None),
        (nn.MaxPool2d(2, dilation=2), None),
        (nn.AdaptiveMaxPool2d(3), None),
        (nn.AvgPool2d(2), None),
        (nn.Flatten(), None),
    ],
)
def test_sizes(layer, size):
    graph = record(layer.requires_grad_(False), torch.rand(1, 1, 9, 9))
    number = graph.output.node
    assert patch_size(graph, number, rule_of(graph, number), (2, 2)) == size
