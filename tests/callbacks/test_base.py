"""Callbacks of a user: what may be written, and what is refused when the class is made."""

from contextlib import contextmanager

import pytest
from skorch.callbacks import Callback
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.callbacks import StopTraining, TrainingCallback
from tests.cases import Linear, blobs, quick, same_weights

X, Y = blobs()
HOOKS = [
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
    "on_grad_computed",
]


def noting(calls, name):
    def hook(self, *args, **kwargs):
        calls.append(name)

    return hook


def test_every_hook_is_called_in_the_order_of_the_documentation():
    calls = []

    @contextmanager
    def around(self, net, x, y):
        calls.append("around_loss")
        assert x.shape == (48, 4) and y.shape == (48,)
        yield
        calls.append("loss taken")

    hooks = {name: noting(calls, name) for name in HOOKS}
    noted = type("Noted", (TrainingCallback,), {**hooks, "around_loss": around})()
    quick(MinMaxNet, max_epochs=1, batch_size=-1, callbacks=[noted]).fit(X, Y)
    batch = ["on_batch_begin", "around_loss", "loss taken", "on_grad_computed", "on_batch_end"]
    assert calls == ["on_train_begin", "on_epoch_begin", *batch, "on_epoch_end", "on_train_end"]


def test_a_callback_that_does_nothing_changes_nothing():
    plain = quick(NaturalNet, module=Linear).fit(X, Y)
    idle = quick(NaturalNet, module=Linear, callbacks=[TrainingCallback()]).fit(X, Y)
    assert same_weights(plain, idle)


NO_HOOKS = [
    ("on_epoch_ends", "Mine.on_epoch_ends is not a hook .*: rename it to on_epoch_end, or begin"),
    ("on_something", "Mine.on_something is not a hook of callbacks and would never be called"),
    ("around_losses", "Mine.around_losses is not a hook .*rename it to around_loss"),
    ("arround_loss", "Mine.arround_loss is not a hook .*rename it to around_loss"),
    ("onepoch_end", "Mine.onepoch_end is not a hook .*rename it to on_epoch_end"),
]


@pytest.mark.parametrize(("name", "match"), NO_HOOKS, ids=[name for name, _ in NO_HOOKS])
def test_a_hook_of_a_wrong_name_is_refused(name, match):
    with pytest.raises(TypeError, match=match):
        type("Mine", (TrainingCallback,), {name: lambda self, net, **kwargs: None})


SIGNATURES = [
    (
        "around_loss",
        lambda self, net: None,
        r"write def around_loss\(self, net, x, y\)",
    ),
    ("around_loss", lambda self, net, x, y, z: None, r"write def around_loss\(self, net, x, y\)"),
    ("on_epoch_end", lambda self: None, r"write def on_epoch_end\(self, net, \*\*kwargs\)"),
    ("on_batch_end", lambda self, net: None, r"write def on_batch_end\(self, net, \*\*kwargs\)"),
    (
        "on_grad_computed",
        lambda self, net, **kwargs: None,
        r"\(self, net, named_parameters, \*\*kw",
    ),
]


@pytest.mark.parametrize(("name", "hook", "match"), SIGNATURES, ids=[s[2][:40] for s in SIGNATURES])
def test_a_hook_of_other_arguments_is_refused(name, hook, match):
    with pytest.raises(TypeError, match=f"Mine.{name}.* cannot be called by a net: .*{match}"):
        type("Mine", (TrainingCallback,), {name: hook})


def test_helpers_of_other_names_are_welcome():
    members = {"_on_the_way": lambda self: None, "only": 3, "report": lambda self, a, b: None}
    type("Mine", (TrainingCallback,), members)


def test_a_context_that_is_none_is_refused():
    mine = type("Mine", (TrainingCallback,), {"around_loss": lambda self, net, x, y: None})
    with pytest.raises(TypeError, match="Mine.around_loss returned None; return a context, for"):
        quick(NaturalNet, callbacks=[mine()]).fit(X, Y)


@pytest.mark.parametrize("base", [TrainingCallback, Callback])
@pytest.mark.parametrize("moment", ["on_epoch_end", "on_batch_end", "on_epoch_begin"])
def test_training_stops_where_a_callback_asks_for_it(base, moment):
    def stop(self, net, **kwargs):
        raise StopTraining

    net = quick(NaturalNet, callbacks=[type("Stops", (base,), {moment: stop})()])
    assert len(net.fit(X, Y).history) <= 1
    assert isinstance(net.module_, nn.Module) and net.predict(X).shape == Y.shape
