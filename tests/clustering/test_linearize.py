"""A linearised network is affine, keeps what was linear, and leaves the original alone."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.clustering import class_weight_matrix, linearize
from sklearn_robust.exceptions import NotLinearizableError
from tests.cases import blobs, generators_untouched, quick, same_state, state_of
from tests.clustering.networks import (
    IMAGE,
    LINEARIZABLE,
    REFUSED,
    Calls,
    Deaf,
    Gate,
    Head,
    networks,
    points,
    settled,
)

every_network = pytest.mark.parametrize("name", LINEARIZABLE)


both_ways = pytest.mark.parametrize("batch_norm", ["fold", "drop"])


def superposition_error(f, a=2.0, b=-3.0):
    """How far f(ax + by) is from a f(x) + b f(y) + (1 - a - b) f(0), relative to f(x) - f(0)."""
    x, y = points()
    with torch.no_grad():
        fx, fy, f0 = f(x.clone()), f(y.clone()), f(torch.zeros_like(x))
        gap = f(a * x + b * y) - (a * fx + b * fy + (1 - a - b) * f0)
    return float(gap.norm() / (fx - f0).norm())


def jacobian(f, x):
    return torch.autograd.functional.jacobian(lambda x: f(x)[0], x).flatten(1)


@both_ways
@every_network
def test_a_linearised_network_is_affine_and_the_original_is_not(name, batch_norm):
    network = networks()[name]
    assert superposition_error(linearize(network, batch_norm=batch_norm)) < 1e-10
    assert superposition_error(network.double()) > 1e-3


@both_ways
@every_network
def test_its_slope_is_the_same_everywhere(name, batch_norm):
    f = linearize(networks()[name], batch_norm=batch_norm)
    first, second = (jacobian(f, x) for x in points())
    assert torch.equal(first, second)


@both_ways
@every_network
def test_weights_from_gradients_are_those_of_the_identity_basis(name, batch_norm):
    network = networks()[name].double()
    f = linearize(network, batch_norm=batch_norm)
    W = class_weight_matrix(network, input_shape=IMAGE, batch_norm=batch_norm)
    size = int(np.prod(IMAGE))
    basis = torch.eye(size, dtype=torch.float64).reshape(size, *IMAGE)
    with torch.no_grad():
        columns = f(basis) - f(torch.zeros_like(basis))
    np.testing.assert_allclose(W, columns.T, rtol=0, atol=1e-9 * np.abs(W).max())


@every_network
def test_it_is_the_sum_of_its_weights_and_a_constant(name):
    network = networks()[name].double()
    f, (x, _) = linearize(network), points()
    W = torch.tensor(class_weight_matrix(network, input_shape=IMAGE))
    wanted = W @ x.flatten() + f(torch.zeros_like(x))[0]
    torch.testing.assert_close(f(x)[0], wanted, rtol=1e-10, atol=1e-10 * float(wanted.norm()))


def test_the_weights_of_a_linear_network_are_the_product_of_its_matrices():
    layers = [nn.Linear(7, 5), nn.Linear(5, 4), nn.Linear(4, 3)]
    for layer in layers:  # integers, whose products are exact
        layer.weight.data.copy_(torch.randint(-9, 10, layer.weight.shape))
    first, second, third = (layer.weight.detach().double().numpy() for layer in layers)
    W = class_weight_matrix(nn.Sequential(*layers), input_shape=(7,))
    assert np.array_equal(W, third @ second @ first)


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_products_beyond_the_range_of_float32_are_taken_in_float64(factor):
    network = nn.Sequential(*[nn.Linear(4, 4, bias=False) for _ in range(6)])
    wanted = np.eye(4)
    for layer in network:
        layer.weight.data *= factor
        wanted = layer.weight.detach().double().numpy() @ wanted
    W = class_weight_matrix(network, input_shape=(4,))
    np.testing.assert_allclose(W, wanted, rtol=1e-12)


def surgery(network, batch_norm):
    """The same by replacing modules, for networks that are modules throughout."""
    network = copy.deepcopy(network).double()
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                geometry = child.kernel_size, child.stride, child.padding, child.ceil_mode
                setattr(parent, name, nn.AvgPool2d(*geometry))
            drop = isinstance(child, nn.BatchNorm2d) and batch_norm == "drop"
            if drop or isinstance(child, (nn.ReLU, nn.LogSoftmax)):
                setattr(parent, name, nn.Identity())
    return network


@both_ways
@pytest.mark.parametrize("name", ["CIFARConvNet", "PreActResNet18", "max-pool, ceil"])
def test_parts_are_left_out_averaged_and_folded(name, batch_norm):
    network = networks()[name]
    (x, _) = points()
    f, wanted = linearize(network, batch_norm=batch_norm), surgery(network, batch_norm)
    torch.testing.assert_close(f(x), wanted(x), rtol=1e-12, atol=1e-12)


@both_ways
def test_a_net_that_was_fitted_keeps_its_batch_norm_apart(batch_norm):
    X, y = blobs(shape=IMAGE, labels=(0, 1, 2))
    net = quick(NaturalNet, module=networks()["residual"]).fit(X, y)
    drop = class_weight_matrix(net, batch_norm=batch_norm)
    np.testing.assert_array_equal(
        drop, class_weight_matrix(net.module_, input_shape=IMAGE, batch_norm=batch_norm)
    )


def rescaled(network):
    """The same function: a convolution scaled, channel by channel, and its BatchNorm, too."""
    other = copy.deepcopy(network)
    convolution, norm = other.block[0], other.block[1]
    factor = torch.tensor([10.0, 0.05], dtype=torch.float64)
    convolution.weight.data *= factor[:, None, None, None]
    norm.running_mean *= factor
    norm.running_var.copy_((norm.running_var + norm.eps) * factor**2 - norm.eps)
    return other


def test_folding_is_blind_to_the_scale_that_batch_norm_absorbs_and_dropping_is_not():
    network = networks()["residual"].double()
    other = rescaled(network)
    (x, _) = points()
    torch.testing.assert_close(network(x), other(x), rtol=1e-10, atol=1e-10)
    fold, drop = (
        [class_weight_matrix(n, input_shape=IMAGE, batch_norm=way) for n in (network, other)]
        for way in ("fold", "drop")
    )
    np.testing.assert_allclose(*fold, rtol=1e-10, atol=1e-10 * np.abs(fold[0]).max())
    assert np.abs(drop[0] - drop[1]).max() > 0.1 * np.abs(drop[0]).max()


@pytest.mark.parametrize("network", REFUSED, ids=lambda network: network.__name__)
def test_what_cannot_be_linearised_is_refused_by_name(network):
    with pytest.raises(NotLinearizableError, match=REFUSED[network]) as caught:
        class_weight_matrix(network().eval(), input_shape=(6,))
    assert str(caught.value).startswith(f"{network.__name__} cannot be linearised: ")


# Functions with a slope of their own for each sign, which are no activations by name.
TWO_SLOPES = {
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "mask": lambda x: x * (x > 0),
    "abs": torch.abs,
    "maxout": lambda x: torch.stack([x, 1 - x]).amax(0),
}


@pytest.mark.parametrize("first", [nn.Identity, nn.Linear], ids=["input", "hidden"])
@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("function", TWO_SLOPES)
def test_two_slopes_are_told_apart_whatever_the_weights_and_however_few_inputs(
    function, width, first
):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = first(width, width), nn.Linear(width, 3)

        def forward(self, x):
            return self.last(TWO_SLOPES[function](self.first(x)))

    for seed in range(10):
        torch.manual_seed(seed)
        with pytest.raises(NotLinearizableError, match="not affine, because of"):
            class_weight_matrix(Network(), input_shape=(width,))


def test_values_too_coarse_to_compare_in_float32_are_compared_in_float64():
    class Coarse(Head):
        def forward(self, x):
            if x.dtype == torch.float32:
                x = x + (x.round() - x).detach()
            return self.last(self.inner(x))

    network = Coarse()
    W = class_weight_matrix(network, input_shape=(6,))
    wanted = (network.last.weight.double() @ network.inner.weight.double()).detach()
    np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-12)


def test_a_function_that_nobody_knows_may_be_affine_all_the_same():
    class Rolled(Head):
        def forward(self, x):
            return self.last(torch.roll(x, 1, 1))

    network = Rolled()
    W = class_weight_matrix(network, input_shape=(6,))
    assert np.array_equal(np.roll(W, 1, 1), network.last.weight.detach().double())


def test_the_fallback_is_offered_and_works():
    network = Gate()
    with pytest.raises(NotLinearizableError, match="class_weight_matrix.*method='mean_jacobian'"):
        class_weight_matrix(network, input_shape=(6,))
    x = points(5, (6,))[:, 0].float()
    W = class_weight_matrix(network, x.numpy(), method="mean_jacobian")
    wanted = torch.stack([jacobian(network, row[None]) for row in x]).mean(0)
    np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-6)


def test_the_refusal_comes_at_the_first_call_where_the_shape_was_not_known():
    f = linearize(Gate())
    with pytest.raises(NotLinearizableError, match="because of mul"):
        f(torch.zeros(1, 6))
    with pytest.raises(NotLinearizableError, match="constant"):
        linearize(NaturalNet.from_module(Deaf(), classes=range(3)))(torch.zeros(1, 6))


def test_a_fitted_net_is_refused_at_once():
    X, y = blobs(shape=(6,), labels=(0, 1, 2))
    net = quick(NaturalNet, module=Gate, max_epochs=1).fit(X, y)
    with pytest.raises(NotLinearizableError, match="NaturalNet cannot be linearised.*mul"):
        linearize(net)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_module_is_refused():
    traced = torch.jit.trace(Head().inner, torch.zeros(1, 6))
    with pytest.raises(NotLinearizableError, match="TorchScript.*pass the Python module"):
        linearize(nn.Sequential(traced))


def test_an_unknown_way_with_batch_norm_is_refused():
    with pytest.raises(ValueError, match="batch_norm is 'keep'; choose one of"):
        linearize(Head().inner, batch_norm="keep")


@every_network
def test_the_original_is_untouched(name):
    network = networks()[name].train()
    before = state_of(network)
    with generators_untouched():
        f = linearize(network)
        f(points()[0])
        class_weight_matrix(network, input_shape=IMAGE)
    same_state(network, before)
    assert network.training and not f.training
    assert not any(p.requires_grad for p in f.parameters())


def test_a_linearised_network_is_a_view_in_the_dtype_of_its_input():
    X, y = blobs(shape=IMAGE, labels=("a", "b", "c"))
    net = quick(NaturalNet, module=networks()["residual"]).fit(X, y)
    f = linearize(net)
    assert f.classes_.tolist() == ["a", "b", "c"] and f.input_shape == IMAGE
    x = torch.tensor(X[:3])
    assert f(x).dtype == torch.float32
    torch.testing.assert_close(f(x), f(x.double()).float(), rtol=1e-4, atol=1e-4)
    assert linearize(f) is not f
    torch.testing.assert_close(linearize(f)(x.double()), f(x.double()))


def test_the_input_is_not_written_on():
    x = points()[0]
    kept = x.clone()
    linearize(settled(Calls()))(x)
    assert torch.equal(x, kept)


def test_a_compiled_module_is_taken_out_of_its_wrapper():
    network = networks()["residual"]
    W = class_weight_matrix(torch.compile(network), input_shape=IMAGE)
    np.testing.assert_array_equal(W, class_weight_matrix(network, input_shape=IMAGE))


class SqueezeAndExcite(nn.Module):
    """Squeeze and excitation: features times a function of their own means."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return x * torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]


def test_a_refusal_names_the_module_that_is_not_affine():
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3), SqueezeAndExcite(), nn.Flatten(), nn.Linear(64, 3)
    ).double()
    with pytest.raises(NotLinearizableError, match="still not affine, because of mul in 1[.,]"):
        class_weight_matrix(network, input_shape=(2, 6, 6))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
