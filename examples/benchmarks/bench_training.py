"""Cost of training and predicting, relative to the same work by hand in torch.

Run with ``python examples/benchmarks/bench_training.py``. The data are random and have the papers'
shapes. The script uses one torch thread and prints medians of process time over interleaved rounds.
"""

import warnings

import numpy as np
import torch
from _timing import print_table, ratios
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_robust import (
    AdvTrainNet,
    FastATNet,
    FATNet,
    FreeATNet,
    GAIRATNet,
    JacobianRegNet,
    MARTNet,
    MinMaxNet,
    NaturalNet,
    TRADESNet,
)
from sklearn_robust.modules import MLP, CIFARConvNet, MNISTConvNet

MODELS = {
    "MLP 64-64-64-10": (MLP, (64,), {"hidden": (64, 64)}, 6400),
    "MNIST net": (MNISTConvNet, (1, 28, 28), {}, 320),
    "CIFAR net": (CIFARConvNet, (3, 32, 32), {}, 192),
}
BATCH = 64
LIMITS = {
    "MinMaxNet (PGD-10)": 7.5,
    "FATNet (PGD-10, tau = 0)": 6,
    "TRADESNet (PGD-10)": 9,
    "FastATNet, rs": 2,
    "FastATNet, n": 2,
    "FreeATNet, an update": 1.1,
    "JacobianRegNet, finite difference": 3,
}


def data(shape, n_samples):
    """Random samples in [0, 1] and labels of ten classes."""
    rng = np.random.default_rng(0)
    X = rng.random((n_samples, *shape), dtype=np.float32)
    return X, np.arange(n_samples) % 10


def half_learnable(shape, n_samples):
    """Samples of which one half become robust in training, and the other half are never fitted.

    The labels of one half follow from the picture, those of the other are drawn. So an attack
    that stops at an error takes about half of its steps, as on the papers' trained nets.
    """
    X, y = data(shape, n_samples)
    rng = np.random.default_rng(1)
    pictures = rng.random((10, *shape), dtype=np.float32)
    even = np.arange(n_samples) // 10 % 2 == 0
    X[even] = 0.2 * X[even] + 0.8 * pictures[y[even]]
    y[~even] = rng.permutation(y[~even])
    return X, y


def steps_taken(net, X, y):
    """Forward passes of the attack of a net for each sample, on average."""
    x, codes = torch.from_numpy(X), torch.from_numpy(y)
    taken = 0

    def count(step, rows, z, x_adv):
        nonlocal taken
        taken += len(rows)

    net.perturb(x, codes, observe=count)
    return taken / len(X)


def by_hand(factory, shape, options, X, y):
    """One epoch of Adam as one would write it in torch."""
    torch.manual_seed(0)
    module = factory(shape, 10, **options).train()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def epoch():
        total = 0.0
        for rows in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            loss = criterion(module(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item()

    return epoch


def through_fit(net, X, y):
    """One more epoch through ``partial_fit``."""
    net.set_params(max_epochs=1).fit(X, y)
    return lambda: net.partial_fit(X, y)


def skorch_net(factory, shape, options):
    """skorch's own classifier with its own loader."""
    torch.manual_seed(0)
    return NeuralNetClassifier(
        factory(shape, 10, **options),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=BATCH,
        max_epochs=1,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )


def bare_predict(module, X, size=256):
    """Batched forward passes and an argmax."""
    X = torch.from_numpy(X)
    module.eval()

    def predict():
        with torch.inference_mode():
            torch.cat([module(X[i : i + size]) for i in range(0, len(X), size)]).argmax(1)

    return predict


def fit_costs():
    """fit against a loop by hand; predict against bare forward passes."""
    limits = {"MLP 64-64-64-10": 1.4, "MNIST net": 1.05, "CIFAR net": 1.05}
    for name, (factory, shape, options, n_samples) in MODELS.items():
        X, y = data(shape, n_samples)
        net = NaturalNet(factory, random_state=0, **{f"module__{k}": v for k, v in options.items()})
        ways = {
            "loop by hand": by_hand(factory, shape, options, X, y),
            "NaturalNet.partial_fit": through_fit(net, X, y),
            "skorch, default loader": through_fit(skorch_net(factory, shape, options), X, y),
        }
        rows = ratios(ways, n_rounds=9)
        print_table(f"one epoch, {name}", rows, {"NaturalNet.partial_fit": limits[name]})
        X, _ = data(shape, 2000 if len(shape) == 1 else 1000)
        other = skorch_net(factory, shape, options).fit(X[:BATCH], y[:BATCH])
        ways = {
            "bare batched forward": bare_predict(net.module_, X),
            "NaturalNet.predict": lambda net=net, X=X: net.predict(X),
            "skorch predict": lambda other=other, X=X: other.predict(X),
        }
        rows = ratios(ways, n_rounds=9)
        print_table(f"predict {len(X)} rows, {name}", rows, {"NaturalNet.predict": 1.5})


def objective_costs():
    """Every objective against natural training."""
    nets = {
        "NaturalNet": NaturalNet(),
        "AdvTrainNet (FGSM)": AdvTrainNet(),
        "JacobianRegNet": JacobianRegNet(),
        "JacobianRegNet, half of each batch": JacobianRegNet(penalty_fraction=0.5),
        "JacobianRegNet, bfloat16 penalty": JacobianRegNet(penalty_dtype="bfloat16"),
        "MinMaxNet (PGD-10)": MinMaxNet(),
        "GAIRATNet (PGD-10)": GAIRATNet(burn_in=0),
        "FATNet (PGD-10, tau = 0)": FATNet(),
        "TRADESNet (PGD-10)": TRADESNet(),
        "MARTNet (PGD-10)": MARTNet(),
        "FastATNet, rs": FastATNet(),
        "FastATNet, n": FastATNet(variant="n"),
        "FreeATNet, an update": FreeATNet(m=1),
        "JacobianRegNet, random projection": JacobianRegNet(variant="random_projection"),
        "JacobianRegNet, finite difference": JacobianRegNet(variant="finite_difference"),
    }
    limits = {
        "MNIST net": {
            "JacobianRegNet": 2.5,
            "JacobianRegNet, half of each batch": 2.1,
            **LIMITS,
        },
        "CIFAR net": {"JacobianRegNet": 3.2, **LIMITS},
    }
    for name in ("MNIST net", "CIFAR net"):
        factory, shape, _, n_samples = MODELS[name]
        X, y = half_learnable(shape, n_samples)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "variant='finite_difference'")
            ways = {
                label: through_fit(net.set_params(module=factory, random_state=0), X, y)
                for label, net in nets.items()
            }
            rows = ratios(ways, n_rounds=5)
        print_table(f"one epoch, {name}", rows, limits[name])
        friendly = steps_taken(nets["FATNet (PGD-10, tau = 0)"], X, y)
        print(f"  FATNet's attack took {friendly:.1f} of 10 steps in the end")


if __name__ == "__main__":
    torch.set_num_threads(1)
    fit_costs()
    objective_costs()
