"""Free adversarial training, against a loop written by hand."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import FreeATNet, NaturalNet
from sklearn_robust.attacks import FGSM
from tests.cases import Linear, Normalised, Pairs, blobs, quick, same_weights

X, Y = blobs()


def by_hand(m, eps, sizes, box=(0.0, 1.0), epochs=2):
    """Free training of a linear model with plain gradient descent, as the paper's algorithm 1."""
    torch.manual_seed(0)
    module = Linear()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    x, y = torch.tensor(X), torch.tensor(Y)
    delta = torch.zeros(max(sizes), 4)
    for _ in range(epochs):
        start = 0
        for size in sizes:
            rows = slice(start, start + size)
            start += size
            for _ in range(m):
                here = (x[rows] + delta[:size]).clamp(*box).requires_grad_(True)
                optimizer.zero_grad()
                cross_entropy(module(here), y[rows]).backward()
                optimizer.step()
                moved = here.detach() - x[rows] + eps * here.grad.sign()
                delta[:size] = (x[rows] + moved.clamp(-eps, eps)).clamp(*box) - x[rows]
    return module


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(16, [16, 16, 16]), (47, [48]), (20, [20, 20, 8])]
)
@pytest.mark.parametrize("m", [1, 3])
def test_free_training_is_the_loop_written_by_hand(m, batch_size, sizes):
    params = {"module": Linear, "m": m, "attack__eps": 0.3, "batch_size": batch_size, "lr": 0.1}
    plain = {"optimizer": torch.optim.SGD, "iterator_train__shuffle": False, "eps_warm_up": 0}
    net = quick(FreeATNet, **params, **plain).fit(X, Y)
    wanted = by_hand(m, 0.3, sizes).state_dict()
    for name, value in net.module_.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_one_replay_with_radius_zero_is_natural_bit_for_bit(as_pairs):
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    natural = quick(NaturalNet, module=Normalised).fit(*data)
    net = quick(FreeATNet, module=Normalised, m=1, attack__eps=0).fit(*data)
    assert same_weights(natural, net)
    assert net.history[:, "train_loss"] == natural.history[:, "train_loss"]
    assert not same_weights(natural, quick(FreeATNet, module=Normalised, m=1).fit(*data))


def test_each_replay_is_an_update_and_the_perturbation_persists_and_stays_in_ball_and_box():
    seen = []

    class Watched(FreeATNet):
        def batch_loss(self, x, y):
            before = self.fit_state.kept.get("delta", torch.zeros_like(x))
            seen.append((x, before.clone()))
            return super().batch_loss(x, y)

    net = quick(Watched, max_epochs=1, m=3, attack__eps=0.4, eps_warm_up=0).fit(X, Y)
    assert len(seen) == 3 * 3 and len(net.history[-1]["batches"]) == 3
    assert not seen[0][1].any() and all(delta.any() for _, delta in seen[1:])
    for (x, _), (_, delta) in zip(seen, seen[1:], strict=False):
        assert delta.abs().max() <= 0.4 + 1e-6
        assert (x + delta).min() >= -1e-6 and (x + delta).max() <= 1 + 1e-6
    assert net._fit_state is None


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_free_training_moves_in_the_ball_of_any_norm(norm):
    net = quick(FreeATNet, module=Linear, attack__eps=0.5, attack__norm=norm).fit(X, Y)
    assert np.isfinite(net.predict_proba(X)).all()


def test_craft_is_the_attack_itself():
    net = quick(FreeATNet, attack__eps=0.2).fit(X, Y)
    x, y = torch.tensor(X), torch.tensor(Y)
    wanted = FGSM(eps=0.2, bounds=(0, 1)).perturb(net.module_, x, y)
    assert torch.equal(net.perturb(x, y), wanted)
