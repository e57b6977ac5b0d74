"""The best epoch: judged on samples held out, by the worst case, and put back exactly."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import FGSM, PGD, DeepFool, WorstCase
from sklearn_robust.callbacks import RobustEarlyStopping, WeightAveraging
from tests.cases import NETS, Linear, Normalised, Pairs, blobs, quick, same_weights

X, Y = blobs(80)
ERRATIC = {"module": Linear, "lr": 0.5, "max_epochs": 8, "attack__eps": 0.1}


class Diary(Callback):
    """Keeps what a net is after each epoch, and what it was trained and judged on."""

    def initialize(self):
        """Open it."""
        self.states, self.data = [], []
        return self

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Write down an epoch."""
        state = net.module_.state_dict()
        self.states.append({name: value.clone() for name, value in state.items()})
        self.data.append((dataset_train, dataset_valid))


def stopping_of(net):
    return dict(net.callbacks_)["RobustEarlyStopping"]


def rows_of(dataset):
    samples, codes = zip(*(dataset[index] for index in range(len(dataset))), strict=True)
    return np.stack(samples), np.array(codes)


def test_the_weights_of_the_best_epoch_are_put_back():
    diary = Diary()
    net = quick(MinMaxNet, **ERRATIC, callbacks=[diary, RobustEarlyStopping()]).fit(X, Y)
    scores = net.history[:, "robust_valid_acc"]
    best = int(np.argmax(scores))  # the first of equals
    assert stopping_of(net).best_epoch_ == best + 1 < 8
    assert stopping_of(net).best_score_ == scores[best] > min(scores)
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, diary.states[best][name])


@pytest.mark.parametrize("method", ["ema", "swa"])
def test_the_average_is_judged_in_whatever_order_callbacks_are_given(method):
    callbacks = [RobustEarlyStopping(), WeightAveraging(method, decay=0.5)]
    nets = [quick(MinMaxNet, **ERRATIC, callbacks=order) for order in (callbacks, callbacks[::-1])]
    first, second = (net.fit(X, Y) for net in nets)
    assert first.history[:, "robust_valid_acc"] == second.history[:, "robust_valid_acc"]
    assert same_weights(first, second)


def test_too_few_samples_to_hold_out_are_told_with_what_to_raise():
    X, y = blobs(12, labels=(0, 1, 2))
    with pytest.raises(ValueError, match=r"cannot hold samples out .*validation_fraction"):
        quick(MinMaxNet, callbacks=[RobustEarlyStopping()]).fit(X, y)


@pytest.mark.parametrize("attack", [None, FGSM(eps=0.2, random_state=0)], ids=["default", "given"])
@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_an_epoch_is_judged_by_its_robust_score_on_the_samples_held_out(as_pairs, attack):
    diary, stopping = Diary(), RobustEarlyStopping(attack, validation_fraction=0.25)
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    net = quick(MinMaxNet, **ERRATIC, callbacks=[diary, stopping]).fit(*data)
    train, valid = (rows_of(part) for part in diary.data[0])
    assert len(train[0]) == 60 and np.bincount(valid[1]).tolist() == [10, 10]
    both = np.concatenate([train[0], valid[0]])
    assert sorted(map(tuple, both)) == sorted(map(tuple, X))  # a part of the data of fit
    steps = [PGD(max_iter=10, loss=loss) for loss in ("cross_entropy", "margin")]
    judge = WorstCase(steps, eps=0.1, random_state=0) if attack is None else attack
    for state, score in zip(diary.states, net.history[:, "robust_valid_acc"], strict=True):
        net.module_.load_state_dict(state)
        assert score == pytest.approx(robust_score(net, *valid, attack=judge))


SPLITS = {
    "share": ValidSplit(4, stratified=True),
    "given": predefined_split(SkorchDataset(X[:30] + 2, Y[:30])),
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_of_the_net_goes_first(split):
    diary = Diary()
    callbacks = [diary, RobustEarlyStopping()]
    net = quick(NaturalNet, train_split=SPLITS[split], callbacks=callbacks).fit(X, Y)
    assert len(diary.data[0][1]) == {"share": 20, "given": 30}[split]
    assert "valid_loss" in net.history[-1]


@pytest.mark.parametrize("net", [NaturalNet(), JacobianRegNet(lam=0)], ids=repr)
def test_a_net_without_an_attack_is_judged_at_the_eps_of_the_scores(net):
    net.set_params(module=Linear, lr=0.5, max_epochs=4, random_state=0)
    steps = [PGD(max_iter=10, loss=loss) for loss in ("cross_entropy", "margin")]
    given = RobustEarlyStopping(WorstCase(steps, eps=8 / 255, random_state=0))
    default = clone(net).set_params(callbacks=[RobustEarlyStopping()]).fit(X, Y)
    asked = clone(net).set_params(callbacks=[given]).fit(X, Y)
    assert default.history[:, "robust_valid_acc"] == asked.history[:, "robust_valid_acc"]


BLIND = {"attack__eps": 0.9, "attack__mask": np.zeros(4, bool)}
THREATS = {
    "a mask": (BLIND, PGD(eps=0)),
    "integers": ({"attack__eps": 0.9, "attack__integer": [0, 1, 2, 3]}, PGD(eps=0)),
    "a cascade": (
        {"attack": WorstCase([FGSM(eps=0.2, norm="l2"), PGD(eps=0.2, norm="l2")])},
        PGD(eps=0.2, norm="l2", max_iter=10, loss="margin", random_state=0),
    ),
}


@pytest.mark.parametrize("threat", THREATS)
def test_the_judge_moves_samples_as_the_attack_of_the_net_may(threat):
    """A feature that may not move keeps its value in the verdict too."""
    params, judge = THREATS[threat]
    data = (X.round() if threat == "integers" else X, Y)
    shared = {"module": Linear, "lr": 0.5, "max_epochs": 4, **params}
    scores = [
        quick(MinMaxNet, **shared, callbacks=[callback]).fit(*data).history[:, "robust_valid_acc"]
        for callback in (RobustEarlyStopping(), RobustEarlyStopping(judge))
    ]
    np.testing.assert_allclose(*scores, atol=0.07)
    assert max(scores[0]) > 0.5


def test_an_attack_without_a_radius_is_no_measure():
    net = quick(MinMaxNet, attack=DeepFool, callbacks=[RobustEarlyStopping()])
    with pytest.raises(ValueError, match="MinMaxNet trains with attack=DeepFool.*give it attack__"):
        net.fit(X, Y)
    net.set_params(callbacks=[RobustEarlyStopping(PGD(eps=0.1))]).fit(X, Y)


def test_patience_ends_training():
    patient = quick(MinMaxNet, **ERRATIC, callbacks=[RobustEarlyStopping()]).fit(X, Y)
    scores, best = patient.history[:, "robust_valid_acc"], stopping_of(patient).best_epoch_
    hasty = quick(MinMaxNet, **ERRATIC, callbacks=[RobustEarlyStopping(patience=1)]).fit(X, Y)
    assert best < 8 and hasty.n_iter_ < 8
    assert hasty.history[:, "robust_valid_acc"] == scores[: hasty.n_iter_]
    falls = [n for n in range(1, 8) if scores[n] <= max(scores[:n])]
    assert hasty.n_iter_ == falls[0] + 1


def test_an_average_is_judged_and_kept_in_any_order():
    averaging, stopping = WeightAveraging(decay=0.5), RobustEarlyStopping()
    orders = [[averaging, stopping], [stopping, averaging]]
    nets = [quick(MinMaxNet, **ERRATIC, callbacks=order).fit(X, Y) for order in orders]
    assert same_weights(*nets)
    alone = quick(MinMaxNet, **ERRATIC, callbacks=[stopping]).fit(X, Y)
    assert not same_weights(nets[0], alone)


def test_judging_does_not_disturb_training():
    split = {"train_split": ValidSplit(4)}
    params = {"module": Normalised, "attack__eps": 0.1, **split}
    plain = quick(MinMaxNet, **params).fit(X, Y)
    diary = Diary()
    quick(MinMaxNet, **params, callbacks=[RobustEarlyStopping(), diary]).fit(X, Y)
    for name, value in plain.module_.state_dict().items():
        assert torch.equal(value, diary.states[-1][name])


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_any_net_stops_early_in_a_search_too(net):
    stopped = quick(net, module=Linear, callbacks=[RobustEarlyStopping(validation_fraction=0.3)])
    search = GridSearchCV(stopped, {"lr": [0.01, 0.1]}, cv=2, scoring=robust_score).fit(X, Y)
    assert stopping_of(search.best_estimator_).best_epoch_ in (1, 2)


def test_going_on_begins_a_new_search_for_the_best():
    net = quick(NaturalNet, module=Linear, callbacks=[RobustEarlyStopping()]).fit(X, Y)
    net.partial_fit(X, Y)
    assert stopping_of(net).best_epoch_ in (3, 4)


BAD = [
    (RobustEarlyStopping(validation_fraction=0), "validation_fraction is 0; give a number above"),
    (RobustEarlyStopping(validation_fraction=1.0), "validation_fraction is 1; give a number below"),
    (RobustEarlyStopping(patience=0), "patience is 0; give an integer of at least 1"),
    (RobustEarlyStopping(PGD(eps=-1)), "eps is -1"),
    (
        RobustEarlyStopping(PGD),
        "attack is <class.*; give RobustEarlyStopping an instance",
    ),
    (RobustEarlyStopping("PGD"), "attack is 'PGD'; give"),
    (RobustEarlyStopping(PGD(targeted=True)), "attack of RobustEarlyStopping is targeted"),
]


@pytest.mark.parametrize(("stopping", "match"), BAD, ids=[match for _, match in BAD])
def test_parameters_that_make_no_sense_are_refused(stopping, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, callbacks=[stopping]).fit(X, Y)


def test_a_net_of_another_library_is_refused():
    net = NeuralNetClassifier(Linear, callbacks=[RobustEarlyStopping()], verbose=0)
    with pytest.raises(ValueError, match="nets of sklearn_robust, not NeuralNetClassifier"):
        net.fit(X, Y)


def keep_all(dataset, y=None):
    return dataset, None


def test_a_split_that_holds_nothing_out_is_refused():
    net = quick(NaturalNet, train_split=keep_all, callbacks=[RobustEarlyStopping()])
    with pytest.raises(ValueError, match="NaturalNet held out no samples for RobustEarlyStopping"):
        net.fit(X, Y)
