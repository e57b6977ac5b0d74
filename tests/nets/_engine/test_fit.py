"""How a net trains: the same bits again, batches, stopping, going on, and showing progress."""

import itertools
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import BatchScoring, EarlyStopping, EpochScoring
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.callbacks import RobustEarlyStopping
from sklearn_robust.exceptions import TrainingDivergedError
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

# -- the same bits -------------------------------------------------------------------------------


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


# -- batches -------------------------------------------------------------------------------------


class Sizes(Linear):
    """Writes down the size of every training batch."""

    def forward(self, x):
        if self.training:
            self.seen = [*getattr(self, "seen", []), len(x)]
        return super().forward(x)


def sizes_of(n_samples, batch_size, as_pairs, **params):
    X, y = blobs(n_samples)
    net = quick(NaturalNet, module=Sizes, max_epochs=1, batch_size=batch_size, **params)
    return net.fit(*((Pairs(X, y),) if as_pairs else (X, y))).module_.seen


SIZES = [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (9, -1, [9])]


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize(("n_samples", "batch_size", "wanted"), SIZES)
def test_a_last_batch_of_one_joins_the_batch_before_it(n_samples, batch_size, wanted, as_pairs):
    assert sizes_of(n_samples, batch_size, as_pairs) == wanted


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_batches_of_one_stay(as_pairs):
    assert sizes_of(3, 1, as_pairs) == [1, 1, 1]


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_batch_normalisation_survives_a_last_batch_of_one(net, as_pairs):
    X, y = blobs(17)
    fitted = quick(net, module=Normalised).fit(*((Pairs(X, y),) if as_pairs else (X, y)))
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_arguments_of_the_loader_are_heeded():
    assert sizes_of(10, 4, False, iterator_train__drop_last=True) == [4, 4]
    assert sizes_of(10, 4, False, iterator_train__batch_size=5) == [5, 5]


LOADERS = [
    ({"iterator_train__drop_last": True, "batch_size": 99}, "no batch to train on"),
    ({"iterator_train__sampler": list(range(9))}, "give iterator_train__shuffle=False beside it"),
]


@pytest.mark.parametrize(("params", "match"), LOADERS, ids=[next(iter(p)) for p, _ in LOADERS])
def test_a_loader_that_cannot_train_is_refused(params, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, module=Linear, **params).fit(*blobs())


@pytest.mark.parametrize(("n_samples", "batch_size"), [(9, 4), (10, 4), (8, 4), (3, 1), (5, 8)])
def test_a_schedule_counts_the_batches_of_a_dataset_as_those_of_arrays(n_samples, batch_size):
    X, y = blobs(n_samples)
    params = {"module": Linear, "batch_size": batch_size, "lr_schedule": "cosine"}
    nets = [quick(NaturalNet, **params).fit(*data) for data in ((X, y), (Pairs(X, y),))]
    rates = [[row["lr"] for epoch in net.history for row in epoch["batches"]] for net in nets]
    assert rates[0] == rates[1]


class Order(Linear):
    """Writes down the first feature of the training samples in turn."""

    def forward(self, x):
        if self.training:
            self.seen = [*getattr(self, "seen", []), *x[:, 0].tolist()]
        return super().forward(x)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_samples_are_shuffled_anew_in_each_epoch_unless_told_otherwise(as_pairs):
    X, y = blobs(20)
    data = (Pairs(X, y),) if as_pairs else (X, y)
    seen = quick(NaturalNet, module=Order).fit(*data).module_.seen
    given = X[:, 0].tolist()
    assert sorted(seen[:20]) == sorted(seen[20:]) == sorted(given)
    assert len({tuple(seen[:20]), tuple(seen[20:]), tuple(given)}) == 3
    kept = quick(NaturalNet, module=Order, iterator_train__shuffle=False).fit(*data).module_.seen
    assert kept == given * 2


# -- validation ----------------------------------------------------------------------------------


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


# callback, on the samples that are trained on, outputs of training used again
SCORINGS = [
    *itertools.product([EpochScoring], [True, False], [True, False]),
    *itertools.product([BatchScoring], [True, False], [True]),  # else it asks about bare tensors
]


@pytest.mark.parametrize("labels", [(5, 9), ("cat", "dog")], ids=str)
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
@pytest.mark.parametrize(("callback", "on_train", "use_caching"), SCORINGS)
def test_skorchs_scoring_callbacks_see_codes_on_both_sides(
    callback, on_train, use_caching, scoring, labels
):
    X, y = blobs(labels=labels)
    score = callback(
        scoring, lower_is_better=False, name="s", on_train=on_train, use_caching=use_caching
    )
    net = quick(NaturalNet, module=Linear, lr=0.3, max_epochs=10, train_split=ValidSplit(4))
    net.set_params(callbacks=[score]).fit(X, y)
    assert net.history[-1, "s"] > (0.8 if scoring == "accuracy" else -0.6)
    assert set(net.predict(X)) == set(labels)


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("split", [True, False], ids=["arrays, given split", "dataset"])
def test_skorchs_scorers_take_its_datasets_apart(split, use_caching):
    X, y = blobs(labels=("cat", "dog"))
    data = SkorchDataset(X, y)
    score = EpochScoring("accuracy", on_train=not split, use_caching=use_caching)
    net = quick(NaturalNet, module=Linear, lr=0.3, max_epochs=10, callbacks=[score])
    net.set_params(train_split=predefined_split(data) if split else None)
    net.fit(*((X, y) if split else (data,)))
    assert net.history[-1, "accuracy"] > 0.8
    if split:
        assert net.history[-1, "accuracy"] == net.score(X, y)


def test_robust_accuracy_of_a_given_split_is_followed():
    X, y = blobs(labels=("cat", "dog"))
    score = EpochScoring(robust_score, name="robust", use_caching=False, lower_is_better=False)
    split = predefined_split(SkorchDataset(X, y))
    net = quick(MinMaxNet, module=Linear, attack__eps=0.02, train_split=split, callbacks=[score])
    assert net.fit(X, y).history[-1, "robust"] == robust_score(net, X, y)
    score.use_caching = True  # answers that are kept know nothing of perturbed samples
    with pytest.raises(ValueError, match="a dataset: .*use_caching=False"):
        net.fit(X, y)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_a_given_split_of_other_samples_is_refused_before_training(as_pairs):
    X, y = blobs()
    split = predefined_split((Pairs if as_pairs else SkorchDataset)(X[:, :3], y))
    with pytest.raises(ValueError, match="X has 3 features, but NaturalNet was fitted on 4 featu"):
        quick(NaturalNet, train_split=split).fit(X, y)


# -- going on ------------------------------------------------------------------------------------


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


# -- the loss gone wrong -------------------------------------------------------------------------


class Fragile(Linear):
    """Returns NaN from the ``breaks``-th training forward on."""

    def __init__(self, breaks=5):
        super().__init__(2)
        self.left = breaks

    def forward(self, x):
        self.left -= self.training
        return super().forward(x) * (torch.nan if self.training and self.left < 0 else 1)


@pytest.mark.parametrize(
    ("breaks", "epoch", "kept"),
    [(0, 1, "the initial weights"), (4, 2, "the weights after epoch 1"), (10, 4, "after epoch 3")],
)
def test_a_loss_that_is_no_number_ends_training_with_the_last_good_weights(breaks, epoch, kept):
    X, y = blobs()  # three batches an epoch
    net = quick(NaturalNet, module=Fragile, module__breaks=breaks, max_epochs=9)
    match = f"the loss of NaturalNet became nan in epoch {epoch}; .*{kept} are kept. Lower lr"
    with pytest.raises(TrainingDivergedError, match=match):
        net.fit(X, y)
    assert np.isfinite(net.predict_proba(X)).all()
    if epoch > 1:
        short = quick(NaturalNet, module=Fragile, module__breaks=99, max_epochs=epoch - 1)
        assert same_weights(net, short.fit(X, y))
    net.set_params(module__breaks=99).fit(X, y)
    assert net.n_iter_ == 9


class Exploding(torch.optim.SGD):
    """Ruins the weights in its third step."""

    def step(self, closure=None):
        self.steps = getattr(self, "steps", 0) + 1
        super().step(closure)
        if self.steps == 3:
            self.param_groups[0]["params"][0].data.fill_(torch.nan)


@pytest.mark.parametrize("max_epochs", [3, 5])
def test_weights_that_are_no_numbers_are_noticed_in_the_last_epoch_too(max_epochs):
    X, y = blobs()
    net = quick(NaturalNet, module=Linear, optimizer=Exploding, batch_size=-1)
    match = "weights of NaturalNet became infinite or NaN in epoch 3; the weights after epoch 2"
    with pytest.raises(TrainingDivergedError, match=match):
        net.set_params(max_epochs=max_epochs).fit(X, y)
    assert np.isfinite(net.predict_proba(X)).all()


def test_an_infinite_buffer_is_the_modules_own_business():
    class Masked(Linear):
        def __init__(self):
            super().__init__(2)
            self.register_buffer("mask", torch.tensor([-torch.inf, 0]))

    X, y = blobs()
    quick(NaturalNet, module=Masked).fit(X, y)


# -- interrupts and progress ---------------------------------------------------------------------


class Interrupting(Linear):
    """Is interrupted by the keyboard in the sixth training forward."""

    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + self.training
        if self.training and self.calls == 6:
            raise KeyboardInterrupt
        return super().forward(x)


@pytest.mark.parametrize("verbose", [0, 1])
def test_an_interrupt_keeps_what_was_trained(verbose):
    X, y = blobs()
    net = quick(NaturalNet, module=Interrupting, max_epochs=9, verbose=verbose).fit(X, y)
    assert len(net.history) == 2 and not net.module_.training
    assert net.predict(X).shape == y.shape


def test_a_progress_bar_names_the_net_the_epochs_and_the_loss(capsys):
    X, y = blobs()
    quick(NaturalNet, verbose=1, train_split=ValidSplit(4)).fit(X, y)
    shown = capsys.readouterr()
    last = re.split(r"[\r\n]+", shown.err.strip())[-1]
    assert last.startswith("NaturalNet: 100%") and "2/2" in last
    assert "train_loss=" in last and "valid_loss=" in last
    assert shown.out == ""


def test_skorchs_table_at_the_second_level_and_silence_at_none(capsys):
    X, y = blobs()
    quick(NaturalNet, verbose=2).fit(X, y)
    assert "train_loss" in capsys.readouterr().out
    quick(NaturalNet).fit(X, y)
    assert capsys.readouterr() == ("", "")


def test_a_net_that_shows_progress_can_be_fitted_and_copied_again():
    X, y = blobs()
    net = quick(NaturalNet, verbose=1).fit(X, y)
    again = pickle.loads(pickle.dumps(net))
    assert same_weights(net, again.fit(X, y))


# -- parameters that make no sense ---------------------------------------------------------------

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
    ({"random_state": -1}, "Seed must be between"),
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_missed_by_name(device):
    X, y = blobs()
    match = f"device is '{device}', but torch sees no CUDA device; type device='auto' or 'cpu'"
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, device=device).fit(X, y)


@pytest.mark.parametrize("net", CRAFTING, ids=lambda net: net.__name__)
def test_history_holds_a_loss_and_a_time_for_each_epoch(net):
    X, y = blobs()
    history = quick(net, module=Linear).fit(X, y).history
    assert len(history) == 2
    assert all(np.isfinite(history[:, "train_loss"])) and all(t > 0 for t in history[:, "dur"])


# -- splits, threads and fits that fail ----------------------------------------------------------


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


def test_after_a_divergence_training_can_go_on():
    X, y = blobs()
    net = quick(NaturalNet, module=Fragile, module__breaks=4, max_epochs=9)
    with pytest.raises(TrainingDivergedError):
        net.fit(X, y)
    assert net.n_iter_ == 1
    net.module_.left = 99
    assert np.isfinite(net.partial_fit(X, y).history[:, "train_loss"]).all()
    assert net.n_iter_ == 10


def test_a_split_of_a_callback_gives_a_loss_of_its_own():
    X, y = blobs()
    stopping = [RobustEarlyStopping(validation_fraction=0.25), EarlyStopping(patience=9)]
    net = quick(NaturalNet, callbacks=stopping).fit(X, y)
    assert np.isfinite(net.history[:, "valid_loss"]).all()
