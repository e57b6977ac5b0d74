"""SpectralRegNet: its penalties against singular values by numpy, in float64."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn.functional import cross_entropy

from sklearn_robust import MinMaxNet, NaturalNet, SpectralRegNet, load_net
from sklearn_robust.attacks import FGSM
from tests.cases import Linear, blobs, in_training, quick, same_weights

X, Y = blobs(30, labels=(0, 1, 2))
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)

SIZES = {
    "orthogonality": lambda s: ((s**2 - 1) ** 2).sum(),
    "srip": lambda s: np.abs(s**2 - 1).max(),
    "spectral_norm": lambda s: max(0.0, s.max() - 0.3) ** 2,
}


def layered():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 4, 2, padding=1), nn.Tanh(),
        nn.Conv2d(4, 6, 2, groups=2), nn.Tanh(), nn.ConvTranspose2d(6, 2, 2), nn.Tanh(),
        nn.Flatten(), nn.Linear(18, 3),
    )  # fmt: skip


def matrices(module):
    """The weights as matrices, each group and each layer spelled out."""
    wide, grouped, transposed, dense = (
        part.weight.detach().numpy() for part in module if hasattr(part, "weight")
    )
    return [
        wide.reshape(4, -1), grouped[:3].reshape(3, -1), grouped[3:].reshape(3, -1),
        np.moveaxis(transposed, 1, 0).reshape(2, -1), dense,
    ]  # fmt: skip


@pytest.mark.parametrize("penalty", SIZES)
def test_the_penalty_is_that_of_the_singular_values(penalty):
    params = {"penalty": penalty, "lam": 0.7, "cap": 0.3, "power_iterations": 400}
    net = in_training(SpectralRegNet, layered(), x64, y64, random_state=0, **params)
    loss, _ = net.batch_loss(x64, y64)
    spectra = [np.linalg.svd(matrix, compute_uv=False) for matrix in matrices(net.module_)]
    wanted = 0.7 * sum(map(SIZES[penalty], spectra))
    clean = cross_entropy(net.module_(x64), y64)
    assert (loss - clean).item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("penalty", ["srip", "spectral_norm"])
def test_its_gradient_is_that_of_the_largest_singular_value(penalty):
    params = {"penalty": penalty, "lam": 1, "cap": 0.1, "power_iterations": 500}
    net = in_training(SpectralRegNet, Linear(3), x64, y64, random_state=0, **params)
    loss = net.batch_loss(x64, y64)[0] - cross_entropy(net.module_(x64), y64)
    values = torch.linalg.svdvals(net.module_.weight)
    wanted = (values[0] - 0.1) ** 2 if penalty == "spectral_norm" else (values**2 - 1).abs().max()
    found, exact = (torch.autograd.grad(v, net.module_.weight)[0] for v in (loss, wanted))
    torch.testing.assert_close(found, exact, rtol=1e-7, atol=1e-10)


def test_few_iterations_never_say_too_much():
    sizes = [
        in_training(
            SpectralRegNet, Linear(3), x64, y64, penalty="srip", lam=1,
            power_iterations=n, random_state=0,
        )
        for n in (1, 500)
    ]  # fmt: skip
    sizes[1].module_.load_state_dict(sizes[0].module_.state_dict())
    few, many = (net.batch_loss(x64, y64)[0].item() for net in sizes)
    assert few < many


def test_a_layer_below_the_cap_is_left_alone():
    small = Linear(3)
    nn.init.zeros_(small.weight)
    net = in_training(SpectralRegNet, small, x64, y64, penalty="spectral_norm", lam=1)
    loss, z = net.batch_loss(x64, y64)
    assert loss == cross_entropy(z, y64)
    loss.backward()
    assert small.weight.isfinite().all() and net.module_.weight.grad.isfinite().all()


def test_without_strength_training_is_natural_or_min_max_bit_for_bit():
    params = {"module": Linear, "module__n_classes": 3}
    assert same_weights(
        quick(NaturalNet, **params).fit(X, Y), quick(SpectralRegNet, lam=0, **params).fit(X, Y)
    )
    params |= {"attack": FGSM, "attack__eps": 0.1}
    assert same_weights(
        quick(MinMaxNet, **params).fit(X, Y), quick(SpectralRegNet, lam=0, **params).fit(X, Y)
    )


def test_training_brings_singular_values_to_one_and_a_search_varies_the_strength(tmp_path):
    net = quick(SpectralRegNet, lam=1.0, lr=0.05, max_epochs=30, module__hidden=(6,)).fit(X, Y)
    first = next(net.module_.parameters()).detach()
    np.testing.assert_allclose(torch.linalg.svdvals(first), 1, atol=0.1)
    net.save(tmp_path / "net.net")
    assert load_net(tmp_path / "net.net").penalty == "orthogonality"
    search = GridSearchCV(quick(SpectralRegNet), {"lam": [0.0, 0.1]}, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_module_without_weights_is_refused():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x[:, :3] * self.scale

    with pytest.raises(ValueError, match="module has none that train: give another module, or"):
        quick(SpectralRegNet, module=Bare).fit(X, Y)
