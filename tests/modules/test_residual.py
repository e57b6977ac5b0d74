"""Residual blocks."""

import torch
from torch import nn

from sklearn_robust.modules import PreActResNet18


def test_a_residual_block_is_the_identity_plus_its_convolutions():
    block = PreActResNet18((4, 8, 8), 2, channels=(4, 4, 4, 4)).features[1][1].eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 8, 8)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)
