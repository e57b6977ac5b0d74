"""Models whose worst points are known, and the table of attacks that the tests share."""

import numpy as np
import torch
from torch import nn

from sklearn_robust import attacks
from sklearn_robust.attacks import APGD, FAB, FGSM, FMN, PGD, Square
from sklearn_robust.differentiable import as_module

NORMS = ("linf", "l2", "l1")
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}  # orders of the dual norms
ORDER = {"linf": np.inf, "l2": 2, "l1": 1, "l0": 0}
SHAPES = [(6,), (1, 4, 4), (3, 5, 4)]

# Fewer steps than by default, where the number of steps is not what a test is about.
BRIEF = {
    "APGD": {"max_iter": 15},
    "AutoAttack": {
        "version": "custom",
        "attacks": [APGD(max_iter=5), FAB(max_iter=3), Square(max_iter=8)],
    },
    "ALMA": {"max_iter": 20},
    "CarliniWagner": {"max_iter": 10, "n_searches": 2},
    "DDN": {"max_iter": 12},
    "FAB": {"max_iter": 8},
    "FMN": {"max_iter": 12},
    "HopSkipJump": {"max_iter": 4, "n_directions": 12},
    "MinimumNorm": {"attacks": [FMN(max_iter=6), FAB(max_iter=3)]},
    "SigmaZero": {"max_iter": 12},
    "Square": {"max_iter": 40},
    "WorstCase": {"attacks": [FGSM(), PGD(max_iter=4)]},
}
BALL = ["FGSM", "BIM", "MIFGSM", "PGD", "APGD", "Square", "WorstCase", "AutoAttack"]
NEAREST = [
    "DeepFool",
    "FAB",
    "CarliniWagner",
    "DDN",
    "FMN",
    "ALMA",
    "SigmaZero",
    "HopSkipJump",
    "MinimumNorm",
]


def brief(name, **params):
    """An attack of few steps, seeded; one that lacks the norm takes its own."""
    kind = getattr(attacks, name)
    known = kind.supported_norms
    if params.get("norm") in NORMS and known is not None and params["norm"] not in known:
        params["norm"] = known[0]
        if known[0] == "l0":  # so many features, in a box
            eps = np.asarray(params.get("eps", 3.0))
            params["eps"] = np.where(eps > 0, 3.0, eps)[()] if (eps > 0).any() else eps.item()
            params.setdefault("bounds", (-1, 1))
    return kind(**{**BRIEF.get(name, {}), "random_state": 0, **params})


def pairs(names=(*BALL, *NEAREST)):
    """All (name, norm) that exist, but for l0, which has tests of its own."""
    known = {name: getattr(attacks, name).supported_norms or NORMS for name in names}
    return [(name, norm) for name in names for norm in NORMS if norm in known[name]]


class Flat(nn.Sequential):
    """Linear logits of flattened samples, in float64."""

    def __init__(self, weight, bias):
        weight, bias = torch.as_tensor(weight), torch.as_tensor(bias)
        layer = nn.Linear(*weight.shape[::-1]).double()
        layer.load_state_dict({"weight": weight.double(), "bias": bias.double()})
        super().__init__(nn.Flatten(), layer)
        self.weight, self.bias = layer.weight.detach(), layer.bias.detach()


def linear(n_classes=3, shape=(6,), seed=0, scale=1.0):
    """A random linear model."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n_classes, int(np.prod(shape)))) * scale
    return Flat(weight, rng.standard_normal(n_classes) * scale)


def curved(n_classes=3, shape=(6,), seed=0, width=16, steep=1.0):
    """A small smooth network in float64; the steeper, the more its boundaries wind."""
    torch.manual_seed(seed)
    n_inputs = int(np.prod(shape))
    first, last = nn.Linear(n_inputs, width), nn.Linear(width, n_classes)
    nn.init.normal_(first.weight, std=steep)
    nn.init.normal_(first.bias, std=steep)
    nn.init.normal_(last.weight)
    return nn.Sequential(nn.Flatten(), first, nn.Tanh(), last).double()


def samples(n=12, shape=(6,), seed=1, low=0.0, high=1.0):
    """Random points of a box, float64."""
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.uniform(low, high, (n, *shape)))


def predicted(model, x):
    """Classes that a module predicts: what an attack has to change."""
    with torch.no_grad():
        return model(x).argmax(1)


def coded(model, X):
    """Classes that an attack's own view of a module gives to float32 samples."""
    return as_module(model).codes(np.asarray(X, dtype=np.float32))


def boundary_distance(model, x, y, norm):
    """Exact distance of each sample to the nearest boundary of a linear model, no box."""
    weight = model.weight.numpy()
    z = model(x).detach().numpy()
    y = y.numpy()
    rows = np.arange(len(z))
    gaps = z[rows, y][:, None] - z
    slopes = np.linalg.norm(weight[y][:, None] - weight[None], DUAL[norm], axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.maximum(gaps, 0) / slopes
    distances[rows, y] = np.inf
    return distances.min(1)


def lengths(x_adv, x, norm):
    """Norm of each perturbation, in float64."""
    gap = (x_adv.double() - x.double()).flatten(1)
    return torch.linalg.vector_norm(gap, ORDER[norm], dim=1)


def distances(attack, model, x, y):
    """Distance of each point that an attack finds, infinite where it finds none."""
    x_adv = attack.perturb(model, x, y)
    found = predicted(model, x_adv) != y
    return torch.where(found, lengths(x_adv, x, attack.norm), torch.inf)
