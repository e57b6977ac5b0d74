"""Modules in another dtype than their own."""

import torch
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.differentiable import AnyDtype, open_model
from sklearn_robust.differentiable._fast.copying import frozen_twin
from tests.cases import Normalised, blobs, quick

X, y = blobs(60, labels=("a", "b", "c"))


def test_double_computes_in_float64_from_any_dtype():
    net = quick(NaturalNet, module=Normalised, module__n_classes=3).fit(X, y)
    layers = [part.double() for part in frozen_twin(net.module_)]
    x = torch.tensor(X)
    wanted = x.double()
    for layer in layers:
        wanted = layer(wanted)
    found = open_model(net).double(x)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_a_module_of_another_dtype_shares_no_memory():
    body = AnyDtype(nn.Linear(4, 3))
    x = torch.tensor(X)
    torch.testing.assert_close(body(x.double()).float(), body(x))
    assert body.module.weight.dtype == torch.float32
