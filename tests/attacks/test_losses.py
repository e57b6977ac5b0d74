"""Losses that attacks climb."""

import pytest
import torch

from sklearn_robust import _functional as F
from sklearn_robust.attacks import APGD, PGD
from sklearn_robust.attacks._losses import make_objective
from tests.attacks.models import curved, linear, predicted, samples
from tests.cases import named

LOSSES = ["cross_entropy", "margin", "scaled_cross_entropy", "dlr", "targeted_dlr", "kl"]


def falling_logit(z, y):
    """A loss of the user: the logit of the true class has to fall."""
    return -z.gather(1, y[:, None])[:, 0]


@pytest.mark.parametrize("loss", [*LOSSES, falling_logit], ids=named)
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_an_attack_climbs_its_loss(loss, targeted, n_classes):
    """Whatever it is, of the labels or of the targets."""
    if targeted and loss == "kl":
        pytest.skip("it has no target")
    model, x = curved(n_classes, width=32), samples(40)
    y = (predicted(model, x) + targeted) % n_classes
    params = {"loss": loss, "targeted": targeted, "max_iter": 20, "bounds": None}
    x_adv = PGD(eps=0.3, random_state=0, **params).perturb(model, x, y)
    # The scaled loss has a scale that its gradient takes for constant: it climbs the plain one.
    climbed = "cross_entropy" if loss == "scaled_cross_entropy" else loss
    objective = make_objective(climbed, targeted, y, lambda: model(x))
    before, after = (objective(model(v), torch.arange(40)) for v in (x, x_adv))
    assert (after > before).double().mean() > 0.9


@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "scaled_cross_entropy"])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_a_targeted_attack_moves_toward_its_target(loss, n_classes):
    model, x = curved(n_classes, width=32), samples(40)
    target = (predicted(model, x) + 1) % n_classes
    attack = PGD(eps=0.8, loss=loss, targeted=True, max_iter=20, bounds=None, random_state=0)
    x_adv = attack.perturb(model, x, target)
    assert (F.margin(model(x_adv), target) > F.margin(model(x), target)).all()
    withstood = attack.robust_mask(model, x, target)
    result = attack.evaluate(model, x.float().numpy(), target.numpy())
    assert not withstood.all()
    hit = predicted(model, torch.as_tensor(result.X_adv).double()) == target
    assert torch.equal(torch.as_tensor(result.fooled), hit)


def test_gradient_attacks_climb_a_loss_that_saturates_when_it_is_scaled():
    """Logits of a thousand blank the cross-entropy, not the losses that scale them."""
    quiet = linear(3)
    loud = linear(3, scale=1e4)
    x = samples(40)
    y = predicted(loud, x)
    assert torch.equal(y, predicted(quiet, x))
    count = {
        loss: int(
            (~PGD(eps=0.2, loss=loss, max_iter=20, random_state=0).robust_mask(loud, x, y)).sum()
        )
        for loss in ("cross_entropy", "scaled_cross_entropy", "dlr")
    }
    assert count["scaled_cross_entropy"] > 0
    assert count["dlr"] == count["scaled_cross_entropy"] >= count["cross_entropy"]


@pytest.mark.parametrize("attack", [PGD(), APGD(max_iter=3)], ids=["PGD", "APGD"])
def test_a_loss_gives_one_value_a_sample(attack):
    model, x = linear(shape=(4,)), samples(shape=(4,))
    attack.set_params(loss=torch.nn.functional.cross_entropy)
    with pytest.raises(ValueError, match=r"loss=cross_entropy returns shape \(\) .*'none'"):
        attack.perturb(model, x, predicted(model, x))
