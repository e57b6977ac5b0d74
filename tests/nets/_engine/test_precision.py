"""Mixed precision: steps in bfloat16, all else in float32."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import CURENet, JacobianRegNet, LLRNet, MinMaxNet, NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.nets._engine import precision as _precision
from tests.cases import NETS, Linear, Normalised, blobs, quick, same_weights

X, Y = blobs()


def test_on_a_cpu_mixed_precision_does_nothing_and_says_so():
    plain = quick(MinMaxNet, module=Normalised, device="cpu").fit(X, Y)
    mixed = quick(MinMaxNet, module=Normalised, device="cpu", amp=True)
    with pytest.warns(UserWarning, match="amp=True acts on a GPU alone: this fit runs on cpu, in"):
        mixed.fit(X, Y)
    assert same_weights(plain, mixed)


@pytest.mark.parametrize("value", [None, 1, "bf16"], ids=repr)
def test_amp_is_yes_or_no(value):
    with pytest.raises(ValueError, match="amp is .*; give True or False"):
        quick(NaturalNet, amp=value).fit(X, Y)


class Typed(nn.Module):
    """Writes down in what precision its layer computes, and its copies' layers."""

    seen = []

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        assert x.dtype == torch.float32
        z = self.layer(x)
        Typed.seen.append((self.training, z.dtype))
        return z


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """A device whose steps may run in mixed precision: the CPU, if we pretend that it pays."""
    if request.param == "real":
        return "cuda"
    monkeypatch.setattr(_precision, "_pays", lambda device: True)
    return "cpu"


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_on_a_gpu_steps_run_in_bfloat16_and_all_else_in_float32(net, gpu):
    Typed.seen.clear()
    fitted = quick(net, module=Typed, amp=True, device=gpu).fit(X, Y)
    half = {dtype for training, dtype in Typed.seen if training}
    twice = net in (JacobianRegNet, CURENet, LLRNet)
    wanted = torch.float32 if twice else torch.bfloat16
    assert half == {wanted}  # what is differentiated twice stays exact
    Typed.seen.clear()
    assert fitted.decision_function(X).dtype == np.float32
    assert {dtype for _, dtype in Typed.seen} == {torch.float32}
    assert all(p.dtype == torch.float32 for p in fitted.module_.parameters())


def test_perturbations_of_mixed_precision_stay_in_the_ball_in_float32(gpu):
    seen = []

    class Watched(MinMaxNet):
        def perturb(self, x, y, **kwargs):
            x_adv = super().perturb(x, y, **kwargs)
            seen.append((x_adv.dtype, float((x_adv - x).abs().max())))
            return x_adv

    params = {"attack": PGD(eps=0.01, max_iter=3), "eps_warm_up": 0, "amp": True}
    quick(Watched, module=Linear, device=gpu, **params).fit(X, Y)
    assert {dtype for dtype, _ in seen} == {torch.float32}
    assert all(0 < reach <= 0.01 + 1e-7 for _, reach in seen)
