"""Old names of methods work and warn."""

import pytest
import torch

from sklearn_robust import GAIRATNet, MinMaxNet, NaturalNet
from sklearn_robust.nets import AdversarialNet
from tests.cases import NETS, Linear, blobs, quick, same_weights
from tests.nets.small import SMALL

X, Y = blobs()


def test_the_old_name_of_perturb_works_and_warns():
    net, x, y = quick(MinMaxNet, **SMALL).fit(X, Y), torch.tensor(X), torch.tensor(Y)
    with pytest.warns(FutureWarning, match=r"craft is now perturb, .*: type net.perturb\(x, y\)"):
        old = net.craft(x, y)
    assert torch.equal(old, net.perturb(x, y))
    with pytest.warns(FutureWarning, match="crafting_once is now replay_batch"):
        with net.crafting_once() as cache:
            first = net.perturb(x, y)
            cache.rewind()
            assert net.perturb(x, y) is first


GIVEN = {"ClusterRegNet": {"superclasses": [0, 1]}, "GAIRATNet": {"burn_in": 0}}


@pytest.mark.parametrize("net", [net for net in NETS if issubclass(net, AdversarialNet)])
def test_an_override_by_the_old_name_is_honoured(net):
    seen = []
    with pytest.warns(FutureWarning, match="Old overrides craft, which is now perturb"):

        class Old(net):
            def craft(self, x, y, **kwargs):
                with pytest.warns(FutureWarning, match="craft is now perturb"):
                    x_adv = super().craft(x, y, **kwargs)
                seen.append(len(x))
                return x_adv

    params = {"module": Linear, "max_epochs": 1, **GIVEN.get(net.__name__, {})}
    fitted = quick(Old, **params).fit(X, Y)
    parameter = "adversarial" if net.attack_parameter == "adversarial" else "attack"
    searches = fitted.get_params()[parameter] is not None and net.__name__ not in (
        "FreeATNet",
        "CertifiedNet",
    )
    assert seen == ([16] * 3 if searches else [])
    assert same_weights(fitted, quick(net, **params).fit(X, Y))


@pytest.mark.parametrize("base", ["at", "fat"])
def test_gairat_trains_on_what_an_override_of_perturb_gives(base):
    class Clean(GAIRATNet):
        def perturb(self, x, y, *, observe=None):
            super().perturb(x, y, observe=observe)
            return x

    params = {**SMALL, "base": base, "burn_in": 2}
    with pytest.warns(UserWarning, match="no sample is ever weighted"):
        net = quick(Clean, **params).fit(X, Y)
    assert same_weights(net, quick(NaturalNet, module=Linear).fit(X, Y))
    assert sum(net.history[-1]["kappa_counts"]) == len(X)
