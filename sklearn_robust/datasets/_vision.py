"""Loaders of the images of the papers, through torchvision."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from .. import _validation as check
from ._images import scale_pixels


def fetch_mnist(*, data_home: str | PathLike[str] | None = None, download: bool = True) -> Bunch:
    """Load MNIST: 70,000 grey images of handwritten digits, ten classes.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        The folder that holds, or gets, torchvision's folder ``MNIST``. None means
        scikit-learn's data folder, see :func:`sklearn.datasets.get_data_home`.
    download : bool, default=True
        Whether to download the files (about 12 MB) that are not there.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X_train, X_test : ndarray of shape (60000, 1, 28, 28) and (10000, 1, 28, 28), float32
            Images in [0, 1].
        y_train, y_test : ndarray of shape (60000,) and (10000,), int64
            The digit, 0 to 9.

    Raises
    ------
    OSError
        If the files are neither there nor can be downloaded, or are damaged.
    ImportError
        If torchvision cannot be imported.

    See Also
    --------
    load_npz : Your own copy of the images.
    load_digits_images : Small images of digits that need no download.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from sklearn_robust.datasets import fetch_mnist
    >>> data = fetch_mnist()  # doctest: +SKIP
    >>> data.X_train.shape  # doctest: +SKIP
    (60000, 1, 28, 28)
    """
    return _fetch("MNIST", data_home, download)


def fetch_cifar10(*, data_home: str | PathLike[str] | None = None, download: bool = True) -> Bunch:
    """Load CIFAR-10: 60,000 colour images of animals and vehicles, ten classes.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        The folder that holds, or gets, torchvision's folder ``cifar-10-batches-py``. None
        means scikit-learn's data folder, see :func:`sklearn.datasets.get_data_home`.
    download : bool, default=True
        Whether to download the files (about 170 MB) if they are not there.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X_train, X_test : ndarray of shape (50000, 3, 32, 32) and (10000, 3, 32, 32), float32
            Images in [0, 1]: red, green, blue.
        y_train, y_test : ndarray of shape (50000,) and (10000,), int64
            Airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Raises
    ------
    OSError
        If the files are neither there nor can be downloaded, or are damaged.
    ImportError
        If torchvision cannot be imported.

    See Also
    --------
    load_npz : Your own copy of the images.

    References
    ----------
    A. Krizhevsky, "Learning multiple layers of features from tiny images", technical
    report, University of Toronto, 2009.

    Examples
    --------
    >>> from sklearn_robust.datasets import fetch_cifar10
    >>> data = fetch_cifar10()  # doctest: +SKIP
    >>> data.X_train.shape  # doctest: +SKIP
    (50000, 3, 32, 32)
    """
    return _fetch("CIFAR10", data_home, download)


def _fetch(name: str, data_home: str | PathLike[str] | None, download: bool) -> Bunch:
    """Read both parts of a torchvision data set into arrays."""
    check.check_flag("download", download)
    if data_home is not None:
        check.check_path("data_home", data_home)
    try:
        import torchvision.datasets
    except (ImportError, OSError, RuntimeError) as error:  # the last two: built for another torch
        raise ImportError(
            f"{name} is read through torchvision, which cannot be imported ({error}); install "
            f"the torchvision that belongs to your torch, or load your own copy with load_npz."
        ) from error
    root = Path(get_data_home() if data_home is None else data_home).expanduser()
    source = getattr(torchvision.datasets, name)
    data = Bunch()
    for part in ("train", "test"):
        try:
            images = source(root, train=part == "train", download=download)
        except Exception as error:  # no network, no file, half a file: each fails in its own way
            raise OSError(
                f"{name} could not be {'fetched into' if download else 'read from'} {root} "
                f"({error or type(error).__name__}); give the folder that has it as data_home, "
                f"{'allow this program the network' if download else 'set download=True'}, "
                f"or load your own copy with load_npz."
            ) from error
        pixels = np.asarray(images.data)
        if pixels.ndim == 4:
            pixels = np.moveaxis(pixels, -1, 1)
        data[f"X_{part}"] = scale_pixels(pixels)
        data[f"y_{part}"] = np.asarray(images.targets, dtype=np.int64)
    return data
