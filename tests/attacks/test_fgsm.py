"""FGSM against closed forms."""

import pytest
import torch

from sklearn_robust import _functional as F
from sklearn_robust.attacks import FGSM
from tests.attacks.models import NORMS, curved, predicted, samples

EPS = {"linf": 0.1, "l2": 0.3, "l1": 0.5}


@pytest.mark.parametrize("shape", [(6,), (1, 4, 4)], ids=repr)
@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_one_step_along_the_steepest_direction(norm, shape):
    model, x = curved(shape=shape), samples(shape=shape)
    y = predicted(model, x)
    leaf = x.clone().requires_grad_(True)
    grad = F.input_gradient(F.cross_entropy(model(leaf), y), leaf)
    step = {
        "linf": grad.sign(),
        "l2": grad
        / torch.linalg.vector_norm(grad.flatten(1), dim=1).reshape(-1, *[1] * len(shape)),
        "l1": torch.zeros_like(grad)
        .flatten(1)
        .scatter(1, grad.flatten(1).abs().argmax(1, keepdim=True), 1.0)
        .reshape(grad.shape)
        * grad.sign(),
    }[norm]
    x_adv = FGSM(eps=EPS[norm], norm=norm, bounds=None).perturb(model, x, y)
    torch.testing.assert_close(x_adv, x + EPS[norm] * step, rtol=0, atol=1e-11)


def test_fgsm_in_float32_is_x_plus_eps_times_the_sign():
    """To the last bit, but for a rounding that would leave the ball."""
    model, x = curved().float(), samples().float()
    y = predicted(model, x)
    leaf = x.clone().requires_grad_(True)
    sign = F.input_gradient(F.cross_entropy(model(leaf), y), leaf).sign()
    wanted = x + torch.tensor(0.1) * sign
    x_adv = FGSM(eps=0.1, bounds=None).perturb(model, x, y)
    same = x_adv == wanted
    assert same.float().mean() > 0.3
    assert torch.equal(torch.where(same, x_adv, torch.nextafter(wanted, x)), x_adv)
