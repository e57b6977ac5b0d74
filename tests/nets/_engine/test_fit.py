"""How a net trains: the same bits again, held-out samples, stopping and going on."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import EpochScoring
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.metrics import robust_score
from tests.cases import (
    CRAFTING,
    NETS,
    Linear,
    Normalised,
    Pairs,
    blobs,
    generators_untouched,
    named,
    quick,
    same_weights,
)
from tests.nets._engine.modules import Order


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_one_seed_gives_the_same_bits_whatever_the_global_generators(net, as_pairs):
    X, y = blobs()
    data = (Pairs(X, y),) if as_pairs else (X, y)
    first = quick(net, module=Normalised).fit(*data)
    np.random.seed(99)
    torch.manual_seed(99)
    second = quick(net, module=Normalised)
    second.fit(*data)
    assert same_weights(first, second)
    assert same_weights(first, second.fit(*data))  # a second fit starts afresh
    assert not same_weights(first, quick(net, module=Normalised, random_state=1).fit(*data))


@pytest.mark.parametrize("random_state", [0, None], ids=repr)
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_training_and_predicting_leave_the_global_generators_alone(net, random_state):
    X, y = blobs()
    with generators_untouched():
        fitted = quick(net, module=Normalised, random_state=random_state).fit(X, y)
        fitted.partial_fit(Pairs(X, y)).predict(X)
        fitted.score(X, y)


def test_without_a_random_state_two_fits_differ():
    X, y = blobs()
    assert not same_weights(*(quick(NaturalNet, random_state=None).fit(X, y) for _ in range(2)))


def test_a_seed_of_numpy_is_the_same_seed():
    X, y = blobs()
    nets = [quick(NaturalNet, random_state=s).fit(X, y) for s in (3, np.int64(3))]
    assert same_weights(*nets)


# Attacks draw from a generator of their own: one that cannot move a sample moves neither the
# shuffles, nor the dropout, nor the statistics of natural training.
@pytest.mark.parametrize("start", [True, False])
def test_the_draws_of_an_attack_do_not_move_those_of_training(start):
    X, y = blobs()
    params = {"module": Normalised, "attack__eps": 0.0, "attack__random_start": start}
    assert same_weights(
        quick(MinMaxNet, **params).fit(X, y), quick(NaturalNet, module=Normalised).fit(X, y)
    )


def split_off(X, y):
    return predefined_split(SkorchDataset(X, y))


SPLITS = {
    "share": lambda X, y: ValidSplit(4),
    "stratified": lambda X, y: ValidSplit(4, stratified=True),
    "given pairs": lambda X, y: predefined_split(Pairs(X, y)),
    "given arrays": split_off,
}


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_validation_split_gives_a_clean_loss_each_epoch(net, split, as_pairs):
    X, y = blobs(labels=("no", "yes"))
    rest = X[:12] + np.float32(0.01), y[:12]
    fitted = quick(net, module=Linear, train_split=SPLITS[split](*rest))
    fitted.fit(*((Pairs(X, y),) if as_pairs else (X, y)))
    assert len(fitted.history[:, "valid_loss"]) == 2
    if split.startswith("given"):
        z = torch.tensor(fitted.predict_proba(rest[0])).log()
        loss = nn.functional.nll_loss(z, torch.tensor((rest[1] == "yes").astype(int)))
        assert fitted.history[-1, "valid_loss"] == pytest.approx(float(loss), rel=1e-4)


def test_without_a_split_there_is_no_validation():
    X, y = blobs()
    assert "valid_loss" not in quick(NaturalNet).fit(X, y).history[-1]


def test_robust_accuracy_of_a_given_split_is_followed():
    X, y = blobs(labels=("cat", "dog"))
    score = EpochScoring(robust_score, name="robust", use_caching=False, lower_is_better=False)
    split = predefined_split(SkorchDataset(X, y))
    net = quick(MinMaxNet, module=Linear, attack__eps=0.02, train_split=split, callbacks=[score])
    assert net.fit(X, y).history[-1, "robust"] == robust_score(net, X, y)
    score.use_caching = True  # answers that are kept know nothing of perturbed samples
    with pytest.raises(ValueError, match="a dataset .*use_caching=False"):
        net.fit(X, y)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_a_given_split_of_other_samples_is_refused_before_training(as_pairs):
    X, y = blobs()
    split = predefined_split((Pairs if as_pairs else SkorchDataset)(X[:, :3], y))
    with pytest.raises(ValueError, match="X has 3 features, but NaturalNet was fitted on 4 featu"):
        quick(NaturalNet, train_split=split).fit(X, y)


def test_partial_fit_goes_on_and_fit_starts_afresh():
    X, y = blobs()
    net = quick(NaturalNet).partial_fit(X, y)
    once = quick(NaturalNet).fit(X, y)
    assert same_weights(net, once)
    net.partial_fit(X, y)
    assert net.n_iter_ == len(net.history) == 4
    assert not same_weights(net, once)
    assert same_weights(net.fit(X, y), once)
    assert net.n_iter_ == 2


def test_the_second_call_does_not_repeat_the_draws_of_the_first():
    X, y = blobs(20)
    net = quick(NaturalNet, module=Order, max_epochs=1).partial_fit(X, y).partial_fit(X, y)
    seen = net.module_.seen
    assert seen[:20] != seen[20:]


def test_a_warm_start_goes_on_where_fit_ended():
    X, y = blobs()
    net = quick(NaturalNet, warm_start=True).fit(X, y).fit(X, y)
    assert same_weights(net, quick(NaturalNet).partial_fit(X, y).partial_fit(X, y))
    assert net.n_iter_ == 4


BAD = [
    ({"lr": 0}, "lr is 0; give a number above 0"),
    ({"lr": np.nan}, "lr is nan"),
    ({"lr": -1e-3}, "lr is -0.001"),
    ({"max_epochs": 0}, "max_epochs is 0; give an integer of at least 1"),
    ({"max_epochs": 2.0}, "max_epochs is 2.0"),
    ({"batch_size": 0}, "batch_size is 0"),
    ({"batch_size": 1.5}, "batch_size is 1.5"),
    ({"device": "gpu"}, "device is 'gpu'; give 'auto', 'cpu' or 'cuda'"),
    ({"device": 3.5}, "device is 3.5"),
    ({"random_state": -1}, "random_state is -1; give an integer from 0 to"),
    ({"train_split": 0.2}, r"train_split is 0.2; give a split such as skorch.dataset.ValidSplit"),
    ({"callbacks": EpochScoring("accuracy")}, "callbacks is <skorch.*EpochScoring.*; give a list"),
    ({"callbacks": "all"}, "callbacks is 'all'; give a list"),
    ({"modul": Linear}, r"unexpected argument\(s\) modul"),
    ({"lam_": 1}, "unexpected argument 'lam_': no parameter ends in an underscore"),
]


@pytest.mark.parametrize(("params", "match"), BAD, ids=[named(params) for params, _ in BAD])
def test_parameters_that_make_no_sense_are_refused(params, match):
    X, y = blobs()
    with pytest.raises((ValueError, TypeError), match=match):
        quick(NaturalNet, **params).fit(X, y)


@pytest.mark.parametrize("net", CRAFTING, ids=lambda net: net.__name__)
def test_history_holds_a_loss_and_a_time_for_each_epoch(net):
    X, y = blobs()
    history = quick(net, module=Linear).fit(X, y).history
    assert len(history) == 2
    assert all(np.isfinite(history[:, "train_loss"])) and all(t > 0 for t in history[:, "dur"])


def test_a_random_split_follows_the_seed():
    X, y = blobs()
    split = ValidSplit(0.25)
    with generators_untouched():
        one, two = (quick(NaturalNet, train_split=split).fit(X, y) for _ in range(2))
    assert same_weights(one, two) and split.random_state is None
    assert not same_weights(one, quick(NaturalNet, train_split=split, random_state=1).fit(X, y))


def test_fits_in_threads_are_those_of_one_thread():
    X, y = blobs()
    nets = [quick(NaturalNet, module=Normalised) for _ in range(6)]
    with ThreadPoolExecutor(3) as pool:
        fitted = list(pool.map(lambda net: net.fit(X, y), nets))
    assert same_weights(quick(NaturalNet, module=Normalised).fit(X, y), *fitted)


def test_a_fit_that_is_refused_leaves_the_net_as_it_was():
    X, y = blobs(labels=("ham", "spam"))
    net = quick(NaturalNet).fit(X, y)
    before = net.predict(X)
    with pytest.raises(ValueError, match="augment"):
        net.set_params(augment="crop-flip").fit(X, blobs(labels=("cat", "dog"))[1])
    assert np.array_equal(net.predict(X), before)


def test_a_net_that_could_not_begin_begins_afresh(tmp_path):
    X, y = blobs()
    source, other = quick(NaturalNet, max_epochs=9).fit(X, y), quick(NaturalNet, module=Linear)
    source.save(tmp_path / "good")
    other.fit(X, y).save(tmp_path / "bad")
    net = quick(NaturalNet, init_from=tmp_path / "bad")
    with pytest.raises(ValueError, match="init_from"):
        net.partial_fit(X, y)
    net.set_params(init_from=tmp_path / "good").partial_fit(X, y)
    assert same_weights(net, quick(NaturalNet, init_from=tmp_path / "good").partial_fit(X, y))
