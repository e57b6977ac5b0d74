"""What makes another fit, and what may change."""

import pytest
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import predefined_split
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.callbacks import WeightPerturbation
from tests.cases import Linear, Pairs, blobs, quick
from tests.nets._persistence.interrupted import Order, epochs_trained

X, Y = blobs()

OTHERS = {
    "data": ({}, (X[::-1].copy(), Y)),
    "labels": ({}, (X, Y[::-1].copy())),
    "names of labels": ({}, (X, Y + 1)),
    "a dataset": ({}, (Pairs(X + 1, Y),)),
    "lr": ({"lr": 0.5}, (X, Y)),
    "seed": ({"random_state": 1}, (X, Y)),
    "epochs": ({"max_epochs": 3}, (X, Y)),
    "an argument of the attack": ({"attack__eps": 0.2}, (X, Y)),
    "a function": ({"augment": lambda x: x * 0.5}, (X, Y)),
    "callbacks": ({"callbacks": [WeightPerturbation(0.02)]}, (X, Y)),
    "a split": ({"train_split": predefined_split(SkorchDataset(X[:8], Y[:8]))}, (X, Y)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_fit_in_the_same_folder_starts_afresh(case, tmp_path):
    shared = {"module": Order, "checkpoint": tmp_path, "augment": lambda x: x * 1.0}
    quick(MinMaxNet, **shared).fit(X, Y)
    params, data = OTHERS[case]
    net = quick(MinMaxNet, **{**shared, **params})
    assert epochs_trained(net, *data) > 0
    assert len(list(tmp_path.iterdir())) == 2


class Noise(nn.Module):
    """Its number is neither a weight nor in its repr."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        return x + self.sigma

    def go(self, x):
        return self(x)


class Steep(Linear):
    """Has another slope than other modules of its name and weights, if told so."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return self.slope * super().forward(x)


def edited(forward):
    """A module class of one name and its weights, before and after its code was changed."""
    return type("Edited", (Linear,), {"forward": forward})


def enclosing(factor):
    return lambda x: x * factor


def defaulting(factor):
    return lambda x, factor=factor: x * factor


def nesting(inner):
    return lambda x: inner(x)


OUTSIDE = [eval("lambda x: x * FACTOR", {"FACTOR": factor}) for factor in (1.0, 0.5)]
WITHIN = [eval(f"lambda x: [part * {factor} for part in [x]][0]") for factor in (1.0, 0.5)]

# two values of a parameter that train different nets
PAIRS = {
    "an enclosed value": ("augment", [enclosing(1.0), enclosing(0.5)]),
    "an enclosed function": ("augment", [nesting(enclosing(1.0)), nesting(enclosing(0.5))]),
    "a default": ("augment", [defaulting(1.0), defaulting(0.5)]),
    "a global value": ("augment", OUTSIDE),
    "a nested function": ("augment", WITHIN),
    "a method": ("augment", [Noise(0.0).go, Noise(0.5).go]),
    "an attribute of a transform": ("augment", [Noise(0.0), Noise(0.5)]),
    "an attribute of a module": ("module", [Steep(1.0), Steep(0.5)]),
    "the code of a module": (
        "module",
        [edited(lambda self, x: x @ self.weight.T), edited(lambda self, x: -x @ self.weight.T)],
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_what_makes_another_net_makes_another_fit(case, tmp_path):
    name, values = PAIRS[case]
    for value in values:
        quick(NaturalNet, **{name: value}, checkpoint=tmp_path).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 2
    quick(NaturalNet, **{name: values[0]}, checkpoint=tmp_path).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_dataset_is_known_by_all_its_samples(tmp_path):
    between = X.copy()
    between[2:] = between[2:].mean()
    between[0], between[1] = X.min(axis=0), X.max(axis=0)
    other = between.copy()
    other[2:] += 1e-3
    for samples in (between, other, between):
        quick(NaturalNet, checkpoint=tmp_path).fit(Pairs(samples, Y))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["checkpoint", "device", "verbose"])
def test_what_does_not_touch_the_weights_may_change(name, tmp_path, capsys):
    quick(NaturalNet, module=Order, checkpoint=tmp_path).fit(X, Y)
    other = {"checkpoint": str(tmp_path), "device": "cpu", "verbose": 1}[name]
    net = quick(NaturalNet, **{"module": Order, "checkpoint": tmp_path, name: other})
    assert epochs_trained(net, X, Y) == 0
