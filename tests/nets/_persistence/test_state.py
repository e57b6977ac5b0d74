"""What nets, callbacks and generators remember comes back."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.callbacks import RobustEarlyStopping, WeightAveraging
from tests.cases import Linear, blobs, quick
from tests.nets._persistence.interrupted import PARAMS, files_of, go_on, interrupt

X, Y = blobs()


def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))


class Noting(Linear):
    """Has a state that is not a tensor."""

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
