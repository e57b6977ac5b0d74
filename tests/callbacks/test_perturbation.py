"""Adversarial weight perturbation: its length, what it gives back, and what it leaves alone."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_robust import GAIRATNet, JacobianRegNet, MinMaxNet, NaturalNet
from sklearn_robust.callbacks import WeightPerturbation
from tests.cases import NETS, Linear, Normalised, blobs, in_training, named, quick, same_weights

X, Y = blobs()
GAMMA = 0.05


class Watched(WeightPerturbation):
    """Keeps the weights before, under and after the perturbation of each batch."""

    def around_loss(self, net, x, y):
        """Context of one loss."""
        return self._watch(super().around_loss(net, x, y), net)

    class _watch:
        seen = []

        def __init__(self, context, net):
            self.context, self.module = context, net.module_

        def state(self):
            return {k: v.clone() for k, v in self.module.state_dict().items()}

        def __enter__(self):
            before = self.state()
            self.context.__enter__()
            self.seen.append([before, self.state()])

        def __exit__(self, *error):
            self.context.__exit__(*error)
            self.seen[-1].append(self.state())


def watch(net, **params):
    """States (before, under, after) of every batch of a fit with AWP."""
    Watched._watch.seen = seen = []
    quick(net, callbacks=[Watched(GAMMA)], **params).fit(X, Y)
    return seen


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_each_tensor_moves_by_its_share_and_comes_back_bit_for_bit(net):
    for before, under, after in watch(net, module=Normalised):
        for name, w in before.items():
            moved = (under[name].double() - w.double()).norm()
            if name == "4.weight":  # the one weight matrix that trains
                assert float(moved) == pytest.approx(GAMMA * float(w.double().norm()), rel=1e-5)
                assert torch.equal(after[name], w)
            elif "running" not in name and "batches" not in name:
                assert moved == 0 and torch.equal(after[name], w)


def test_the_statistics_of_normalisation_see_one_pass_alone():
    seen = watch(NaturalNet, module=Normalised, max_epochs=1)
    assert [int(after["1.num_batches_tracked"]) for _, _, after in seen] == [1, 2, 3]


def test_weights_move_up_the_gradient_of_the_same_batch():
    x, y = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)
    net = in_training(MinMaxNet, Linear().double(), x, y, attack__eps=0.1, attack__bounds=None)
    w = net.module_.weight
    before = w.detach().clone()
    x_adv = net.perturb(x, y)
    ascent = torch.autograd.grad(nn.functional.cross_entropy(net.module_(x_adv), y), w)[0]
    wanted = before + GAMMA * before.norm() * ascent / ascent.norm()
    with WeightPerturbation(GAMMA).around_loss(net, x, y):
        torch.testing.assert_close(w.detach(), wanted, rtol=1e-12, atol=1e-12)
        loss, _ = net.batch_loss(x, y)
    with torch.no_grad():
        z = x_adv @ wanted.T + net.module_.bias
    torch.testing.assert_close(loss.detach(), nn.functional.cross_entropy(z, y))
    assert torch.equal(w, before)


def test_the_weights_come_back_after_an_error_too():
    x, y = torch.tensor(X), torch.tensor(Y)
    net = in_training(NaturalNet, Linear(), x, y)
    before = net.module_.weight.detach().clone()
    with pytest.raises(ArithmeticError), WeightPerturbation(GAMMA).around_loss(net, x, y):
        raise ArithmeticError
    assert torch.equal(net.module_.weight, before)


@pytest.mark.parametrize("net", [MinMaxNet, GAIRATNet], ids=lambda net: net.__name__)
def test_a_batch_is_crafted_once(net):
    calls = []

    class Counting(net):
        def _search(self, attack, x, y, observe=None):
            cache = self._replay_cache
            calls.append(cache is not None and cache.n_given < len(cache.results))
            return super()._search(attack, x, y, observe)

    params = {"module": Linear, "max_epochs": 1, "batch_size": -1, "attack__eps": 0.1}
    quick(Counting, callbacks=[WeightPerturbation()], eps_warm_up=0, **params).fit(X, Y)
    assert calls == [False, True]  # searched, then given again


def test_what_objectives_count_is_counted_once():
    params = {"module": Linear, "burn_in": 0, "attack__eps": 0.1}
    plain = quick(GAIRATNet, **params).fit(X, Y)
    both = quick(GAIRATNet, callbacks=[WeightPerturbation(1e-9)], **params).fit(X, Y)
    for ours, theirs in zip(both.history, plain.history, strict=True):
        assert ours.keys() == theirs.keys()
        assert ours.get("kappa_counts") == theirs.get("kappa_counts")
        found, wanted = ([b["kappa_mean"] for b in row["batches"]] for row in (ours, theirs))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("awp", [WeightPerturbation(0), WeightPerturbation(warm_up=2)], ids=named)
def test_none_of_it_is_ordinary_training_bit_for_bit(awp):
    params = {"module": Normalised, "attack__eps": 0.1}
    plain = quick(MinMaxNet, **params).fit(X, Y)
    assert same_weights(plain, quick(MinMaxNet, callbacks=[awp], **params).fit(X, Y))
    long = quick(MinMaxNet, callbacks=[awp], max_epochs=3, **params).fit(X, Y)
    same = same_weights(long, quick(MinMaxNet, max_epochs=3, **params).fit(X, Y))
    assert same is (awp.gamma == 0)


def test_an_optimiser_that_asks_for_the_loss_again_is_served():
    params = {"optimizer": torch.optim.LBFGS, "batch_size": -1, "lr": 0.5}
    net = quick(NaturalNet, callbacks=[WeightPerturbation()], module=Linear, **params).fit(X, Y)
    assert net.score(X, Y) > 0.9


def test_its_length_can_be_searched():
    net = quick(NaturalNet, module=Linear, callbacks=[("awp", WeightPerturbation())])
    search = GridSearchCV(net, {"callbacks__awp__gamma": [0.0, 0.1]}, cv=2).fit(X, Y)
    assert dict(search.best_estimator_.callbacks_)["awp"].gamma == search.best_params_.popitem()[1]


BAD = [
    (WeightPerturbation(-0.1), "gamma is -0.1; give a number of at least 0"),
    (WeightPerturbation("big"), "gamma is 'big'"),
    (WeightPerturbation(warm_up=-1), "warm_up is -1; give an integer"),
]


@pytest.mark.parametrize(("awp", "match"), BAD, ids=lambda value: str(value)[:40])
def test_parameters_that_make_no_sense_are_refused(awp, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, callbacks=[awp]).fit(X, Y)


def test_a_net_of_another_library_is_refused():
    net = NeuralNetClassifier(Linear, callbacks=[WeightPerturbation()], verbose=0)
    with pytest.raises(ValueError, match="cannot reach that of NeuralNetClassifier"):
        net.fit(X, Y)


def test_both_passes_of_a_batch_draw_the_same_projections():
    params = {"variant": "random_projection", "jacobian_norm": "l2_squared", "lam": 0.1}
    plain, perturbed = (
        quick(JacobianRegNet, module=Linear, **params, callbacks=callbacks).fit(X, Y)
        for callbacks in ([], [WeightPerturbation(1e-9)])
    )
    first = [net.history[0]["batches"][0]["jacobian_penalty"] for net in (plain, perturbed)]
    assert first[0] == pytest.approx(first[1], rel=1e-6)


class Token(nn.Module):
    """A linear layer, and an embedding of positions that is no weight."""

    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.ones(1, 4))
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x + self.position)


class Unnamed(nn.Module):
    """A layer that calls its weight otherwise."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(4, 2))

    def forward(self, x):
        return x @ self.kernel


def test_only_weights_move():
    for before, under, _ in watch(NaturalNet, module=Token):
        assert torch.equal(before["position"], under["position"])
        assert not torch.equal(before["layer.weight"], under["layer.weight"])
    for before, under, _ in watch(NaturalNet, module=Unnamed):
        assert not torch.equal(before["kernel"], under["kernel"])
