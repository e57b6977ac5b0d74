"""The tangent of the loss against torch's own."""

import pytest
import torch

from sklearn_robust import NaturalNet
from sklearn_robust.nets._engine.tangent import tangent
from tests.cases import Linear, blobs, quick

X, Y = blobs()


@pytest.mark.parametrize("create_graph", [False, True])
def test_it_is_that_of_torch(create_graph):
    net = quick(NaturalNet, module=Linear).fit(X, Y)
    x, y = torch.as_tensor(X[:5]), torch.as_tensor(net.classes_.searchsorted(Y[:5]))
    z, loss, grad = tangent(net, x, y, create_graph=create_graph)
    point = x.clone().requires_grad_(True)
    wanted = torch.nn.functional.cross_entropy(net.module_(point), y, reduction="none")
    wanted.sum().backward()
    torch.testing.assert_close(z, net.module_(x))
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(grad, point.grad)
    assert grad.requires_grad == create_graph
