"""Points found on a quicker copy are those of the module."""

import pytest
import torch

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.attacks import PGD
from tests.cases import blobs, in_training, quick, same_state, state_of


class Pictures(torch.nn.Sequential):
    """Convolutions, batch normalisation and dropout, for pictures of two channels."""

    def __init__(self):
        super().__init__(
            torch.nn.Conv2d(2, 5, 3),
            torch.nn.BatchNorm2d(5),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Flatten(),
            torch.nn.Linear(5 * 16, 2),
        )


class Uncopyable(Pictures):
    """Cannot be copy_module, like modules whose tensors have a history."""

    def __deepcopy__(self, memo):
        raise RuntimeError("Only Tensors created explicitly by the user support deepcopy")


PICTURES, LABELS = blobs(20, shape=(2, 6, 6))


@pytest.fixture(scope="module")
def pictures():
    """A trained module whose batch statistics are not those it began with."""
    return quick(NaturalNet, module=Pictures, max_epochs=5, lr=0.01).fit(PICTURES, LABELS).module_


@pytest.mark.parametrize("max_iter", [2, 5])
def test_points_found_on_a_quicker_copy_are_those_of_the_module(pictures, max_iter):
    x, y = torch.tensor(PICTURES).double(), torch.tensor(LABELS)
    settings = {"eps": 0.1, "max_iter": max_iter, "random_state": 0}
    params = {f"attack__{name}": value for name, value in settings.items()}
    net = in_training(MinMaxNet, pictures, x, y, **params)
    before = state_of(net.module_)
    wanted = PGD(**settings).perturb(net.module_, x, y)
    torch.testing.assert_close(net.perturb(x, y), wanted, rtol=0, atol=1e-12)
    same_state(net.module_, before)


def test_a_module_that_cannot_be_copied_is_attacked_itself():
    torch.manual_seed(0)
    plain = quick(MinMaxNet, module=Pictures).fit(PICTURES, LABELS)
    other = quick(MinMaxNet, module=Uncopyable).fit(PICTURES, LABELS)
    for ours, theirs in zip(plain.module_.parameters(), other.module_.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_subclass_that_computes_logits_otherwise_is_attacked_as_it_computes():
    class Doubled(MinMaxNet):
        calls = 0

        def compute_logits(self, x, **options):
            Doubled.calls += 1
            return 2 * super().compute_logits(x, **options)

    net = quick(Doubled, module=Pictures, max_epochs=1, batch_size=-1).fit(PICTURES, LABELS)
    assert net.calls >= 10 + 1
