"""Files of others: what they may set, what they may take, and what stays possible."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet, load_net
from tests.cases import blobs, quick
from tests.nets.hostile_files import HOSTILE

pytestmark = pytest.mark.filterwarnings("ignore")
X, Y = blobs()

CHECKPOINT_TEXTS = {
    "checkpoint without the net": "cannot be used, it lacks net: training goes on from",
    "checkpoint without its story": "cannot be used, it lacks about: training goes on from",
    "checkpoint without generators": "cannot be used, it lacks random: training goes on",
    "checkpoint without callbacks": "cannot be used, it lacks callbacks: training goes on",
    "checkpoint with an empty net": "it lacks the net's history_, module_, optimizer_: training",
    "checkpoint with a short generator": "its parts do not fit the net: training goes on from",
    "checkpoint that is a list": "it lacks about, net, fit, callbacks, random: training goes on",
    "checkpoint that holds code": "it holds something else than a state of training: training",
}


@pytest.mark.parametrize("name", CHECKPOINT_TEXTS)
def test_a_checkpoint_that_lacks_parts_is_left_aside(name, tmp_path):
    from tests.cases import same_weights

    hostile = HOSTILE[name]
    folder = hostile.write(tmp_path)
    net = quick(NaturalNet, module__hidden=[4], checkpoint=str(folder), max_epochs=1)
    with pytest.warns(UserWarning, match=CHECKPOINT_TEXTS[name]):
        net.fit(X, Y)
    assert same_weights(net, quick(NaturalNet, module__hidden=[4], max_epochs=1).fit(X, Y))


IGNORED = {
    "compile": True,
    "compile__options": {"dict": []},
    "compile__mode": "max-autotune",
    "callbacks": {"list": []},
    "callbacks__print_log": None,
    "checkpoint": "somewhere",
    "dataset": {"class": "torch.nn.modules.linear:Linear"},
    "dataset__length": 10**12,
    "initialized_": True,
    "iterator_train__num_workers": 10**6,
    "iterator_valid__multiprocessing_context": "spawn",
    "torch_load_kwargs": {"dict": [{"tuple": ["weights_only", False]}]},
    "virtual_params_": {"dict": []},
}


def changed(path, change=None, **params):
    """Write a sound file whose JSON went through ``change``, and has other parameters."""
    net = quick(NaturalNet, module__hidden=[4]).fit(X, Y)
    net.save(path)
    with zipfile.ZipFile(path) as archive:
        about, weights = json.loads(archive.read("net.json")), archive.read("weights.pt")
    about["params"].update(params)
    if change is not None:
        change(about)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net.json", json.dumps(about))
        archive.writestr("weights.pt", weights)
    return net


@pytest.mark.parametrize("name", IGNORED)
def test_a_file_does_not_set_what_belongs_to_a_machine(name, tmp_path):
    net = changed(tmp_path / "a.net", **{name: IGNORED[name]})
    again = load_net(tmp_path / "a.net")
    assert np.array_equal(again.decision_function(X), net.decision_function(X))
    assert again.get_params().get(name) == NaturalNet().get_params().get(name)


def test_what_belongs_to_a_machine_may_be_given(tmp_path):
    changed(tmp_path / "a.net")
    again = load_net(tmp_path / "a.net", checkpoint=str(tmp_path), iterator_train__num_workers=0)
    assert again.checkpoint == str(tmp_path) and again.iterator_train__num_workers == 0


LIBRARY = [
    "sklearn_robust.nets._natural:NaturalNet",
    "sklearn_robust.modules._mlp:MLP",
    "torch.nn.modules.linear:Linear",
    "torch.optim.sgd:SGD",
]


@pytest.mark.parametrize("name", LIBRARY)
def test_only_attacks_are_made_from_a_description(name, tmp_path):
    big = {"object": name, "params": {"in_features": 10**6, "out_features": 10**6}}
    changed(tmp_path / "a.net", criterion__weight=big)
    with pytest.raises(ValueError, match="as criterion__weight, which is not imported from a file"):
        load_net(tmp_path / "a.net")


def test_an_attack_that_cannot_be_made_is_named(tmp_path):
    attack = {"object": "sklearn_robust.attacks._pgd:PGD", "params": {"no_such": 1}}
    changed(tmp_path / "a.net", lr=attack)
    with pytest.raises(ValueError, match=r"lr as a PGD that cannot be made .*no_such.*; give it"):
        load_net(tmp_path / "a.net")


def test_bytearrays_and_counters_in_the_weights_are_refused(tmp_path):
    for thing in (bytearray(10), __import__("collections").Counter("a")):
        packed = io.BytesIO()
        torch.save({"features.1.weight": thing}, packed)
        changed(tmp_path / "a.net")
        with zipfile.ZipFile(tmp_path / "a.net") as archive:
            about = archive.read("net.json")
        with zipfile.ZipFile(tmp_path / "a.net", "w") as archive:
            archive.writestr("net.json", about)
            archive.writestr("weights.pt", packed.getvalue())
        with pytest.raises(ValueError, match="they hold .*, which is not a weight: save the net"):
            load_net(tmp_path / "a.net")


def test_a_net_with_nan_weights_is_not_saved(tmp_path):
    net = quick(NaturalNet).fit(X, Y)
    with torch.no_grad():
        next(net.module_.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN or infinite numbers in .*: train the net again"):
        net.save(tmp_path / "a.net")
    assert not (tmp_path / "a.net").exists()


def test_a_mask_of_infinities_is_no_weight(tmp_path):
    class Masked(nn.Linear):
        def __init__(self):
            super().__init__(4, 2)
            self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

        def forward(self, x):
            return super().forward(x) + self.mask

    NaturalNet.from_module(Masked(), classes=[0, 1]).save(tmp_path / "a.net")
    assert load_net(tmp_path / "a.net", module=Masked()).predict(X).max() == 0


def test_parameters_that_no_file_may_hold_are_refused_when_it_is_written(tmp_path):
    net = quick(NaturalNet).fit(X, Y)
    net.augment = "a" * 2**24
    with pytest.raises(
        ValueError, match="MB of JSON, more than a saved net may hold; save the net"
    ):
        net.save(tmp_path / "a.net")


RELEASED = {
    "format": 1,
    "sklearn_robust": "0.1.0",
    "torch": "2.4.0",
    "net": "sklearn_robust.nets._min_max:MinMaxNet",
    "params": {
        "attack": {
            "object": "sklearn_robust.attacks._worst:WorstCase",
            "params": {
                "attacks": {
                    "list": [
                        {"object": "sklearn_robust.attacks._fgsm:FGSM", "params": {"eps": 0.2}}
                    ]
                },
                "eps": {"array": [0.1, 0.1, 0.2, 0.1], "dtype": "float64"},
            },
        },
        "module__hidden": {"tuple": [5]},
        "module__activation": {"class": "torch.nn.modules.activation:Tanh"},
        "optimizer": {"class": "torch.optim.sgd:SGD"},
        "optimizer__momentum": 0.9,
        "criterion__weight": {"tensor": [1.0, 2.0], "dtype": "float32"},
        "checkpoint": "runs/of/another/machine",
        "compile": False,
        "iterator_train__num_workers": 2,
        "lr": 0.01,
        "max_epochs": 2,
        "random_state": 0,
    },
    "classes": {"array": ["no", "yes"], "dtype": "<U5"},
    "input_shape": [4],
    "columns": ["a", "b", "c", "d"],
    "history": [{"epoch": 1, "train_loss": 0.7, "dur": 0.1, "train_batch_count": 2}],
}


def test_a_file_of_an_earlier_release_is_read(tmp_path):
    layers = {"features.1": nn.Linear(4, 5), "classifier": nn.Linear(5, 2)}
    state = {f"{k}.{name}": w for k, v in layers.items() for name, w in v.state_dict().items()}
    packed = io.BytesIO()
    torch.save(state, packed)
    with zipfile.ZipFile(tmp_path / "old.net", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net.json", json.dumps(RELEASED, indent=1))
        archive.writestr("weights.pt", packed.getvalue())
    net = load_net(tmp_path / "old.net")
    assert type(net) is MinMaxNet and net.classes_.dtype == "<U5" and net.n_iter_ == 1
    assert net.checkpoint is None and net.feature_names_in_.tolist() == list("abcd")
    with torch.no_grad():
        hidden = layers["features.1"](torch.tensor(X)).tanh()
        z = layers["classifier"](hidden).numpy()
    np.testing.assert_allclose(net.decision_function(X), z[:, 1] - z[:, 0], rtol=1e-5, atol=1e-6)
