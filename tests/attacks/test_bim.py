"""BIM and MI-FGSM step by step."""

import torch

from sklearn_robust import _functional as F
from sklearn_robust.attacks import BIM, MIFGSM
from tests.attacks.models import curved, predicted, samples


def test_bim_takes_signed_steps_from_the_sample_itself():
    model, x = curved(), samples()
    y, x_adv = predicted(model, x), samples()
    for _ in range(4):
        leaf = x_adv.clone().requires_grad_(True)
        grad = F.input_gradient(F.cross_entropy(model(leaf), y), leaf)
        x_adv = x + (x_adv + 0.03 * grad.sign() - x).clamp(-0.1, 0.1)
    ours = BIM(eps=0.1, step_size=0.03, max_iter=4, bounds=None).perturb(model, x, y)
    torch.testing.assert_close(ours, x_adv, rtol=0, atol=1e-11)


def test_mifgsm_climbs_the_decaying_sum_of_normalised_gradients():
    model, x = curved(), samples()
    y, x_adv, memory = predicted(model, x), samples(), 0
    for _ in range(4):
        leaf = x_adv.clone().requires_grad_(True)
        grad = F.input_gradient(F.cross_entropy(model(leaf), y), leaf)
        memory = 0.7 * memory + grad / grad.abs().sum(1, keepdim=True)
        x_adv = x + (x_adv + 0.03 * memory.sign() - x).clamp(-0.1, 0.1)
    attack = MIFGSM(eps=0.1, step_size=0.03, decay=0.7, max_iter=4, bounds=None)
    torch.testing.assert_close(attack.perturb(model, x, y), x_adv, rtol=0, atol=1e-11)


def test_without_momentum_mifgsm_is_bim():
    model, x = curved(), samples()
    y = predicted(model, x)
    ours, plain = MIFGSM(eps=0.1, decay=0.0), BIM(eps=0.1)
    assert torch.equal(ours.perturb(model, x, y), plain.perturb(model, x, y))
