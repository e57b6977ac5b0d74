"""The random start of nets that train on crafted samples."""

import copy

import pytest
import torch

from sklearn_robust import MinMaxNet
from sklearn_robust.attacks import BIM
from sklearn_robust.nets._engine.fit_state import FitState
from tests.cases import blobs, in_training, quick, same_weights

X, Y = blobs()


def test_the_random_start_is_drawn_from_the_nets_own_seed():
    """A seed of the attack has no say in training, which must not repeat its draws."""
    nets = [quick(MinMaxNet, attack__random_state=seed).fit(X, Y) for seed in (0, 1)]
    assert same_weights(*nets)
    net, seen = quick(MinMaxNet, max_epochs=1, attack__eps=0.2, attack__max_iter=1), []

    def draw(step, rows, z, x_adv):
        seen.append(x_adv.clone())

    net.fit(X, Y)
    net._fit_state = FitState.begin(0, net.device_)
    net.begin_training(0)
    x, y = torch.tensor(X), torch.tensor(Y)
    for _ in range(2):
        net.perturb(x, y, observe=draw)
    assert not torch.equal(*seen)


@pytest.mark.parametrize("attack_mode", ["eval", "train"])
def test_batches_are_attacked_in_the_mode_that_is_named(attack_mode):
    """In "train" BatchNorm uses the batch's own statistics; its running ones move in neither."""
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 2)
    module = torch.nn.Sequential(*layers).double()
    x, y = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)
    params = {"attack_mode": attack_mode, "attack__eps": 0.2, "attack__bounds": None}
    net = in_training(MinMaxNet, module, x, y, attack=BIM, attack__max_iter=4, **params)
    net._fit_state = FitState.begin(0, net.device_)
    net.module_.train()
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    found = net.perturb(x, y)
    assert all(part.training for part in net.module_.modules())
    assert all(torch.equal(before[k], v) for k, v in net.module_.state_dict().items())
    twin = copy.deepcopy(net.module_).train(attack_mode == "train")
    wanted = BIM(eps=0.2, max_iter=4, bounds=None).perturb(lambda x: twin(x), x, y)
    torch.testing.assert_close(found, wanted)
    with pytest.raises(ValueError, match="attack_mode is 'both'; choose one of"):
        quick(MinMaxNet, attack_mode="both").fit(X, Y)
