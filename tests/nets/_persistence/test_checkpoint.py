"""Fits that are interrupted and go on: the same weights, and what a folder may and may not hold."""

import os
import pickle
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler, Unfreezer
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CyclicLR

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, load_net
from sklearn_robust.callbacks import (
    CatastrophicOverfittingGuard,
    RobustEarlyStopping,
    StopTraining,
    WeightAveraging,
    WeightPerturbation,
)
from tests.cases import NETS, Linear, Pairs, blobs, quick, same_weights
from tests.nets._persistence.interrupted import (
    EPOCHS,
    LEFT,
    PARAMS,
    Order,
    epochs_trained,
    files_of,
    go_on,
    interrupt,
)

X, Y = blobs()
ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_killed_fit_goes_on_and_ends_like_an_unbroken_one(tmp_path):
    script = Path(__file__).with_name("killed.py")
    command = [sys.executable, str(script), str(tmp_path)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "all went on\n", done.stderr


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_any_net_goes_on(net, as_pairs, tmp_path):
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    whole, again = go_on(quick(net), tmp_path, *data)
    assert same_weights(whole, again)
    assert again.history[:, "train_loss"] == whole.history[:, "train_loss"]
    assert again.history[:, "epoch"] == [1, 2, 3, 4]


SETTINGS = {
    "momentum": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "lr": 0.1},
    "schedule of the net": {"lr_schedule": "cyclic"},
    "schedule of skorch": {"callbacks": [LRScheduler(CosineAnnealingLR, T_max=4)]},
    "schedule by batches": {
        "callbacks": [LRScheduler(CyclicLR, base_lr=0.01, max_lr=0.1, step_every="batch")],
        "optimizer": torch.optim.SGD,
    },
    "moving average": {"callbacks": [WeightAveraging(decay=0.5)]},
    "mean": {"callbacks": [WeightAveraging("swa", start=1)]},
    "perturbed weights": {"callbacks": [WeightPerturbation()]},
    "best epoch": {"callbacks": [RobustEarlyStopping(validation_fraction=0.25)], "lr": 0.1},
    "guard": {"callbacks": [CatastrophicOverfittingGuard(n_samples=20)]},
    "patience": {"callbacks": [EarlyStopping(patience=1)], "train_split": ValidSplit(4)},
    "split": {"train_split": ValidSplit(4, stratified=True)},
    "random split": {"train_split": ValidSplit(0.25)},
    "frozen at the start": {"callbacks": [Freezer("1.*")]},
    "given validation": {"train_split": predefined_split(SkorchDataset(X[:8], Y[:8]))},
    "loader": {"iterator_train__drop_last": True},
    "a numpy seed": {"random_state": np.int64(3)},
    "no seed": {"random_state": None},
}


@pytest.mark.parametrize("case", SETTINGS)
def test_all_that_moves_in_training_goes_on(case, tmp_path):
    whole, again = go_on(quick(MinMaxNet, **SETTINGS[case]), tmp_path, X, Y)
    assert same_weights(whole, again) is (case != "no seed")
    assert len(again.history) == len(whole.history)


def test_a_random_state_is_known_by_its_state(tmp_path):
    state = np.random.RandomState
    whole = quick(NaturalNet, **PARAMS, random_state=state(5)).fit(X, Y)
    interrupt(
        quick(NaturalNet, **PARAMS, random_state=state(5), checkpoint=tmp_path), X, Y, after=8
    )
    again = quick(NaturalNet, **PARAMS, random_state=state(5), checkpoint=tmp_path).fit(X, Y)
    assert same_weights(whole, again)


def test_a_fit_that_ended_is_read_back_if_its_seed_is_given(tmp_path):
    params = {"module": Order, "checkpoint": str(tmp_path)}
    first = quick(NaturalNet, **params)
    assert epochs_trained(first, X, Y) == 2
    second = quick(NaturalNet, **params)
    assert epochs_trained(second, X, Y) == 0 and same_weights(first, second)
    for _ in range(2):  # without a seed, every fit that is not broken is another one
        assert epochs_trained(quick(NaturalNet, **params, random_state=None), X, Y) == 2


ENDS = []  # how Scripted ends training, once each


class Scripted(Callback):
    """Ends training after its third epoch."""

    def on_epoch_end(self, net, **kwargs):
        """End it."""
        if len(net.history) == 3 and ENDS:
            ENDS.pop()()


def by_callback():
    raise StopTraining


def by_user():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible():
    """Python's own answer to Ctrl-C, which a process in the background was started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("random_state", [None, 0])
def test_a_fit_that_a_callback_ended_is_not_gone_on_with(random_state, tmp_path):
    params = {"module": Order, "max_epochs": 4, "random_state": random_state}
    params |= {"callbacks": [Scripted()], "checkpoint": tmp_path}
    ENDS.extend([by_callback] * 2)
    first, second = (quick(NaturalNet, **params).fit(X, Y) for _ in range(2))
    assert first.n_iter_ == second.n_iter_ == 3
    assert same_weights(first, second) == (random_state == 0)


@pytest.mark.usefixtures("interruptible")
def test_a_fit_that_the_user_interrupted_goes_on_without_a_seed_too(tmp_path):
    params = {"module": Order, "max_epochs": 4, "random_state": None, "checkpoint": tmp_path}
    net = quick(NaturalNet, **params, callbacks=[Scripted()])
    ENDS.append(by_user)
    assert net.fit(X, Y).n_iter_ == 3
    assert epochs_trained(net, X, Y) == 2  # two were written
    assert epochs_trained(net, X, Y) == 4  # it has ended, and another one begins


FREEZERS = {
    "at an epoch": lambda: Unfreezer("weight", at=2),
    "a list of patterns": lambda: Freezer(["weight", "w*"], at=2),
    "a schedule": lambda: Unfreezer("weight", schedule=never),
}


def never(net):
    return lambda weight: None


@pytest.mark.parametrize("case", FREEZERS)
def test_a_net_that_freezes_weights_goes_on_in_its_own_folder(case, tmp_path):
    params = {"module": Linear, "checkpoint": tmp_path}
    net = quick(NaturalNet, callbacks=[FREEZERS[case]()], **params).fit(X, Y)
    net.fit(X, Y)
    quick(NaturalNet, callbacks=[FREEZERS[case]()], **params).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 1
    quick(NaturalNet, callbacks=[Unfreezer("weight", at=1)], **params).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 2


def test_folds_and_candidates_of_a_search_share_a_folder(tmp_path):
    def search(folder):
        net = quick(NaturalNet, module=Order, checkpoint=folder)
        return GridSearchCV(net, {"lr": [1e-3, 0.1]}, cv=2)

    plain, kept = search(None).fit(X, Y), search(str(tmp_path)).fit(X, Y)
    score = "mean_test_score"
    np.testing.assert_array_equal(kept.cv_results_[score], plain.cv_results_[score])
    assert same_weights(kept.best_estimator_, plain.best_estimator_)
    assert len(list(tmp_path.iterdir())) == 5
    assert epochs_trained(search(str(tmp_path)), X, Y) == 0


def test_partial_fit_writes_none(tmp_path):
    net = quick(NaturalNet, checkpoint=tmp_path / "a").partial_fit(X, Y)
    net.partial_fit(X, Y)
    assert not (tmp_path / "a").exists() and net.n_iter_ == 4


def test_the_net_stays_one_that_can_be_copied_and_saved(tmp_path):
    net = quick(NaturalNet, checkpoint=tmp_path / "a").fit(X, Y)
    assert same_weights(net, pickle.loads(pickle.dumps(net)))
    net.save(tmp_path / "b.net")
    assert same_weights(net, load_net(tmp_path / "b.net"))


def test_a_progress_bar_counts_what_was_trained_before(tmp_path, capsys):
    interrupt(quick(NaturalNet, **PARAMS, checkpoint=tmp_path), X, Y, after=8)
    quick(NaturalNet, **PARAMS, checkpoint=tmp_path, verbose=1).fit(X, Y)
    assert "NaturalNet: 100%" in capsys.readouterr().err


def broken_fit(tmp_path):
    """Interrupt a fit in its fourth epoch; return its folder."""
    interrupt(quick(NaturalNet, **PARAMS, checkpoint=tmp_path), X, Y, after=10)
    (folder,) = tmp_path.iterdir()
    return folder


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "cut in half": cut,
    "one bit turned": change_a_byte,
    "empty": lambda path: path.write_bytes(b""),
    "something else": lambda path: path.write_text("dear diary"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(print)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(damage, tmp_path):
    folder = broken_fit(tmp_path)
    good = (folder / "previous.pt").read_bytes()
    DAMAGES[damage](folder / "last.pt")
    net = quick(NaturalNet, **PARAMS, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match=r"last.pt cannot be used, it is cut short or damaged"):
        interrupt(net, X, Y, after=2)
    assert (folder / "previous.pt").read_bytes() == good  # still the only one to go on from
    LEFT.append(99)
    with pytest.warns(UserWarning, match=r"last.pt cannot be used"):
        net.fit(X, Y)
    assert 99 - LEFT.pop() == 6  # the third epoch and the fourth
    assert same_weights(net, quick(NaturalNet, **PARAMS).fit(X, Y))
    assert quick(NaturalNet, **PARAMS, checkpoint=tmp_path).fit(X, Y).n_iter_ == EPOCHS


def test_a_damaged_checkpoint_never_takes_the_place_of_a_good_one(tmp_path):
    """Whatever happens next, two files of which one can be used are there."""
    folder = broken_fit(tmp_path)
    good = (folder / "previous.pt").read_bytes()
    cut(folder / "last.pt")
    net = quick(NaturalNet, **PARAMS, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match=r"last.pt cannot be used"):
        interrupt(net, X, Y, after=4)  # writes the third epoch, dies in the fourth
    assert (folder / "previous.pt").read_bytes() == good
    interrupt(quick(NaturalNet, **PARAMS, checkpoint=tmp_path), X, Y, after=1)


def test_two_damaged_checkpoints_are_a_start_from_scratch(tmp_path):
    folder = broken_fit(tmp_path)
    for path in files_of(folder):
        cut(path)
    net = quick(NaturalNet, **PARAMS, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="from the one before it, or from the start"):
        net.fit(X, Y)
    assert same_weights(net, quick(NaturalNet, **PARAMS).fit(X, Y))


class Wide(nn.Sequential):
    """One layer, as wide as the module says."""

    width = 5

    def __init__(self):
        super().__init__(nn.Linear(4, self.width), nn.ReLU(), nn.Linear(self.width, 2))


def test_another_architecture_is_refused_by_name(tmp_path, monkeypatch):
    quick(NaturalNet, module=Wide, checkpoint=tmp_path).fit(X, Y)
    (folder,) = tmp_path.iterdir()
    monkeypatch.setattr(Wide, "width", 6)
    match = r"belongs to another fit: .*weights 0.bias is \[6\] and was \[5\]; weights 2.weight"
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, module=Wide, checkpoint=folder).fit(X, Y)


DIFFERENCES = [
    (NaturalNet, {"lr": 0.5}, (X, Y), "lr is 0.5 and was 0.001"),
    (NaturalNet, {"random_state": 7}, (X, Y), "random_state is 7 and was 0"),
    (NaturalNet, {"module": Wide}, (X, Y), "module is '.*Wide .*' and was '.*Linear .*'"),
    (NaturalNet, {"optimizer__eps": 1e-3}, (X, Y), "optimizer__eps is 0.001 and was 'absent'"),
    (NaturalNet, {"augment": abs}, (X, Y), "augment is 'builtins.abs' and was None"),
    (NaturalNet, {}, (X[:-1], Y[:-1]), "data is '47 samples .*' and was '48 samples"),
    (JacobianRegNet, {}, (X, Y), "net is '.*JacobianRegNet' and was '.*NaturalNet'"),
]


@pytest.mark.parametrize(("net", "params", "data", "match"), DIFFERENCES, ids=lambda v: str(v)[:30])
def test_the_folder_of_another_fit_is_refused_by_what_differs(net, params, data, match, tmp_path):
    quick(NaturalNet, module=Linear, checkpoint=tmp_path).fit(X, Y)
    (folder,) = tmp_path.iterdir()
    assert quick(NaturalNet, module=Linear, checkpoint=folder).fit(X, Y).n_iter_ == 2  # its own
    with pytest.raises(ValueError, match=f"belongs to another fit: .*{match}"):
        quick(net, **{"module": Linear, "checkpoint": folder, **params}).fit(*data)


@pytest.mark.parametrize("value", [3, True, ["a"], ""], ids=repr)
def test_what_is_no_folder_is_refused(value):
    with pytest.raises(ValueError, match="checkpoint is .*; give the path of a folder, or None"):
        quick(NaturalNet, checkpoint=value).fit(X, Y)


def full(*args):
    raise OSError(28, "No space left on device")


def test_a_full_disk_costs_a_warning(tmp_path, monkeypatch):
    net = quick(NaturalNet, **PARAMS, checkpoint=tmp_path)
    with monkeypatch.context() as patch, pytest.warns(UserWarning) as told:
        patch.setattr(os, "fsync", full)
        net.fit(X, Y)
    assert len(told) == 1
    said = str(told[0].message)
    assert said.startswith("NaturalNet cannot save epoch 1 in") and "No space left" in said
    assert same_weights(net, quick(NaturalNet, **PARAMS).fit(X, Y))
    assert files_of(tmp_path) == []  # no half a file is left


def test_a_disk_that_fails_for_a_while_keeps_what_was_written(tmp_path, monkeypatch):
    folder = broken_fit(tmp_path)
    before = {path.name: path.read_bytes() for path in files_of(folder)}
    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="cannot save epoch 4"):
        patch.setattr(os, "fsync", full)
        quick(NaturalNet, **PARAMS, checkpoint=tmp_path).fit(X, Y)
    assert {path.name: path.read_bytes() for path in files_of(folder)} == before


def test_a_folder_that_is_a_file_costs_a_warning(tmp_path):
    (tmp_path / "a").write_text("")
    net = quick(NaturalNet, **PARAMS, checkpoint=tmp_path / "a")
    with pytest.warns(UserWarning, match="cannot save epoch 1 in .*: training goes on"):
        net.fit(X, Y)
    assert net.n_iter_ == EPOCHS


def test_all_is_silent_where_all_is_well(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(NaturalNet, **PARAMS, checkpoint=tmp_path).fit(X, Y)
    assert capsys.readouterr() == ("", "")


class Jittered(Pairs):
    """A dataset with a random transform."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + 0.01 * torch.rand(4).numpy(), y


def test_a_dataset_with_random_transforms_goes_on(tmp_path):
    whole, again = go_on(quick(NaturalNet), tmp_path, Jittered(X, Y))
    assert same_weights(whole, again) and len(list(tmp_path.iterdir())) == 1


def test_without_a_seed_the_same_samples_stay_held_out(tmp_path):
    held_out = []

    class Notes(Callback):
        def on_epoch_end(self, net, dataset_valid=None, **kwargs):
            held_out.append(tuple(dataset_valid.indices))

    params = {"random_state": None, "train_split": ValidSplit(0.25), "callbacks": [Notes()]}
    go_on(quick(NaturalNet, **params), tmp_path, X, Y)
    assert len(set(held_out[EPOCHS:])) == 1


def test_an_unfinished_fit_that_is_another_one_is_told(tmp_path):
    params = {**PARAMS, "checkpoint": tmp_path}
    interrupt(quick(NaturalNet, **params), X, Y, after=8)
    match = "starts afresh: the unfinished fit in .* is another one, since lr is 0.5 and was"
    with pytest.warns(UserWarning, match=match):
        quick(NaturalNet, **{**params, "lr": 0.5}).fit(X, Y)
    # The newest has ended: nothing to tell.
    quick(NaturalNet, **{**params, "lr": 0.25}).fit(X, Y)
