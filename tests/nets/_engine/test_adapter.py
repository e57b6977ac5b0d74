"""Parameters of skorch that are set on a fitted net."""

import pytest
import torch
from skorch.callbacks import EpochScoring, Freezer, Unfreezer
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.modules import MLP
from tests.cases import Linear, blobs, quick, same_weights

X, Y = blobs()


class Words(nn.Module):
    """ReplayCache features for words, whose gradients are sparse."""

    def __init__(self):
        super().__init__()
        self.vectors = nn.EmbeddingBag(4, 2, sparse=True)

    def forward(self, x):
        return self.vectors((3 * x).long())


class Turning(Linear):
    """Has a complex weight."""

    def __init__(self):
        super().__init__()
        self.turn = nn.Parameter(torch.ones(2, dtype=torch.complex64))

    def forward(self, x):
        return (super().forward(x) * self.turn).real


LATE = {"callbacks": [Freezer("weight"), Unfreezer("weight", at=2)]}
OPTIMISED = {
    "weights that join late, SGD": {"optimizer": torch.optim.SGD, **LATE},
    "weights that join late, Adam": LATE,
    "sparse gradients": {"optimizer": torch.optim.SGD, "module": Words},
    "complex weights": {"module": Turning},
}


@pytest.mark.parametrize("case", OPTIMISED)
@pytest.mark.parametrize("momentum", [0, 0.9])
def test_what_torch_can_train_a_net_can(case, momentum):
    params = {"module": Linear, "max_epochs": 3, "lr": 0.1, **OPTIMISED[case]}
    if "optimizer" in params:
        params["optimizer__momentum"] = momentum
    loss = quick(NaturalNet, **params).fit(X, Y).history[:, "train_loss"]
    assert loss[-1] < loss[0]


def test_arguments_of_the_module_set_on_a_fitted_net_act_on_the_next_fit():
    net = quick(NaturalNet, module__hidden=(5,)).fit(X, Y)
    net.set_params(module__hidden=(7,)).fit(X, Y)
    assert same_weights(net, quick(NaturalNet, module__hidden=(7,)).fit(X, Y))


@pytest.mark.parametrize(
    "params",
    [
        {"lr": 0.1},
        {"optimizer": torch.optim.SGD},
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "lr": 0.01},
        {"optimizer__weight_decay": 0.5},
        {"iterator_train__shuffle": False},
        {"batch_size": 7},
        {"max_epochs": 3},
        {"module": Linear},
        {"criterion__label_smoothing": 0.2},
        {"random_state": 4},
        {"verbose": 0},
        {"callbacks": None},
        {"device": "cpu"},
    ],
    ids=str,
)
def test_what_is_set_on_a_fitted_net_acts_on_the_next_fit(params):
    net = quick(NaturalNet).fit(X, Y).set_params(**params).fit(X, Y)
    assert same_weights(net, quick(NaturalNet, **params).fit(X, Y))
    assert net.predict(X).shape == Y.shape


@pytest.mark.parametrize("before", [None, "disable"])
@pytest.mark.parametrize("params", [{}, {"warm_start": True}], ids=["partial_fit", "warm start"])
def test_callbacks_set_on_a_fitted_net_act_at_once(params, before):
    net = quick(NaturalNet, module=Linear, callbacks=before, **params).fit(X, Y)
    net.set_params(callbacks=[EpochScoring("accuracy", on_train=True, name="own")])
    (net.fit if params else net.partial_fit)(X, Y)
    assert "own" in net.history[-1] and len(net.history) == 4


def test_callbacks_that_are_no_list_are_refused_on_a_fitted_net_too():
    net = quick(NaturalNet, module=Linear).fit(X, Y)
    with pytest.raises(ValueError, match="callbacks is .*; give a list"):
        net.set_params(callbacks=EpochScoring("accuracy"))
    net.partial_fit(X, Y)


def test_an_unknown_parameter_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"Invalid parameter 'modul' for estimator NaturalNet\(\)"):
        NaturalNet().set_params(modul=MLP)
