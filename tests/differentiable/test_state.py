"""Frozen modules get every flag back."""

import pytest
import torch
from torch import nn

from sklearn_robust.differentiable import frozen, module_of


def test_frozen_gives_every_flag_back_even_after_an_error():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2)).train()
    module[2].eval()
    module[0].bias.requires_grad_(False)
    with pytest.raises(RuntimeError, match="stop"), frozen(module):
        assert not any(part.training for part in module.modules())
        assert not any(p.requires_grad for p in module.parameters())
        raise RuntimeError("stop")
    assert [part.training for part in module] == [True, True, False]
    assert [p.requires_grad for p in module.parameters()] == [True, False, True, True]


def test_the_module_behind_a_callable_is_found():
    module = nn.Linear(2, 2)
    assert module_of(module) is module
    assert module_of(module.forward) is module
    assert module_of(torch.sin) is None
    with frozen(torch.sin):
        pass
