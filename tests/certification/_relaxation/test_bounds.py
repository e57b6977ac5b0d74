"""Bounds against interval arithmetic by hand, CROWN by dense matrices, and exact minima."""

import numpy as np
import pytest
import torch
from scipy.optimize import Bounds as Box
from scipy.optimize import LinearConstraint, milp
from torch import nn

from sklearn_robust._norms import get_norm
from sklearn_robust.certification._relaxation.bounds import Bounds
from sklearn_robust.certification._relaxation.graph import record
from sklearn_robust.certification._relaxation.intervals import intervals
from sklearn_robust.certification._relaxation.region import Region
from sklearn_robust.exceptions import NotBoundableError
from sklearn_robust.modules import MNISTConvNet


def mlp(*widths, seed=0):
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double().requires_grad_(False)


def opened(module, x, eps, norm="linf"):
    radius = torch.full_like(x, eps)
    kind = None if norm == "linf" else get_norm(norm)
    region = Region(x, x - eps, x + eps, kind, radius)
    graph = record(module, x)
    return Bounds(graph, region, graph.output)


def logits_below(bounds):
    z = bounds.interval[0]
    eye = torch.eye(z.shape[1], dtype=z.dtype)
    return bounds.lower(bounds.output, eye[:, None].expand(-1, *z.shape)).T


def dense_crown(layers, x, eps, dual):
    """Lower bounds of the last layer's outputs for one sample, with matrices (Zhang et al.)."""
    lows, highs = [], []
    for depth in range(1, len(layers) + 1):
        ends = []
        for sign in (1, -1):
            a, b = sign * layers[depth - 1].weight, sign * layers[depth - 1].bias
            for k in range(depth - 2, -1, -1):
                low, high = lows[k], highs[k]
                on, off = low >= 0, high <= 0
                up = torch.where(on, 1.0, torch.where(off, 0.0, high / (high - low)))
                shift = torch.where(on | off, 0.0, -low * up)
                under = torch.where(on, 1.0, torch.where(off, 0.0, (high > -low).double()))
                plus, minus = a.clamp_min(0), a.clamp_max(0)
                b = b + minus @ shift
                a = plus * under + minus * up
                b = b + a @ layers[k].bias
                a = a @ layers[k].weight
            ends.append(a @ x + b - eps * torch.linalg.vector_norm(a, dual, dim=1))
        lows.append(ends[0])
        highs.append(-ends[1])
    return lows[-1]


def exact_minimum(layers, x, eps, output):
    """Smallest output of a small ReLU network in a box, by mixed-integer programming."""
    # Variables: x, then for each hidden layer z, relu(z), and a binary for the side.
    hidden = [layer.out_features for layer in layers[:-1]]
    n = len(x) + 3 * sum(hidden)
    rows, low, high, integral = [], [], [], np.zeros(n)
    previous, at, big = np.arange(len(x)), len(x), 50.0
    box = Box(np.concatenate([x - eps, np.full(n - len(x), -big)]), np.full(n, big))
    box.ub[: len(x)] = x + eps
    for layer, width in zip(layers, hidden, strict=False):
        z, r, s = (np.arange(width) + at + k * width for k in range(3))
        at += 3 * width
        integral[s], box.lb[s], box.ub[s], box.lb[r] = 1, 0, 1, 0
        for i in range(width):
            row = np.zeros((4, n))
            row[0, z[i]], row[0, previous] = 1, -layer.weight[i].numpy()
            row[1, [r[i], z[i]]] = 1, -1
            row[2, [r[i], z[i], s[i]]] = 1, -1, big
            row[3, [r[i], s[i]]] = 1, -big
            rows.append(row)
            bias = float(layer.bias[i])
            low.append([bias, 0, -np.inf, -np.inf])
            high.append([bias, np.inf, big, 0])
        previous = r
    c = np.zeros(n)
    c[previous] = layers[-1].weight[output].numpy()
    limits = LinearConstraint(np.vstack(rows), np.concatenate(low), np.concatenate(high))
    found = milp(c, integrality=integral, bounds=box, constraints=limits)
    return found.fun + float(layers[-1].bias[output])


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", torch.inf)])
def test_crown_equals_crown_by_matrices(norm, dual):
    module = mlp(6, 12, 10, 8, 3)
    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    x = torch.rand(4, 6, dtype=torch.float64)
    found = logits_below(opened(module, x, 0.4, norm))
    wanted = torch.stack([dense_crown(layers, row, 0.4, dual) for row in x])
    # Intervals are intersected with those of interval arithmetic, which may be better.
    assert (found >= wanted - 1e-9).all()
    assert torch.allclose(found, wanted, atol=0.02)


def test_crown_is_below_the_exact_minimum_and_slopes_come_nearer():
    module = mlp(3, 8, 6, 2, seed=1)
    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    x = torch.rand(3, 3, dtype=torch.float64)
    bounds = opened(module, x, 0.5)
    lower = logits_below(bounds)
    a = torch.eye(2).double()[:, None].expand(2, 3, 2)
    better = bounds.optimised(bounds.output, a, 20).T
    graph = record(module, x)
    by_interval, _ = intervals(graph, x - 0.5, x + 0.5, graph.output)[graph.output]
    for row, output in np.ndindex(3, 2):
        exact = exact_minimum(layers, x[row].numpy(), 0.5, output)
        place = row, output
        assert float(better[place]) <= exact + 1e-7
        assert by_interval[place] <= lower[place] + 1e-12 <= better[place] + 2e-12
    assert float((better - lower).max()) > 0.01


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.short = nn.Conv2d(2, 3, 1)
        self.last = nn.Linear(12, 3)

    def forward(self, x):
        h = nn.functional.gelu(self.norm(self.conv(x))) + self.short(x)
        h = nn.functional.max_pool2d(torch.tanh(h), 2)
        return self.last(
            torch.cat([h.flatten(1)[:, :6], nn.functional.silu(h).flatten(1)[:, 6:]], 1)
        )


NETWORKS = {
    "branches": (Branches, (2, 4, 4)),
    "mnist": (lambda: MNISTConvNet((8, 8), 3, (2, 4), 3, 8), (8, 8)),
}


@pytest.mark.parametrize("name", ["branches", "mnist"])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_no_point_of_the_region_is_below(name, norm):
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = make().double().eval().requires_grad_(False)
    x = torch.rand(3, *shape, dtype=torch.float64)
    bounds = opened(module, x, 0.1, norm)
    lower = logits_below(bounds)
    low, high = bounds.interval
    for _ in range(100):
        d = torch.randn_like(x)
        length = torch.linalg.vector_norm(d.flatten(1), get_norm(norm).order, dim=1)
        point = x + 0.1 * d / length.reshape(-1, *[1] * len(shape))
        z = module(point)
        assert ((low <= z + 1e-9) & (z <= high + 1e-9) & (lower <= z + 1e-9)).all()


def test_small_memory_gives_the_same_numbers(monkeypatch):
    module, x = mlp(5, 30, 20, 3), torch.rand(4, 5, dtype=torch.float64)
    whole = logits_below(opened(module, x, 0.2))
    monkeypatch.setattr("sklearn_robust.certification._relaxation.bounds._MEMORY", 200)
    assert torch.allclose(logits_below(opened(module, x, 0.2)), whole, atol=1e-12)


def test_a_layer_that_costs_too_much_keeps_its_interval(monkeypatch):
    module, x = mlp(5, 30, 20, 3), torch.rand(4, 5, dtype=torch.float64)
    tight = logits_below(opened(module, x, 0.2))
    monkeypatch.setattr("sklearn_robust.certification._relaxation.bounds._WORK", 0)
    loose = logits_below(opened(module, x, 0.2))
    assert (loose <= tight + 1e-12).all() and (loose < tight - 1e-3).any()


def test_unknown_operations_are_named():
    x = torch.rand(2, 3, dtype=torch.float64)
    with pytest.raises(NotBoundableError, match="floor"):
        opened(torch.floor, x, 0.1)
    with pytest.raises(OverflowError, match="infinite"):
        opened(lambda x: torch.tanh(torch.exp(1000 * x) * 1e300), x, 1.0)
