"""Nets on disk: what comes back, and that a file runs no code."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_robust import GAIRATNet, JacobianRegNet, MinMaxNet, NaturalNet, load_net
from sklearn_robust.attacks import FGSM, PGD, WorstCase
from sklearn_robust.modules import MNISTConvNet
from tests.cases import NETS, Linear, Odd, blobs, quick, same_weights
from tests.nets._persistence.saved import round_trip, tampered

X, Y = blobs()


def crop(x):
    return x


BEHIND = {
    "train_split": ValidSplit(4),
    "random_state": np.random.RandomState(0),
    "augment": crop,
    "callbacks": [EpochScoring("accuracy", name="s")],
}

SAVED = {
    "defaults": lambda: quick(NaturalNet),
    "arguments of the module": lambda: quick(NaturalNet, module__hidden=5, module__channels=(2, 3)),
    "module of the library": lambda: quick(NaturalNet, module=MNISTConvNet, module__hidden=6),
    "activation of torch": lambda: quick(NaturalNet, module__activation=nn.Tanh),
    "optimiser": lambda: quick(NaturalNet, optimizer=torch.optim.SGD, optimizer__momentum=0.9),
    "criterion": lambda: quick(NaturalNet, criterion__label_smoothing=0.1),
    "attack arguments": lambda: quick(MinMaxNet, attack__eps=0.2, attack=FGSM),
    "attack instance": lambda: quick(MinMaxNet, attack=PGD(eps=0.2, bounds=(0, 1))),
    "array of radii": lambda: quick(MinMaxNet, attack__eps=np.full((1, 4, 4), 0.1)),
    "cascade": lambda: quick(MinMaxNet, attack=WorstCase([FGSM(), PGD(loss="margin")], eps=0.1)),
    "infinity": lambda: quick(GAIRATNet, lam=np.inf),
    "penalty": lambda: quick(JacobianRegNet, lam=0.1, jacobian_norm="l2", adversarial=FGSM),
}


@pytest.mark.parametrize("case", SAVED)
def test_a_net_comes_back_as_it_was(case, path):
    images, y = blobs(shape=(1, 4, 4), labels=("no", "yes"))
    net = SAVED[case]().fit(images, y)
    again = round_trip(net, path)
    assert type(again) is type(net) and repr(again) == repr(net)
    assert same_weights(net, again) and not again.module_.training
    np.testing.assert_array_equal(again.predict(images), net.predict(images))
    assert again.classes_.dtype == net.classes_.dtype
    assert again.input_shape_ == (1, 4, 4) and again.n_features_in_ == 1
    assert again.history[:, "train_loss"] == net.history[:, "train_loss"]
    assert again.n_iter_ == 2
    with pytest.raises(ValueError, match=r"fitted on sample shape \(1, 4, 4\)"):
        again.predict(np.zeros((2, 1, 5, 5)))


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_training_goes_on_after_a_round_trip(net, path):
    fitted = quick(net).fit(X, Y)
    again = round_trip(fitted, path).partial_fit(X, Y)
    assert again.n_iter_ == 4
    assert same_weights(fitted.fit(X, Y), round_trip(fitted, path).fit(X, Y))


def test_parameters_may_be_given_in_place_of_the_saved_ones(path):
    again = round_trip(quick(MinMaxNet, attack__eps=0.2).fit(X, Y), path, attack__eps=0.1, lr=1)
    assert (again.attack_.eps, again.lr) == (0.1, 1)


def test_callbacks_stay_behind_and_their_scores_come_along(path):
    split = ValidSplit(4)
    score = EpochScoring("accuracy", lower_is_better=False, name="s")
    net = quick(NaturalNet, callbacks=[score], train_split=split).fit(X, Y)
    net.train_split = None
    again = round_trip(net, path)
    assert again.callbacks is None
    assert again.history[:, ("s", "s_best")] == net.history[:, ("s", "s_best")]


@pytest.mark.parametrize("ours", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("theirs", [True, False], ids=["from compiled", "from plain"])
def test_compiling_does_not_change_what_a_file_holds(theirs, ours, path):
    eager = {"module": Linear, "compile__backend": "eager"}
    first = quick(NaturalNet, module=Linear).fit(X, Y)
    net = round_trip(first, path, compile=theirs, **eager)
    again = round_trip(net, path, compile=ours, **eager)
    assert hasattr(again.module_, "_orig_mod") is ours
    np.testing.assert_allclose(again.decision_function(X), first.decision_function(X), rtol=1e-6)
    for source in (path, FrozenEstimator(net)):
        begun = quick(NaturalNet, module=Linear, init_from=source, lr=1e-30).fit(X, Y)
        assert same_weights(begun, first)


def test_a_file_with_the_names_of_a_compiled_module_is_read(path):
    net = quick(NaturalNet, module=Linear).fit(X, Y)
    net.save(path)
    with zipfile.ZipFile(path) as archive:
        about = archive.read("net.json")
    state, packed = net.module_.state_dict(), io.BytesIO()
    torch.save({f"_orig_mod.{name}": value for name, value in state.items()}, packed)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net.json", about)
        archive.writestr("weights.pt", packed.getvalue())
    assert same_weights(net, load_net(path, module=Linear))


def test_an_unfitted_net_is_not_saved(path):
    with pytest.raises(Exception, match="not (initialized|fitted)"):
        NaturalNet().save(path)


THEIRS = [
    (Linear, Linear, "Linear' as module, which is not imported .*load_net.path, module="),
    (Odd(6), Odd(6), "ready module, a tests.cases:Odd, and the file holds its weights alone"),
    (nn.Sequential(nn.Linear(4, 2)), nn.Sequential(nn.Linear(4, 2)), "ready module, a torch.nn"),
]


@pytest.mark.parametrize(("module", "again", "match"), THEIRS, ids=[m for _, _, m in THEIRS])
def test_a_module_from_elsewhere_must_be_given_again(module, again, match, path):
    net = quick(NaturalNet, module=module).fit(X, Y)
    net.save(path)
    with pytest.raises(ValueError, match=match):
        load_net(path)
    assert same_weights(net, load_net(path, module=again))


def test_a_trained_module_is_saved_too(path):
    net = NaturalNet.from_module(Odd(5), classes=["a", "b"])
    again = round_trip(net, path, module=Odd(5))
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert again.input_shape_ is None


COMMAND = {"command": "touch was_here", "cmd": "touch was_here"}
EVIL = [
    {"net": "os:system"},
    {"net": "subprocess:Popen"},
    {"net": "builtins:eval"},
    {"net": "sklearn_robust.nets._persistence.save_load:import_module"},
    {"net": "torch.nn.modules.linear:Linear.forward"},
    {"net": "sklearn.linear_model:LogisticRegression"},
    {"net": 3},
    {"params": {"module": {"class": "os:system"}, "module__command": "touch was_here"}},
    {"params": {"module": {"class": "torch.serialization:os.system"}, **COMMAND}},
    {"params": {"module": {"class": "torch.nn.functional:torch"}}},
    {"params": {"module": {"class": "torch.nn.absent:Linear"}}},
    {"params": {"module": {"class": "torch.nnx:Linear"}}},
    {"params": {"attack": {"object": "torch.hub:load", "params": {"repo_or_dir": "a/b"}}}},
    {"params": {"attack": {"object": "torch.serialization:os.system", "params": COMMAND}}},
    {
        "params": {
            "attack": {
                "object": "sklearn_robust.nets._persistence.save_load:load_net",
                "params": {},
            }
        }
    },
    {"params": {"attack": {"object": "builtins:exec", "params": {"source": "1"}}}},
    {"params": {"lr": {"object": "subprocess:Popen", "params": {"args": ["touch", "was_here"]}}}},
]


@pytest.mark.parametrize("change", EVIL, ids=str)
def test_a_file_that_names_code_is_refused(change, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="which is not imported from a file unasked"):
        load_net(tampered(path, lambda about: about.update(change)))
    assert not (tmp_path / "was_here").exists()


def test_what_is_no_saved_net_is_refused(path):
    path.write_text("not a net")
    with pytest.raises(ValueError, match="is not a net written by net.save"):
        load_net(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("something.else", "")
    with pytest.raises(ValueError, match="is not a net written by net.save"):
        load_net(path)
    with pytest.raises(FileNotFoundError):
        load_net(path.with_name("absent"))


@pytest.mark.parametrize("name", BEHIND)
def test_objects_that_only_training_needs_stay_behind(name, path):
    net = quick(NaturalNet, **{name: BEHIND[name]}).fit(X, Y)
    again = round_trip(net, path)
    assert np.array_equal(again.predict_proba(X), net.predict_proba(X))
    assert again.get_params()[name] == NaturalNet().get_params()[name]


def test_names_of_columns_come_along(path):
    frame = pd.DataFrame(X, columns=list("abcd"))
    again = round_trip(quick(NaturalNet).fit(frame, Y), path)
    assert again.score(frame, Y) == quick(NaturalNet).fit(frame, Y).score(frame, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(frame[list("dcba")])


def test_an_attack_and_an_optimiser_of_the_user_come_back(path):
    net = quick(MinMaxNet, attack=Gentle(eps=0.2), optimizer=Steps).fit(X, Y)
    again = round_trip(net, path, classes=[Gentle, Steps])
    assert type(again.attack_) is Gentle and again.attack_.eps == 0.2
    assert again.optimizer is Steps


def test_labels_are_still_a_parameter_of_the_net(path):
    net = quick(NaturalNet).fit(X, Y)
    assert round_trip(net, path, classes=[0, 1]).classes == [0, 1]


class Gentle(PGD):
    """A user's attack."""


class Steps(torch.optim.SGD):
    """A user's optimiser."""


PARTS = {
    "optimizer": (
        Steps,
        r"_load:Steps' as optimizer, .*load_net\(path, optimizer=YourClass",
    ),
    "criterion": (nn.CrossEntropyLoss(label_smoothing=0.1), "a ready criterion, .*criterion=..."),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_must_be_given_again_is_named(part, path):
    value, match = PARTS[part]
    net = quick(NaturalNet, **{part: value}).fit(X, Y)
    net.save(path)
    with pytest.raises(ValueError, match=match):
        load_net(path)
    assert same_weights(net, load_net(path, **{part: value}))


def test_a_sampler_stays_behind(path):
    sampler = torch.utils.data.WeightedRandomSampler(torch.ones(48), 48)
    shuffle = {"iterator_train__shuffle": False}
    net = quick(NaturalNet, iterator_train__sampler=sampler, **shuffle).fit(X, Y)
    assert same_weights(net, round_trip(net, path))


BAD = {
    "batch size": ({"params": {"batch_size": -7}}, "batch_size is -7"),
    "epochs": ({"params": {"max_epochs": 1e300}}, "max_epochs is 1e.300"),
    "label": (
        {"classes": {"array": ["a" * 2**20, "b", "c"], "dtype": "<U1048576"}},
        "a label of 1048576 characters, and a label may have 10000",
    ),
    "columns": ({"columns": ["a", "a", "b", "c"]}, "several columns named a: rename"),
}


@pytest.mark.parametrize("case", BAD)
def test_values_that_no_net_has_are_refused(case, path):
    change, match = BAD[case]
    with pytest.raises(ValueError, match=match):
        load_net(tampered(path, lambda about: about.update(change)))
