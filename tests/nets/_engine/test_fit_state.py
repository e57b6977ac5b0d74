"""The state of a fit is on no copy and gone at its end."""

import copy
import pickle

import pytest
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_robust import MinMaxNet, NaturalNet
from tests.cases import Linear, blobs, quick

X, Y = blobs()


class Copies(Callback):
    """Copies its net in every way while it trains."""

    def on_epoch_end(self, net, **kwargs):
        assert net._fit_state is not None and not [
            k for k in net.get_params() if "state" in k[-6:-1]
        ]
        for copied in (clone(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert copied._fit_state is None


def test_what_a_fit_needs_is_on_no_copy_and_gone_at_its_end():
    net = quick(MinMaxNet, module=Linear, callbacks=[Copies()])
    before = set(vars(quick(MinMaxNet, module=Linear).fit(X, Y)))
    assert set(vars(net.fit(X, Y))) == before
    assert net._fit_state is None
    with pytest.raises(RuntimeError, match="this MinMaxNet is not training: call fit"):
        _ = net.fit_state


def test_a_fit_that_fails_leaves_no_state():
    class Fails(NaturalNet):
        def batch_loss(self, x, y):
            raise ArithmeticError

    net = quick(Fails)
    with pytest.raises(ArithmeticError):
        net.fit(X, Y)
    assert net._fit_state is None
