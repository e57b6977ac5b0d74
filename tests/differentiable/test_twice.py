"""Second derivatives where torch's own operations have the first alone."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import JacobianRegNet
from sklearn_robust.differentiable._twice import explain_first_order, twice_differentiable
from sklearn_robust.exceptions import NotDifferentiableError
from sklearn_robust.metrics import hessian_eigvals
from tests.cases import blobs


class Gate(nn.Module):
    """Logits (0, hardsigmoid(x)^2): their difference has the second derivative 1/18 inside."""

    def forward(self, x):
        gate = nn.functional.hardsigmoid(x[:, :1])
        return torch.cat([0 * gate, gate**2], 1)


class _Once(torch.autograd.Function):
    """Square whose backward pass cannot be differentiated, as torch's own kernels say it."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        raise RuntimeError("derivative for aten::once_backward is not implemented")


def test_a_hard_sigmoid_has_its_second_derivative():
    x = torch.tensor([-4.0, -1.0, 0.5, 4.0]).double().requires_grad_(True)
    with twice_differentiable():
        (slope,) = torch.autograd.grad(
            nn.functional.hardsigmoid(x).square().sum(), x, create_graph=True
        )
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    torch.testing.assert_close(curvature, torch.tensor([0, 1 / 18, 1 / 18, 0]).double())
    eigenvalues = hessian_eigvals(Gate(), np.array([[0.5], [4.0]]), [1, 1], k=1)
    assert np.abs(eigenvalues[0]).max() == pytest.approx(1 / 18)
    assert np.abs(eigenvalues[1]).max() == 0


def test_jacobian_training_takes_a_hard_sigmoid():
    X, y = blobs(40)
    module = nn.Sequential(nn.Linear(X.shape[1], 8), nn.Hardsigmoid(), nn.Linear(8, 2))
    net = JacobianRegNet(module, lam=0.1, max_epochs=1, random_state=0).fit(X, y)
    assert np.isfinite(net.history[-1, "train_loss"])


def test_other_operations_are_named():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(NotDifferentiableError, match="no second derivative of once, which"):
        with explain_first_order():
            _Once.apply(x).sum().backward()
    with pytest.raises(RuntimeError, match="another"), explain_first_order():
        raise RuntimeError("another")


def test_the_mode_ends_with_its_context():
    x = torch.zeros(3, requires_grad=True)
    with twice_differentiable():
        assert type(nn.functional.hardsigmoid(x).grad_fn).__name__ == "ClampBackward1"
    assert type(nn.functional.hardsigmoid(x).grad_fn).__name__ == "HardsigmoidBackward0"
