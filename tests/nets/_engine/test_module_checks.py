"""The module of a net: a class, an instance, and one that was trained elsewhere."""

import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_robust import CertifiedNet, JacobianRegNet, MinMaxNet, NaturalNet, robust_score
from sklearn_robust.modules import MLP, MNISTConvNet
from tests.cases import (
    NETS,
    Linear,
    Normalised,
    Odd,
    Pairs,
    blobs,
    generators_untouched,
    quick,
    same_state,
    same_weights,
    state_of,
)

X, Y = blobs()


class Wide(nn.Linear):
    """ReplayCache its shape from the data."""

    def __init__(self, input_shape, n_classes, bias=True):
        super().__init__(*input_shape, n_classes, bias=bias)


class Chatty(Linear):
    """Returns its logits and something else."""

    def forward(self, x):
        return super().forward(x), x


class Named(Linear):
    """Returns its logits by name."""

    def forward(self, x):
        return {"logits": super().forward(x)}


def test_a_class_is_called_with_the_shape_of_the_data_and_its_own_arguments():
    net = quick(NaturalNet, module=Wide, module__bias=False).fit(X, Y)
    assert net.module_.weight.shape == (2, 4) and net.module_.bias is None
    images, y = blobs(shape=(1, 8, 8))
    net = quick(NaturalNet, module=MNISTConvNet, module__hidden=7).fit(images, y)
    assert net.module_.classifier[0].out_features == 7
    assert quick(NaturalNet, module__hidden=(5,)).fit(X, Y).module_.features[1].out_features == 5


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_an_instance_is_copied_and_every_fit_starts_where_it_stands(net):
    given = Normalised()
    before = state_of(given)
    fitted = quick(net, module=given).fit(X, Y)
    first = copy.deepcopy(fitted)
    same_state(given, before)
    assert fitted.module is given
    assert not same_weights(fitted, net.from_module(given, classes=[0, 1]))
    assert same_weights(first, fitted.fit(X, Y))
    other = quick(net, module=Normalised()).fit(X, Y)
    assert not same_weights(first, other)


@pytest.mark.parametrize(
    "net", [net for net in NETS if net is not CertifiedNet], ids=lambda net: net.__name__
)
def test_the_first_of_several_outputs_is_the_logits(net):
    fitted = quick(net, module=Chatty).fit(X, Y)
    assert same_weights(fitted, quick(net, module=Linear).fit(X, Y))
    assert fitted.decision_function(X).shape == Y.shape


def test_logits_are_found_by_their_name():
    named, plain = (quick(NaturalNet, module=module).fit(X, Y) for module in (Named, Linear))
    assert same_weights(named, plain)


BAD_MODULES = [
    (nn.Sequential(nn.Linear(4, 2), nn.Softmax(1)), "look like probabilities .*last Softmax"),
    (Linear(3), r"output of shape \(16, 3\) for 16 samples, but there are 2 classes"),
    (nn.Linear(4, 1), r"output of shape \(16, 1\) for 16 samples"),
    (nn.Sequential(nn.Linear(4, 2), nn.Flatten(0)), r"output of shape \(32,\)"),
    ("mlp", r"module is 'mlp'; choose one of \['auto'\]"),
]


@pytest.mark.parametrize(("module", "match"), BAD_MODULES, ids=[match for _, match in BAD_MODULES])
@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_a_module_that_does_not_return_logits_is_refused_before_training(module, match, as_pairs):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, module=module).fit(*((Pairs(X, Y),) if as_pairs else (X, Y)))


@pytest.mark.parametrize("module", [MLP((4,), 2), nn.Conv1d(4, 2, 1)], ids=["linear", "conv"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_a_module_that_computes_in_another_dtype_is_refused(module, dtype):
    samples = X if isinstance(module, MLP) else X[:, :, None]
    module, kind = copy.deepcopy(module).to(dtype), str(dtype).removeprefix("torch.")
    with pytest.raises(ValueError, match=f"weights of {kind}, .*: give module.float()"):
        quick(NaturalNet, module=module).fit(samples, Y)
    with pytest.raises(ValueError, match=f"weights of {kind}, .*: give module.float()"):
        NaturalNet.from_module(module, classes=[0, 1]).predict(samples)


def test_a_module_on_its_way_to_probabilities_is_not_taken_for_one():
    module = nn.Sequential(nn.Linear(4, 2), nn.Sigmoid())
    assert quick(NaturalNet, module=module).fit(X, Y).n_iter_ == 2


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_trained_module_becomes_a_fitted_net(net):
    module = Normalised().eval()
    before = state_of(module)
    with generators_untouched():
        fitted = net.from_module(module, classes=["yes", "no"])
    with torch.no_grad():
        z = module(torch.tensor(X))
    np.testing.assert_array_equal(fitted.decision_function(X), (z[:, 1] - z[:, 0]).numpy())
    np.testing.assert_array_equal(fitted.predict(X), np.array(["yes", "no"])[z.argmax(1)])
    assert fitted.classes_.tolist() == ["yes", "no"]
    same_state(module, before)


def test_a_trained_module_takes_samples_of_any_shape_it_accepts():
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    net = NaturalNet.from_module(module, classes=[0, 1])
    assert [len(net.predict(np.zeros((2, 3, side, side)))) for side in (4, 9)] == [2, 2]


def test_a_trained_module_is_trained_on_by_partial_fit_and_replaced_by_fit():
    module = Normalised()
    labels = np.array(["yes", "no"])[Y]
    net = quick(MinMaxNet.from_module, module=module, classes=["yes", "no"])
    net.partial_fit(X, labels)
    assert net.n_iter_ == 2 and net.input_shape_ == (4,)
    assert net.attack_.bounds_ is not None
    assert net.classes_.tolist() == ["yes", "no"]
    assert net.fit(X, labels).classes_.tolist() == ["no", "yes"]


def test_the_number_of_classes_must_be_that_of_the_logits():
    net = NaturalNet.from_module(Linear(3), classes=[0, 1])
    with pytest.raises(ValueError, match=r"output of shape \(48, 3\) for 48 samples, but there ar"):
        net.predict(X)


def test_parameters_of_the_net_may_be_given_with_a_trained_module():
    net = JacobianRegNet.from_module(Linear(), classes=[0, 1], lam=0.5, max_epochs=3)
    assert (net.lam, net.max_epochs) == (0.5, 3)


@pytest.mark.parametrize(
    "module", [Linear, lambda: Linear(), "auto"], ids=["class", "call", "auto"]
)
def test_a_net_that_has_seen_no_data_cannot_be_built(module):
    with pytest.raises(NotFittedError, match=r"NaturalNet builds its module .* type net.fit\(X, y"):
        NaturalNet(module).initialize()
    assert NaturalNet(Linear()).initialize().module_.in_features == 4


def test_odd_modules_can_be_given_as_instances():
    net = quick(NaturalNet, module=Odd(6)).fit(X, Y)
    assert net.module_.layers[0].out_features == 6


# -- layout of images -----------------------------------------------------------------------------


IMAGES = np.random.RandomState(0).rand(6, 8, 10, 3).astype("f")
CODES = np.arange(6) % 2


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize("module", ["auto", MNISTConvNet])
def test_images_with_their_channels_last_are_refused(module, as_pairs):
    data = (Pairs(IMAGES, CODES),) if as_pairs else (IMAGES, CODES)
    words = (
        r"samples of shape \(8, 10, 3\), .* channels last, .* type np.moveaxis\(X, -1, 1\), or "
        r"X.transpose\(0, 3, 1, 2\). If the shape is right, choose the network by module=MLP"
    )
    with pytest.raises(ValueError, match=words):
        quick(NaturalNet, module=module).fit(*data)
    quick(NaturalNet, module="auto").fit(np.moveaxis(IMAGES, -1, 1), CODES)


def test_who_chooses_the_network_has_chosen_the_layout():
    quick(NaturalNet, module=MLP).fit(IMAGES, CODES)
    own = nn.Sequential(nn.Flatten(), nn.Linear(240, 2))
    quick(NaturalNet, module=own).fit(IMAGES, CODES)


def test_one_logit_of_a_module_is_told_how_to_become_two():
    with pytest.raises(ValueError, match=r"shape \(16, 1\).*Turn one logit z .*torch.cat\(\[-z, z"):
        quick(NaturalNet, module=nn.Linear(X.shape[1], 1)).fit(X, Y)


def test_a_module_without_labels_cannot_predict():
    net = NaturalNet(module=Linear(2)).initialize()
    for ask in (lambda: net.score(X, Y), lambda: net.predict(X), lambda: robust_score(net, X, Y)):
        with pytest.raises(NotFittedError, match="knows no labels.*NaturalNet.from_module.module"):
            ask()
