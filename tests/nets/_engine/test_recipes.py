"""Recipes: the papers' numbers, and what they may not be mixed with."""

import pickle

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_robust import GAIRATNet, MinMaxNet, NaturalNet, TRADESNet
from sklearn_robust.nets import recipe_params
from sklearn_robust.nets._engine.schedules import burn_in_epochs
from tests.cases import blobs, same_weights

_, Y = blobs()
IMAGES, _ = blobs(shape=(3, 8, 8))

RECIPES = ["fast-cifar", "gairat-resnet18", "trades-wrn"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_its_parameters(name):
    recipe = NaturalNet(Flat, recipe=name, random_state=0)
    told = rf"recipe goes in the next release: type NaturalNet\(\*\*recipe_params\('{name}'\)\)"
    with pytest.warns(FutureWarning, match=told):
        recipe.fit(IMAGES, Y)
    spelled = NaturalNet(Flat, **recipe_params(name), random_state=0).fit(IMAGES, Y)
    assert same_weights(recipe, spelled) and recipe.n_iter_ == recipe_params(name)["max_epochs"]
    assert isinstance(recipe.optimizer_, torch.optim.SGD)


class Flat(nn.Sequential):
    """A linear module for images."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(192, 2))


@pytest.mark.filterwarnings("ignore:the parameter recipe goes:FutureWarning")
def test_a_recipe_leaves_the_parameters_as_they_were_given():
    net = NaturalNet(Flat, recipe="fast-cifar", random_state=0)
    before = net.get_params()
    assert net.fit(IMAGES, Y).get_params().keys() >= before.keys()
    assert (net.lr, net.max_epochs, net.augment) == (1e-3, 30, None)
    assert repr(net).startswith("NaturalNet(") and "recipe='fast-cifar'" in repr(net)
    assert same_weights(net, pickle.loads(pickle.dumps(net)))
    assert same_weights(net, clone(net).fit(IMAGES, Y))
    assert net.partial_fit(IMAGES, Y).n_iter_ == 30  # another fifteen


def test_the_papers_numbers():
    """What the papers and their released codes say of their schedules."""
    gairat, trades, fast = (
        recipe_params(n) for n in ("gairat-resnet18", "trades-wrn", "fast-cifar")
    )
    rate = {"gairat": (0.1, 100, 2e-4), "trades": (0.1, 76, 2e-4), "fast": (0.2, 15, 5e-4)}
    for found, wanted in zip((gairat, trades, fast), rate.values(), strict=True):
        decay = "optimizer__weight_decay"
        assert (found["lr"], found["max_epochs"], found[decay]) == wanted
        assert (found["optimizer__momentum"], found["batch_size"]) == (0.9, 128)
    assert gairat["lr_schedule"] == ((31, 0.1), (61, 0.01))
    assert trades["lr_schedule"] == ((75, 0.1),)
    assert fast["lr_schedule"] == "cyclic"


def test_a_recipe_and_another_value_are_refused():
    net = NaturalNet(Flat, recipe="fast-cifar", lr=0.01)
    match = r"recipe='fast-cifar' sets lr=0.2, and lr=0.01 was given too: leave one out, or type N"
    with pytest.raises(ValueError, match=match):
        net.fit(IMAGES, Y)
    with pytest.raises(ValueError, match="recipe='fast-cifar' sets optimizer__momentum=0.9"):
        NaturalNet(Flat, recipe="fast-cifar", optimizer__momentum=0.5).fit(IMAGES, Y)
    with pytest.raises(ValueError, match="recipe is 'cake'; choose one of"):
        NaturalNet(recipe="cake").fit(IMAGES, Y)


def test_settings_that_only_some_nets_have_come_with_their_class():
    """GAIRAT's ResNet-18 has no weights for 30 of 100 epochs, and no recipe lets eps grow."""
    extra = {
        net: set(recipe_params("gairat-resnet18", net)) - set(recipe_params("gairat-resnet18"))
        for net in (GAIRATNet, MinMaxNet, NaturalNet)
    }
    assert extra == {
        GAIRATNet: {"burn_in", "eps_warm_up"}, MinMaxNet: {"eps_warm_up"}, NaturalNet: set()
    }  # fmt: skip
    params = recipe_params("gairat-resnet18", GAIRATNet)
    net = GAIRATNet(Flat, **params)
    assert burn_in_epochs(net) == 30 and net.eps_warm_up == 0
    assert recipe_params("trades-wrn", TRADESNet)["eps_warm_up"] == 0
    with pytest.raises(TypeError, match="give the class of a net, such as MinMaxNet"):
        recipe_params("trades-wrn", NaturalNet())
