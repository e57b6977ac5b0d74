"""The quick copy of a view computes what the view does."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from sklearn_robust.differentiable import as_module
from sklearn_robust.differentiable._fast.fuse import fused_copy
from sklearn_robust.modules import CIFARConvNet, MNISTConvNet, PreActResNet18, WideResNet


class Gate(nn.Module):
    """A module whose control flow hangs on its data: it cannot be traced."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x):
        z = self.norm(self.linear(x))
        return z if x.sum() > 0 else -z


class Twice(nn.Module):
    """A layer used twice, whose normalisation follows one of the uses."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x):
        return self.norm(self.linear(self.linear(x)))


CASES = {
    "mlp": (nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)), (6,)),
    "mnist": (MNISTConvNet((1, 8, 8), 3, channels=(4, 8), hidden=16), (1, 8, 8)),
    "cifar": (CIFARConvNet((3, 16, 16), 3, channels=(4, 4, 8, 8, 8)), (3, 16, 16)),
    "preact": (PreActResNet18((3, 8, 8), 3, channels=(4, 4, 8, 8)), (3, 8, 8)),
    "wide": (WideResNet((3, 8, 8), 3, depth=10, widen_factor=1), (3, 8, 8)),
    "untraceable": (Gate(), (6,)),
    "shared layer": (Twice(), (6,)),
    "no statistics": (nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)), (6,)),
}


def trained_statistics(module, shape):
    """Give every normalisation statistics and weights of its own."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.double().eval()


@pytest.mark.parametrize("name", CASES)
def test_folding_changes_neither_output_nor_input_gradient(name):
    module, shape = CASES[name]
    module = trained_statistics(copy.deepcopy(module), shape)
    quick = fused_copy(module)
    x = torch.rand(5, *shape, dtype=torch.float64, requires_grad=True)
    z, z_quick = module(x), quick(x)
    torch.testing.assert_close(z_quick, z, rtol=1e-10, atol=1e-10)
    direction = torch.randn_like(z)
    grads = [torch.autograd.grad((out * direction).sum(), x)[0] for out in (z, z_quick)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-10)


def test_batch_normalisation_after_a_convolution_is_gone():
    module, shape = CASES["cifar"]
    quick = fused_copy(trained_statistics(copy.deepcopy(module), shape))
    quick(torch.rand(2, *shape, dtype=torch.float64))
    x = torch.rand(2, 4, 8, 8)
    norms = [part for part in quick.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms and all(norm(x) is x for norm in norms)


def test_the_module_itself_is_untouched():
    module, shape = CASES["cifar"]
    module = trained_statistics(copy.deepcopy(module), shape)
    before = copy.deepcopy(module.state_dict())
    fused_copy(module)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.is_contiguous()


def test_the_quick_view_keeps_classes_and_shape():
    module, _ = CASES["cifar"]
    view = as_module(copy.deepcopy(module))
    x = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(view.fused(x), view(x), rtol=1e-4, atol=1e-5)
    assert view.fused.input_shape == view.input_shape


def test_a_hooked_convolution_is_kept():
    layer = nn.Conv2d(1, 3, 3)
    layer.register_forward_hook(lambda layer, inputs, z: 2 * z)
    module = nn.Sequential(layer).eval()
    x = torch.rand(2, 1, 6, 6)
    torch.testing.assert_close(fused_copy(module)(x), module(x))


class Rounded(nn.Module):
    """Input on a grid, its gradient passed straight through; noise from numpy and torch."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        with torch.no_grad():
            rest = (8 * x).round() / 8 - x
        shift = np.random.rand() + torch.rand(3, 1, 1)
        return self.norm(self.conv(x + rest + shift)).mean((2, 3))


def test_what_a_forward_does_is_not_frozen():
    module = trained_statistics(Rounded(), (3, 8, 8)).float()
    quick, x = fused_copy(module), torch.rand(1, 3, 8, 8, requires_grad=True)
    assert len({quick(x)[0, 0].item() for _ in range(8)}) == 8
    assert all(torch.autograd.grad(net(x).sum(), x)[0].any() for net in (module, quick))


def norm_of_places():
    """A BatchNorm of the middle axis, which happens to be as long as the last one."""
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(16, 3))


def hooked(wrap):
    conv = wrap(nn.Conv2d(3, 4, 3))
    return nn.Sequential(conv, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3))


class Reads(nn.Module):
    """A module that uses the weight of its normalisation by itself."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.conv(x)).mean((2, 3)) * self.norm.weight


class Known(nn.Module):
    """Layers with two names each."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.features = nn.Sequential(self.conv, self.norm)

    def forward(self, x):
        return self.features(x).mean((2, 3))


class Standardised(nn.Conv2d):
    """A convolution that makes its own weight anew."""

    def forward(self, x):
        weight = self.weight / self.weight.std()
        return nn.functional.conv2d(x, weight, self.bias)


ODD = {
    "two names": (Known, (3, 8, 8)),
    "own weight": (lambda: nn.Sequential(Standardised(3, 4, 3), nn.BatchNorm2d(4)), (3, 8, 8)),
    "middle axis": (norm_of_places, (4, 4)),
    "spectral norm": (lambda: hooked(nn.utils.spectral_norm), (3, 8, 8)),
    "parametrised": (lambda: hooked(nn.utils.parametrizations.weight_norm), (3, 8, 8)),
    "pruned": (lambda: hooked(lambda c: prune.random_unstructured(c, "weight", 0.5)), (3, 8, 8)),
    "weight read": (Reads, (3, 8, 8)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_modules_keep_their_output(name):
    make, shape = ODD[name]
    module = trained_statistics(make(), shape)
    x = torch.rand(3, *shape, dtype=torch.float64)
    torch.testing.assert_close(fused_copy(module)(x), module(x), rtol=1e-9, atol=1e-9)


class Branches(nn.Module):
    """A normalisation that is used or not, by the values of the batch."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        z = self.conv(x)
        return (self.norm(z) if x.mean() > 0 else z).mean((2, 3))


class Shares(nn.Module):
    """An activation that is read twice, once through numpy."""

    def __init__(self, numpy):
        super().__init__()
        self.conv, self.norm, self.numpy = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), numpy

    def forward(self, x):
        z = self.conv(x)
        more = torch.from_numpy(z.detach().numpy().copy()) if self.numpy else z
        return (self.norm(z) + more).mean((2, 3))


@pytest.mark.parametrize("make", [Branches, lambda: Shares(False), lambda: Shares(True)])
def test_a_normalisation_stays_where_fusing_it_could_change_an_output(make):
    module = trained_statistics(make(), (3, 8, 8))
    fused = fused_copy(module)
    for x in (torch.rand(3, 3, 8, 8, dtype=torch.float64), -torch.rand(3, 3, 8, 8).double()):
        torch.testing.assert_close(fused(x), module(x), rtol=1e-10, atol=1e-10)


def test_a_batch_of_no_samples_does_not_decide_what_is_fused():
    module, shape = CASES["cifar"]
    module = trained_statistics(copy.deepcopy(module), shape).float()
    fused = fused_copy(module)
    assert fused(torch.rand(0, *shape)).shape == (0, 3)
    x = torch.rand(2, *shape)
    torch.testing.assert_close(fused(x), module(x), rtol=1e-4, atol=1e-4)
    assert any(type(part) is nn.BatchNorm2d and part(x) is x for part in fused.modules())


def test_a_module_first_used_in_inference_mode_still_gives_gradients():
    module, shape = CASES["cifar"]
    module = trained_statistics(copy.deepcopy(module), shape)
    fused = fused_copy(module)
    x = torch.rand(2, *shape, dtype=torch.float64)
    with torch.inference_mode():
        fused(x)
    x.requires_grad_(True)
    grads = [torch.autograd.grad(net(x).sum(), x)[0] for net in (module, fused)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-10)
