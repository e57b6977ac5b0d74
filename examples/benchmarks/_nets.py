"""The four nets that the attacks of the libraries are compared on, trained once and kept."""

import argparse
from pathlib import Path

import numpy as np

from sklearn_robust import MinMaxNet, NaturalNet, load_net
from sklearn_robust.datasets import fetch_cifar10, fetch_mnist, load_npz
from sklearn_robust.modules import CIFARConvNet, MNISTConvNet

__all__ = ["EPS", "Subject", "options", "subjects"]

EPS = {"MNIST": 0.3, "CIFAR-10": 8 / 255}
_SMALL = {"module": MNISTConvNet, "module__channels": (16, 32), "module__hidden": 256}
_NARROW = {"module__channels": (16, 16, 32, 32, 64)}
_RECIPES = {
    ("MNIST", "natural"): {**_SMALL, "max_epochs": 5},
    ("MNIST", "min-max"): {**_SMALL, "max_epochs": 5},
    ("MNIST", "one epoch"): {"module": MNISTConvNet, "max_epochs": 1},
    ("CIFAR-10", "natural"): {"module": CIFARConvNet, **_NARROW, "max_epochs": 5},
    ("CIFAR-10", "min-max"): {"module": CIFARConvNet, **_NARROW, "max_epochs": 5},
}
_N_TRAIN = {"one epoch": 20_000, "MNIST": 60_000, "CIFAR-10": 10_000}


def options(description):
    """Parser with what all comparisons ask for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--mnist", metavar="FILE.npz", help="downloaded if left out")
    parser.add_argument("--cifar10", metavar="FILE.npz", help="downloaded if left out")
    parser.add_argument(
        "--nets", default="report/benchmark-nets", help="folder of the nets, trained once"
    )
    return parser


class Subject:
    """A net, and the samples that it is attacked on."""

    def __init__(self, name, net, X, y, eps):
        self.name, self.net, self.X, self.y, self.eps = name, net, X, y, eps


def _data(name, file):
    if file is not None:
        return load_npz(file)
    return fetch_mnist() if name == "MNIST" else fetch_cifar10()


def _fitted(folder, name, way, data):
    """The net of that name: from the folder if it is there, else trained and put there."""
    path = Path(folder) / f"{name}-{way}.net".lower().replace(" ", "-")
    if path.exists():
        return load_net(path)
    factory = MinMaxNet if way == "min-max" else NaturalNet
    net = factory(**_RECIPES[name, way], random_state=0, verbose=1)
    if way == "min-max":
        net.set_params(attack__eps=EPS[name])
    n_train = _N_TRAIN.get(way, _N_TRAIN[name])
    rows = np.random.default_rng(0).permutation(len(data.X_train))[:n_train]
    net.fit(data.X_train[rows], data.y_train[rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    net.save(path)
    return net


def subjects(chosen, n_samples, ways=("natural", "min-max")):
    """Yield the nets of each data set in ``n_samples`` with that many test samples.

    Parameters
    ----------
    chosen : argparse.Namespace
        With ``mnist``, ``cifar10`` and ``nets``.
    n_samples : dict of str to int
        Number of test samples by the name of the data set.
    ways : tuple of {"natural", "min-max", "one epoch"}
        How the nets are trained; the one of one epoch is the papers' net, for timing.
    """
    files = {"MNIST": chosen.mnist, "CIFAR-10": chosen.cifar10}
    for name, n in n_samples.items():
        data = _data(name, files[name])
        for way in ways:
            net = _fitted(chosen.nets, name, way, data)
            X, y = data.X_test[:n].astype(np.float32), data.y_test[:n]
            yield Subject(f"{name} {way}", net, X, y, EPS[name])
