"""What several test files share: the tables of nets and attacks, tiny data, tiny modules."""

import inspect
import random
import re
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from sklearn_robust import attacks, nets


def classes_of(package):
    """The public classes of a package, in the order of their names."""
    return [c for c in (getattr(package, name) for name in package.__all__) if inspect.isclass(c)]


def default_attack(net):
    """The attack that a class of nets trains with unless told otherwise, or None."""
    attack = inspect.signature(net).parameters.get("attack")
    return None if attack is None else attack.default


NETS = [net for net in classes_of(nets) if net not in (nets.BaseNet, nets.AdversarialNet)]
BASES = (attacks.BaseAttack, attacks.GradientAttack)
# External is nothing without an attack of another library, and has a test file of its own.
ATTACKS = [
    c
    for c in classes_of(attacks)
    if issubclass(c, attacks.BaseAttack) and c not in (*BASES, attacks.External)
]
# Those that search around each batch while they train, by the attack that makes it certain.
CRAFTING = [net for net in NETS if default_attack(net) is not None]


def quick(net, **params):
    """A net that trains in an instant and is seeded."""
    return net(**{"max_epochs": 2, "batch_size": 16, "random_state": 0, **params})


def blobs(n_samples=48, shape=(4,), labels=(0, 1), seed=0):
    """Samples in [0, 1], float32, around one centre for each label; one label after the other."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels)
    codes = np.arange(n_samples) % len(labels)
    centres = rng.uniform(0.2, 0.8, (len(labels), *shape))
    X = centres[codes] + rng.uniform(-0.15, 0.15, (n_samples, *shape))
    return X.clip(0, 1).astype(np.float32), labels[codes]


class Pairs(Dataset):
    """A user's dataset of (sample, label) pairs."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


class Linear(nn.Linear):
    """Logits that are linear in four features."""

    def __init__(self, n_classes=2):
        super().__init__(4, n_classes)


class Normalised(nn.Sequential):
    """A module with all that an attack could disturb: BatchNorm, dropout, a frozen layer."""

    def __init__(self, n_classes=2):
        super().__init__(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, n_classes)
        )
        self[0].weight.requires_grad_(False)


class Odd(nn.Module):
    """A class whose instances cannot tell their constructor's arguments."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x):
        return self.layers(x)


def state_of(module):
    """All that must be as before: weights, statistics, gradients, flags."""
    return {
        "values": {name: value.clone() for name, value in module.state_dict().items()},
        "training": [part.training for part in module.modules()],
        "requires_grad": [p.requires_grad for p in module.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
    }


def same_state(module, before):
    """Assert that a module is bit for bit in the state ``before``."""
    now = state_of(module)
    assert now["values"].keys() == before["values"].keys()
    for name, value in now["values"].items():
        assert torch.equal(value, before["values"][name]), name
    assert now["training"] == before["training"]
    assert now["requires_grad"] == before["requires_grad"]
    for ours, theirs in zip(now["gradients"], before["gradients"], strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)


def same_weights(*fitted):
    """Whether fitted nets hold the same weights, bit for bit."""
    first, *others = [net.module_.state_dict() for net in fitted]
    return all(
        state.keys() == first.keys() and all(torch.equal(state[k], first[k]) for k in first)
        for state in others
    )


def named(value):
    """Id of a case: its text without an address in memory, the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


@contextmanager
def generators_untouched():
    """Assert that the global generators of Python, numpy and torch end where they began."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    assert random.getstate() == python
    after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(after, numpy, strict=True))
    assert torch.equal(torch.get_rng_state(), cpu)


def in_training(net, module, x, y, epoch=1, **params):
    """A net in the midst of an epoch, in the dtype of ``x``: its ``batch_loss`` can be asked."""
    net = net.from_module(module, classes=range(int(y.max()) + 1), **params)
    net.module_.to(x.dtype).train()
    for _ in range(epoch):
        net.history.new_epoch()
    net.history.new_batch()
    return net
