"""The data of a comparison: what to train on, what to attack, how strongly."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from .. import datasets
from .._validation import check_samples
from ._errors import BadInput, blame_input

__all__ = ["DATASETS", "Data", "load_data", "load_for"]

_GREY = (0.1, 0.2, 0.3)
_SHADES = (3 / 255, 6 / 255, 9 / 255)
_OBJECTS = "airplane automobile bird cat deer dog frog horse ship truck".split()


@dataclass(frozen=True)
class Data:
    """Training and test part of one data set.

    Attributes
    ----------
    title : str
        The data in a few words.
    X_train, X_test : arrays of shape (n, ...), float32
        Samples.
    y_train, y_test : arrays of shape (n,)
        Labels.
    eps : tuple of float or None
        Strengths usual for these data, if there are such.
    class_names : dict
        Words for labels, where labels are numbers that stand for words.
    """

    title: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    eps: tuple | None
    class_names: dict

    @property
    def bounds(self):
        """Box of all samples: (0, 1) if they lie inside it, else None."""
        inside = all(X.min() >= 0 and X.max() <= 1 for X in (self.X_train, self.X_test))
        return (0.0, 1.0) if inside else None

    @property
    def kind(self):
        """How a sample can be shown: "image", "plane" (two features) or "row"."""
        shape = self.X_test.shape[1:]
        if len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3)):
            return "image"
        return "plane" if shape == (2,) else "row"

    def name_of(self, label):
        """Word for a label."""
        return str(self.class_names.get(label, label))


def _split(title, X, y, seed, eps):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=seed
    )
    return Data(title, X_train, y_train, X_test, y_test, eps, {})


def _digits(seed, data_home):
    X, y = datasets.load_digits_images()
    return _split("handwritten digits (scikit-learn, 8 × 8)", X, y, seed, (0.05, 0.1, 0.2))


def _moons(seed, data_home):
    X, y = datasets.load_moons(2000, random_state=seed)
    return _split("two half moons (2 features)", X, y, seed, (0.02, 0.05, 0.1))


def _mnist(seed, data_home):
    return Data("MNIST", **datasets.fetch_mnist(data_home=data_home), eps=_GREY, class_names={})


def _cifar10(seed, data_home):
    bunch = datasets.fetch_cifar10(data_home=data_home)
    return Data("CIFAR-10", **bunch, eps=_SHADES, class_names=dict(enumerate(_OBJECTS)))


DATASETS = {"digits": _digits, "moons": _moons, "mnist": _mnist, "cifar10": _cifar10}


def _file(path):
    data = Data(Path(path).name, **datasets.load_npz(path), eps=None, class_names={})
    if data.bounds and data.kind == "image":
        colour = data.X_test.ndim == 4 and data.X_test.shape[1] == 3
        data = replace(data, eps=_SHADES if colour else _GREY)
    return data


def _part(X, y, n, seed):
    """Draw ``n`` of the samples, the classes in their proportions if each has a sample."""
    if n is None or n >= len(X):
        return X, y
    n_classes, least = len(np.unique(y)), np.unique(y, return_counts=True)[1].min()
    stratify = y if n >= n_classes and len(X) - n >= n_classes and least > 1 else None
    rows, _ = train_test_split(
        np.arange(len(X)), train_size=n, stratify=stratify, random_state=seed
    )
    return X[rows], y[rows]


def load_data(name, *, seed=0, data_home=None, train_samples=None, samples=None):
    """Load a data set by name, or a ``.npz`` file.

    Parameters
    ----------
    name : str
        "digits", "moons", "mnist", "cifar10" or the path of a ``.npz`` file.
    seed : int, default=0
        Seed of the split and of the choice of samples.
    data_home : str, default=None
        Folder of downloads.
    train_samples, samples : int, default=None
        How many training and test samples to keep; None keeps all.

    Returns
    -------
    data : Data
        Both parts.

    Raises
    ------
    BadInput
        If there are no such data, or they cannot serve.
    """
    if name not in DATASETS and not name.endswith(".npz"):
        raise BadInput(
            f"there is no data set {name!r}; choose from {', '.join(DATASETS)}, or a .npz file."
        )
    with blame_input(OSError, ValueError, ImportError):
        data = DATASETS[name](seed, data_home) if name in DATASETS else _file(name)
        check_samples(data.X_train)
        check_samples(data.X_test)
    unseen = np.setdiff1d(data.y_test, data.y_train)
    if len(unseen):
        raise BadInput(f"{name}: y_test has labels that y_train lacks: {unseen[:5].tolist()}.")
    X_train, y_train = _part(data.X_train, data.y_train, train_samples, seed)
    X_test, y_test = _part(data.X_test, data.y_test, samples, seed)
    if len(np.unique(y_train)) < 2:
        raise BadInput(f"{name}: the training part has one class alone; two are needed.")
    return replace(data, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)


def load_for(settings):
    """Load the data that ``settings`` ask for."""
    return load_data(
        settings.data,
        seed=settings.seed,
        data_home=settings.data_home,
        train_samples=settings.train_samples,
        samples=settings.samples,
    )
