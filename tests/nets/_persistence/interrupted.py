"""Fits that are interrupted and go on, and what they leave in a folder."""

from pathlib import Path

import pytest
from sklearn.base import clone

from tests.cases import Linear, Normalised, generators_untouched

EPOCHS = 4


class Stopped(Exception):
    """Ends a fit as a power cut would, as far as its files are concerned."""


LEFT = []  # training forwards until Brittle stops, if it does


class Brittle(Normalised):
    """Stops in a given training forward."""

    def forward(self, x):
        if self.training and LEFT:
            LEFT[0] -= 1
            if LEFT[0] < 0:
                raise Stopped
        return super().forward(x)


def interrupt(net, *data, after):
    """Fit a net until its module has seen ``after`` batches."""
    LEFT.append(after)
    try:
        with pytest.raises(Stopped):
            net.fit(*data)
    finally:
        LEFT.clear()


def files_of(folder):
    """The checkpoints below a folder, newest first in each."""
    return sorted(Path(folder).rglob("*.pt"))


PARAMS = {"module": Brittle, "max_epochs": EPOCHS, "batch_size": 16}


def go_on(net, folder, *data):
    """A fit without a break, and one that was interrupted in its second half and went on."""
    LEFT.append(999)
    whole = clone(net).set_params(**PARAMS).fit(*data)
    batches = 999 - LEFT.pop()
    broken, again = (clone(net).set_params(**PARAMS, checkpoint=folder) for _ in range(2))
    interrupt(broken, *data, after=3 * batches // 4 - 1)
    assert len(files_of(folder)) == 2
    with generators_untouched():
        again.fit(*data)
    return whole, again


def epochs_trained(net, *data):
    """Epochs that a fit really trains."""
    SEEN.clear()
    net.fit(*data)
    return len(SEEN) / 3


SEEN = []  # an entry for each training batch of Order


class Order(Linear):
    """Counts its training batches."""

    def forward(self, x):
        SEEN.extend([True] * self.training)
        return super().forward(x)
