"""A process that fits a net again and again, and is killed in the midst of it.

Run as ``python killed.py FOLDER``. The fits that are to die run in forks; those that go on find
what the dead ones left in FOLDER and nothing else.
"""

import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sklearn_robust import MinMaxNet
from sklearn_robust.callbacks import WeightAveraging

EPOCHS, BATCHES = 5, 4
rng = np.random.default_rng(0)
X = rng.uniform(size=(4 * BATCHES, 1, 4, 4)).astype(np.float32)
Y = rng.integers(2, size=len(X))
COUNT = {"dies": None, "forwards": 0}


class Mortal(nn.Sequential):
    """A small net with normalisation and dropout that dies in a given training forward."""

    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2)
        )

    def forward(self, x):
        """Logits, or death."""
        if self.training:
            COUNT["forwards"] += 1
            if COUNT["forwards"] == COUNT["dies"]:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)


def train(checkpoint):
    """Fit, and return weights, losses and the number of training forwards."""
    COUNT["forwards"] = 0
    net = MinMaxNet(
        Mortal,
        attack__eps=0.1,
        attack__max_iter=2,
        attack__step_size=0.01,  # too short to forget the random start
        augment="crop-flip",
        lr_schedule="cosine",
        callbacks=[WeightAveraging(decay=0.5)],
        batch_size=4,
        max_epochs=EPOCHS,
        random_state=0,
        checkpoint=checkpoint,
    ).fit(X, Y)
    losses = [batch["train_loss"] for row in net.history for batch in row["batches"]]
    return {"weights": net.module_.state_dict(), "forwards": COUNT["forwards"], "losses": losses}


def train_and_die(checkpoint, dies=None, rename=None):
    """Fit in a fork that kills itself in a forward pass or before a rename."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    COUNT["dies"], replace, renames = dies, os.replace, iter(range(1, 99))

    def mortal_replace(*names):
        if next(renames) == rename:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*names)

    os.replace = mortal_replace
    train(checkpoint)
    os._exit(0)  # it lived


MOMENTS = {  # how a fit dies, and the epochs that its checkpoints hold by then
    "in the second epoch": ({"dies": BATCHES + 2}, 1),
    "in the fourth epoch": ({"dies": 3 * BATCHES + 3}, 3),
    "in the last batch": ({"dies": EPOCHS * BATCHES}, 4),
    "between two renames": ({"rename": 5}, 2),  # the third epoch is written half
}


def main(folder):
    """Raise unless every killed fit goes on to the end of one that was not."""
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    whole = train(None)
    assert whole["forwards"] == EPOCHS * BATCHES
    for name, (death, done) in MOMENTS.items():
        where = Path(folder) / name.replace(" ", "-")
        status = train_and_die(where, **death)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, name
        resumed = train(where)
        assert resumed["forwards"] == (EPOCHS - done) * BATCHES, (name, resumed["forwards"])
        assert resumed["losses"] == whole["losses"], name
        for key, value in whole["weights"].items():
            assert torch.equal(value, resumed["weights"][key]), (name, key)
    print("all went on")


if __name__ == "__main__":
    main(sys.argv[1])
