"""Parts that networks share."""

import pytest
import torch
from torch import nn

from sklearn_robust.modules._base import MaxPool2d


@pytest.mark.parametrize("side", [4, 7, 8])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooling_keeps_values_gradients_and_layout(side, layout):
    x = torch.rand(2, 3, side, side).contiguous(memory_format=layout).requires_grad_(True)
    ours, plain = MaxPool2d(2)(x), nn.MaxPool2d(2)(x)
    assert torch.equal(ours, plain)
    assert ours.is_contiguous(memory_format=layout)
    grads = [torch.autograd.grad(out.square().sum(), x)[0] for out in (ours, plain)]
    assert torch.equal(*grads)
