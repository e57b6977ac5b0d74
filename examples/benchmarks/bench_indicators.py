"""Cost of surfaces and indicators, relative to the passes they consist of and to other libraries.

Run with ``python examples/benchmarks/bench_indicators.py``. Untrained networks of the papers'
shapes get random images. The script uses one torch thread and prints medians of process time over
interleaved rounds.
"""

import copy

import numpy as np
import torch
from _timing import print_table, ratios
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

from sklearn_robust import _functional as F
from sklearn_robust.metrics import hessian_eigvals, input_jacobian
from sklearn_robust.modules import CIFARConvNet, MNISTConvNet
from sklearn_robust.plotting.surfaces._input_plane import InputPlane

NETS = {"MNIST net": (MNISTConvNet, (1, 28, 28)), "CIFAR net": (CIFARConvNet, (3, 32, 32))}


def make(factory, shape, n_samples, **options):
    """Untrained network in eval mode, random images and labels."""
    torch.manual_seed(0)
    X = np.random.default_rng(0).random((n_samples, *shape), dtype=np.float32)
    return factory(shape, 10, **options).eval(), X, np.arange(n_samples) % 10


def surface(name):
    """101 x 101 points around one image against as many bare forward passes."""
    module, X, y = make(*NETS[name], 1)
    options = {"index": 0, "direction": "cw", "other": "random", "norm": "linf", "attack": None}
    points = torch.tensor(X).expand(101 * 101, *X.shape[1:])

    def forward(size):
        with torch.inference_mode():
            for start in range(0, len(points), size):
                module(points[start : start + size].contiguous())

    ways = {
        "bare forward passes, batches of 128": lambda: forward(128),
        "bare forward passes, one point each": lambda: forward(1),
        "surface": lambda: InputPlane(module, X, y, random_state=0, **options).grid(0.3, 101, None),
    }
    if name != "MNIST net":
        ways.pop("bare forward passes, one point each")
    rows = ratios(ways, n_rounds=1 if name != "MNIST net" else 3)
    print_table(f"surface of 101 x 101 points, {name}", rows, {"surface": 1.5})


def jacobian(name):
    """Gradients of a batch against one forward and one backward pass."""
    module, X, y = make(*NETS[name], 128)
    module.requires_grad_(False)
    codes = torch.tensor(y)

    def by_hand():
        x = torch.tensor(X).requires_grad_(True)
        return torch.autograd.grad(F.margin(module(x), codes).sum(), x)

    ways = {
        "one forward and one backward pass": by_hand,
        "input_jacobian": lambda: input_jacobian(module, X, y, batch_size=128),
    }
    print_table(f"input Jacobians of 128 images, {name}", ratios(ways), {"input_jacobian": 1.15})


def closed_form(name):
    """Exact spectra of a piecewise linear network against its backward passes."""
    module, X, y = make(*NETS[name], 32)
    module.requires_grad_(False).double()

    def backwards():
        x = torch.tensor(X).double().requires_grad_(True)
        z = module(x)
        for c in range(10):
            torch.autograd.grad(z[:, c].sum(), x, retain_graph=True)

    ways = {
        "10 backward passes": backwards,
        "hessian_eigvals, all eigenvalues": lambda: hessian_eigvals(module, X, y, of="loss"),
    }
    print_table(
        f"exact spectra of the loss of 32 images, {name}",
        ratios(ways),
        {"hessian_eigvals, all eigenvalues": 1.5},
    )


def top_eigenvalues():
    """Ten eigenvalues of a smooth network of 784 inputs against the dense matrix and eigsh."""
    module, X, y = make(*NETS["MNIST net"], 2, activation=nn.Softplus)
    module.requires_grad_(False)
    twin = make(*NETS["MNIST net"], 2, activation=nn.Softplus)[0].double().requires_grad_(False)

    def per_sample():
        for x, code in zip(torch.tensor(X).double(), torch.tensor(y), strict=True):
            x = x[None].requires_grad_(True)
            g = torch.autograd.grad(F.margin(twin(x), code[None]).sum(), x, create_graph=True)[0]

            def product(v, g=g, x=x):
                v = torch.as_tensor(v).view_as(x)
                return torch.autograd.grad(g, x, v, retain_graph=True)[0].numpy().ravel()

            eigsh(LinearOperator((784, 784), matvec=product, dtype=float), 10, tol=1e-6)

    options = {"k": 10, "of": "margin"}
    lanczos = "hessian_eigvals, method='lanczos'"
    ways = {
        "hessian_eigvals, method='exact'": lambda: hessian_eigvals(
            module, X, y, method="exact", **options
        ),
        lanczos: lambda: hessian_eigvals(module, X, y, method="lanczos", **options),
        "scipy's eigsh, sample by sample": per_sample,
    }
    other = curvlinops_way(twin, X, y)
    ways |= {"curvlinops with eigsh, sample by sample": other} if other else {}
    rows = ratios(ways, n_rounds=1)
    print_table(
        "10 eigenvalues of the margin's Hessian of 2 images, 784 inputs", rows, {lanczos: 0.2}
    )


class Shifted(nn.Module):
    """A network of one image whose only parameter is what is added to that image."""

    def __init__(self, module, shape):
        super().__init__()
        self.module, self.shift = module, nn.Parameter(torch.zeros(1, *shape).double())

    def forward(self, x):
        return self.module(x + self.shift)


class NegativeMargin(nn.Module):
    """The decision function as a loss."""

    reduction = "sum"

    def forward(self, z, y):
        return F.margin_loss(z, y).sum()


def with_plain_pooling(module):
    """The same network with torch's own pooling, which vmap knows."""
    layers = [
        nn.MaxPool2d(2) if isinstance(part, nn.MaxPool2d) else part for part in module.features
    ]
    module.features = nn.Sequential(*layers)
    return module


def curvlinops_way(module, X, y):
    """The same with curvlinops, whose operators are about parameters; None if not installed."""
    try:
        from curvlinops import HessianLinearOperator
    except ImportError:
        return print("\ncurvlinops is not installed: left out")

    module = with_plain_pooling(copy.deepcopy(module))

    def run():
        for x, code in zip(torch.tensor(X).double(), torch.tensor(y), strict=True):
            net, data = Shifted(module, x.shape), [(x[None], code[None])]
            options = {"check_deterministic": False}
            H = HessianLinearOperator(net, NegativeMargin(), [net.shift], data, **options)
            eigsh(H.to_scipy(), 10, tol=1e-6)

    return run


if __name__ == "__main__":
    torch.set_num_threads(1)
    for net in NETS:
        surface(net)
        jacobian(net)
        closed_form(net)
    top_eigenvalues()
