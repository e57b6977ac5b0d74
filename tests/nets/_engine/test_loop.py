"""The loop of a fit: where training breaks off, and what it keeps."""

import numpy as np
import pytest
import torch

from sklearn_robust import NaturalNet
from sklearn_robust.exceptions import TrainingDivergedError
from tests.cases import Linear, blobs, quick, same_weights


class Fragile(Linear):
    """Returns NaN from the ``breaks``-th training forward on."""

    def __init__(self, breaks=5):
        super().__init__(2)
        self.left = breaks

    def forward(self, x):
        self.left -= self.training
        return super().forward(x) * (torch.nan if self.training and self.left < 0 else 1)


@pytest.mark.parametrize(
    ("breaks", "epoch", "kept"),
    [(0, 1, "the initial weights"), (4, 2, "the weights after epoch 1"), (10, 4, "after epoch 3")],
)
def test_a_loss_that_is_no_number_ends_training_with_the_last_good_weights(breaks, epoch, kept):
    X, y = blobs()  # three batches an epoch
    net = quick(NaturalNet, module=Fragile, module__breaks=breaks, max_epochs=9)
    match = f"the loss of NaturalNet became nan in epoch {epoch}; .*{kept} are kept. Lower lr"
    with pytest.raises(TrainingDivergedError, match=match):
        net.fit(X, y)
    assert np.isfinite(net.predict_proba(X)).all()
    if epoch > 1:
        short = quick(NaturalNet, module=Fragile, module__breaks=99, max_epochs=epoch - 1)
        assert same_weights(net, short.fit(X, y))
    net.set_params(module__breaks=99).fit(X, y)
    assert net.n_iter_ == 9


class Exploding(torch.optim.SGD):
    """Ruins the weights in its third step."""

    def step(self, closure=None):
        self.steps = getattr(self, "steps", 0) + 1
        super().step(closure)
        if self.steps == 3:
            self.param_groups[0]["params"][0].data.fill_(torch.nan)


@pytest.mark.parametrize("max_epochs", [3, 5])
def test_weights_that_are_no_numbers_are_noticed_in_the_last_epoch_too(max_epochs):
    X, y = blobs()
    net = quick(NaturalNet, module=Linear, optimizer=Exploding, batch_size=-1)
    match = "weights of NaturalNet became infinite or NaN in epoch 3; the weights after epoch 2"
    with pytest.raises(TrainingDivergedError, match=match):
        net.set_params(max_epochs=max_epochs).fit(X, y)
    assert np.isfinite(net.predict_proba(X)).all()


def test_an_infinite_buffer_is_the_modules_own_business():
    class Masked(Linear):
        def __init__(self):
            super().__init__(2)
            self.register_buffer("mask", torch.tensor([-torch.inf, 0]))

    X, y = blobs()
    quick(NaturalNet, module=Masked).fit(X, y)


class Interrupting(Linear):
    """Is interrupted by the keyboard in the sixth training forward."""

    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + self.training
        if self.training and self.calls == 6:
            raise KeyboardInterrupt
        return super().forward(x)


@pytest.mark.parametrize("verbose", [0, 1])
def test_an_interrupt_keeps_what_was_trained(verbose):
    X, y = blobs()
    net = quick(NaturalNet, module=Interrupting, max_epochs=9, verbose=verbose).fit(X, y)
    assert len(net.history) == 2 and not net.module_.training
    assert net.predict(X).shape == y.shape


def test_after_a_divergence_training_can_go_on():
    X, y = blobs()
    net = quick(NaturalNet, module=Fragile, module__breaks=4, max_epochs=9)
    with pytest.raises(TrainingDivergedError):
        net.fit(X, y)
    assert net.n_iter_ == 1
    net.module_.left = 99
    assert np.isfinite(net.partial_fit(X, y).history[:, "train_loss"]).all()
    assert net.n_iter_ == 10
