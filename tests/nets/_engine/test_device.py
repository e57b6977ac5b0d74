"""The device of a net."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Checkpoint, LoadInitState

from sklearn_robust import NaturalNet
from tests.cases import NETS, Linear, blobs, quick, same_weights


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_missed_by_name(device):
    X, y = blobs()
    match = f"device is '{device}', but torch sees no CUDA device; type device='auto' or 'cpu'"
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, device=device).fit(X, y)


X, Y = blobs()


@pytest.mark.parametrize("device", ["auto", "cpu", None, torch.device("cpu")], ids=str)
def test_a_net_keeps_the_device_it_was_given(device):
    net = quick(NaturalNet, device=device).fit(X, Y)
    assert net.device is device and net.get_params()["device"] is device
    again = pickle.loads(pickle.dumps(net))
    assert again.device == device
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    again.partial_fit(X, Y).set_params(lr=0.1).fit(X, Y)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_weights_that_skorch_wrote_are_read_on_any_device(device, tmp_path):
    best = Checkpoint(monitor="train_loss_best", dirname=tmp_path, load_best=True)
    net = quick(NaturalNet, module=Linear, device=device)
    trained = clone(net).set_params(callbacks=[best]).fit(X, Y)
    again = clone(net).set_params(callbacks=[LoadInitState(best)]).fit(X, Y)
    assert len(again.history) == 4
    again.load_params(checkpoint=best)
    assert same_weights(trained, again)
    assert again.device == trained.device == device


def test_automatic_means_a_gpu_where_there_is_one():
    net = quick(NaturalNet).fit(X, Y)
    assert net.device_.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_net_trains_on_a_gpu_and_is_read_without_one(net, tmp_path, monkeypatch):
    fitted = quick(net, device="cuda").fit(X, Y)
    assert fitted.device_.type == "cuda"
    fitted.save(tmp_path / "net")
    wanted = fitted.predict_proba(X)
    frozen = pickle.dumps(quick(net).fit(X, Y))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    from sklearn_robust import load_net

    found = load_net(tmp_path / "net", device="cpu").predict_proba(X)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert pickle.loads(frozen).device_.type == "cpu"
