"""Data of a comparison: training part, test part, and usual strengths of attacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from .. import datasets
from .._validation import check_samples
from ..attacks._cache import content_hash
from ._settings import BadInput, Settings, blame_input

__all__ = ["DATASETS", "Data", "draw_part", "load_data", "load_for"]

_GREY = (0.1, 0.2, 0.3)
_SHADES = (3 / 255, 6 / 255, 9 / 255)
_OBJECTS = "airplane automobile bird cat deer dog frog horse ship truck".split()


@dataclass(frozen=True)
class Data:
    """Training and test part of one data set.

    Attributes
    ----------
    title : str
        Name of the data in a few words.
    X_train, X_test : arrays of shape (n, ...), float32
        Samples.
    y_train, y_test : arrays of shape (n,)
        Labels.
    eps : tuple of float or None
        Usual strengths of attacks on these data, if there are any.
    class_names : dict
        Names of labels that are numbers.
    """

    title: str
    X_train: NDArray[Any]
    y_train: NDArray[Any]
    X_test: NDArray[Any]
    y_test: NDArray[Any]
    eps: tuple[float, ...] | None
    class_names: dict[Any, str]

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Bounds of all samples: (0, 1) if they lie inside, else None."""
        inside = all(X.min() >= 0 and X.max() <= 1 for X in (self.X_train, self.X_test))
        return (0.0, 1.0) if inside else None

    @property
    def kind(self) -> str:
        """Kind of the samples: "image", "plane" (two features) or "row"."""
        shape = self.X_test.shape[1:]
        if len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3)):
            return "image"
        return "plane" if shape == (2,) else "row"

    @cached_property
    def digest(self) -> str:
        """Hash of all samples and labels."""
        parts = (self.X_train, self.y_train, self.X_test, self.y_test)
        return content_hash([np.ascontiguousarray(part) for part in parts], "data set")

    def name_of(self, label: Any) -> str:
        """Name of a label."""
        return str(self.class_names.get(label, label))


def _split(title: str, X: NDArray[Any], y: NDArray[Any], seed: int, eps: tuple[float, ...]) -> Data:
    """Split off a quarter of the samples as the test part."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=seed
    )
    return Data(title, X_train, y_train, X_test, y_test, eps, {})


def _digits(seed: int, data_home: str | None) -> Data:
    X, y = datasets.load_digits_images()
    return _split("handwritten digits (scikit-learn, 8 × 8)", X, y, seed, (0.05, 0.1, 0.2))


def _moons(seed: int, data_home: str | None) -> Data:
    X, y = datasets.load_moons(2000, random_state=seed)
    return _split("two half moons (2 features)", X, y, seed, (0.02, 0.05, 0.1))


def _mnist(seed: int, data_home: str | None) -> Data:
    return Data("MNIST", **datasets.fetch_mnist(data_home=data_home), eps=_GREY, class_names={})


def _cifar10(seed: int, data_home: str | None) -> Data:
    bunch = datasets.fetch_cifar10(data_home=data_home)
    return Data("CIFAR-10", **bunch, eps=_SHADES, class_names=dict(enumerate(_OBJECTS)))


DATASETS = {"digits": _digits, "moons": _moons, "mnist": _mnist, "cifar10": _cifar10}


def _file(path: str) -> Data:
    data = Data(Path(path).name, **datasets.load_npz(path), eps=None, class_names={})
    if data.bounds and data.kind == "image":
        colour = data.X_test.ndim == 4 and data.X_test.shape[1] == 3
        data = replace(data, eps=_SHADES if colour else _GREY)
    return data


def draw_part(y: NDArray[Any], n: int | None, seed: int) -> NDArray[np.intp] | None:
    """Draw ``n`` rows, with the proportions of the classes if each class has a sample.

    Parameters
    ----------
    y : array of shape (n_samples,)
        Labels.
    n : int or None
        Number of rows.
    seed : int
        Seed of the draw.

    Returns
    -------
    rows : int array of shape (n,) or None
        None if all are wanted.
    """
    if n is None or n >= len(y):
        return None
    n_classes, least = len(np.unique(y)), np.unique(y, return_counts=True)[1].min()
    stratify = y if n >= n_classes and len(y) - n >= n_classes and least > 1 else None
    rows, _ = train_test_split(
        np.arange(len(y)), train_size=n, stratify=stratify, random_state=seed
    )
    return rows


def _part(
    X: NDArray[Any], y: NDArray[Any], n: int | None, seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    rows = draw_part(y, n, seed)
    return (X, y) if rows is None else (X[rows], y[rows])


def load_data(
    name: str,
    *,
    seed: int = 0,
    data_home: str | None = None,
    train_samples: int | None = None,
    samples: int | None = None,
) -> Data:
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
        Number of training and test samples to keep; None keeps all.

    Returns
    -------
    data : Data
        Both parts.

    Raises
    ------
    BadInput
        If there are no such data, or they cannot be used.
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
        raise BadInput(f"{name}: the training part has only one class; two are needed.")
    return replace(data, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)


def load_for(settings: Settings) -> Data:
    """Load the data that the settings ask for."""
    return load_data(
        settings.data,
        seed=settings.seed,
        data_home=settings.data_home,
        train_samples=settings.train_samples,
        samples=settings.samples,
    )
