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
from sklearn.base import clone
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
from tests.cases import (
    NETS,
    Linear,
    Normalised,
    Pairs,
    blobs,
    generators_untouched,
    quick,
    same_weights,
)

X, Y = blobs()
EPOCHS = 4
ROOT = Path(__file__).parents[3]


class Stopped(Exception):
    """Ends a fit as a power cut would, as far as its files are concerned."""


LEFT = []  # training forwards until Brittle stops, if it does


class Brittle(Normalised):
    """Stops in a given training forward."""

    def forward(self, x):
        if self.training and LEFT:
            LEFT[0] -= 1
            if LEFT[0] < 0:
                raise Stopped
        return super().forward(x)


def interrupt(net, *data, after):
    """Fit a net until its module has seen ``after`` batches."""
    LEFT.append(after)
    try:
        with pytest.raises(Stopped):
            net.fit(*data)
    finally:
        LEFT.clear()


def files_of(folder):
    """The checkpoints below a folder, newest first in each."""
    return sorted(Path(folder).rglob("*.pt"))


# -- going on ------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_killed_fit_goes_on_and_ends_like_an_unbroken_one(tmp_path):
    script = Path(__file__).with_name("killed.py")
    command = [sys.executable, str(script), str(tmp_path)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "all went on\n", done.stderr


PARAMS = {"module": Brittle, "max_epochs": EPOCHS, "batch_size": 16}


def go_on(net, folder, *data):
    """A fit without a break, and one that was interrupted in its second half and went on."""
    LEFT.append(999)
    whole = clone(net).set_params(**PARAMS).fit(*data)
    batches = 999 - LEFT.pop()
    broken, again = (clone(net).set_params(**PARAMS, checkpoint=folder) for _ in range(2))
    interrupt(broken, *data, after=3 * batches // 4 - 1)
    assert len(files_of(folder)) == 2
    with generators_untouched():
        again.fit(*data)
    return whole, again


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


def epochs_trained(net, *data):
    """Epochs that a fit really trains."""
    SEEN.clear()
    net.fit(*data)
    return len(SEEN) / 3


SEEN = []  # an entry for each training batch of Order


class Order(Linear):
    """Counts its training batches."""

    def forward(self, x):
        SEEN.extend([True] * self.training)
        return super().forward(x)


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


def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))


class Noting(Linear):
    """Has a state that is no tensor."""

    def get_extra_state(self):
        return {"note": [1, 2]}

    def set_extra_state(self, state):
        assert state == {"note": [1, 2]}


@pytest.mark.parametrize("module", [lazy(), Noting(), Noting], ids=["lazy", "noting", "class"])
def test_modules_with_odd_states_are_read_back(module, tmp_path):
    guards = [RobustEarlyStopping(validation_fraction=0.25), WeightAveraging(decay=0.5)]
    net = quick(MinMaxNet, module=module, callbacks=guards, checkpoint=tmp_path).fit(X, Y)
    written = [path.stat().st_mtime_ns for path in files_of(tmp_path)]
    again = clone(net).fit(X, Y)
    assert [path.stat().st_mtime_ns for path in files_of(tmp_path)] == written
    assert all(torch.equal(a, b) for a, b in zip(weights(net), weights(again), strict=True))


def weights(net):
    return net.module_.parameters()


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


class Memory(Callback):
    """A callback of a user, with state of all kinds and a record of it in the history."""

    def initialize(self):
        """Forget."""
        self.array_, self.text_, self.nested_ = np.zeros(2), "", {"n": [0, (1.5, None)]}
        self.tensor_, self.bare_ = torch.zeros(3), object()
        return self

    def on_epoch_end(self, net, **kwargs):
        """Remember."""
        self.array_ = self.array_ + 1
        self.text_ += "e"
        self.nested_["n"][0] += 1
        self.tensor_ += 2
        self.late_ = getattr(self, "late_", 0) + 1
        net.history.record("array", self.array_)
        net.history.record("number", np.float32(0.5))
        net.history.record("thing", self.bare_)


def test_what_callbacks_remember_comes_back(tmp_path):
    whole, again = go_on(quick(NaturalNet, callbacks=[Memory()]), tmp_path, X, Y)
    ours, theirs = (dict(net.callbacks_)["Memory"] for net in (again, whole))
    for name in ("text_", "nested_", "late_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.text_ == "eeee" and ours.nested_ == {"n": [4, (1.5, None)]}
    np.testing.assert_array_equal(ours.array_, [4, 4])
    assert torch.equal(ours.tensor_, theirs.tensor_)
    np.testing.assert_array_equal(again.history[:, "array"], whole.history[:, "array"])
    assert again.history[:, "number"] == [0.5] * 4
    assert "thing" not in again.history[0] and "thing" in again.history[-1]


class Late(Callback):
    """Builds what it needs when it needs it."""

    def on_batch_end(self, net, **kwargs):
        """Build it."""
        self.average_ = getattr(self, "average_", None) or nn.Linear(1, 1)


def test_a_state_that_has_no_place_is_missed_by_name(tmp_path):
    net = quick(NaturalNet, **PARAMS, callbacks=[Late()], checkpoint=tmp_path)
    interrupt(net, X, Y, after=8)
    again = quick(NaturalNet, **PARAMS, callbacks=[Late()], checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="state of Late.average_ in the checkpoint is left out"):
        again.fit(X, Y)


def test_a_progress_bar_counts_what_was_trained_before(tmp_path, capsys):
    interrupt(quick(NaturalNet, **PARAMS, checkpoint=tmp_path), X, Y, after=8)
    quick(NaturalNet, **PARAMS, checkpoint=tmp_path, verbose=1).fit(X, Y)
    assert "NaturalNet: 100%" in capsys.readouterr().err


# -- files that are no good ----------------------------------------------------------------------


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


# -- disks that fail -----------------------------------------------------------------------------


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


# -- what hangs on the first epoch, or on chance -------------------------------------------------


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
