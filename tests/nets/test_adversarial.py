"""The random start of nets that train on crafted samples."""

import torch

from sklearn_robust import MinMaxNet
from sklearn_robust.nets._engine.fit_state import FitState
from tests.cases import blobs, quick, same_weights

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
