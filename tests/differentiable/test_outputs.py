"""What torch modules return: logits, the first of several outputs, and what is refused."""

import pytest
import torch
from torch import nn

from sklearn_robust.differentiable import DifferentiableModel, as_module


class Pair(nn.Module):
    def forward(self, x):
        return x[:, :3], x


class Named(nn.Module):
    def forward(self, x):
        return {"logits": x}


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Flatten(0), r"shape \(8,\).*at least two classes.*torch\.cat"),
        (nn.Unflatten(1, (2, 2)), r"shape \(2, 2, 2\)"),
        (Spectrum(), "returns complex numbers: let its forward"),
    ],
    ids=["no-rows", "three-axes", "complex"],
)
def test_outputs_that_are_no_logits_are_refused(module, message):
    with pytest.raises(ValueError, match=message):
        as_module(module)(torch.zeros(2, 4))


def test_logits_are_found_by_their_name():
    x = torch.rand(2, 4)
    assert torch.equal(as_module(Named())(x), x)


def test_logits_must_match_the_classes():
    view = DifferentiableModel(nn.Linear(4, 3), classes=["a", "b"], name="Net")
    with pytest.raises(ValueError, match="Net returns 3 logits per sample but has 2 classes"):
        view(torch.zeros(2, 4))


def test_the_first_of_several_outputs_holds_the_logits():
    x = torch.randn(2, 4)
    assert torch.equal(as_module(Pair())(x), x[:, :3])
