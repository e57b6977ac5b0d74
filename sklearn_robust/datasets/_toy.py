"""Small data that needs no download."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_moons
from sklearn.utils import check_random_state

from .. import _validation as check


def load_digits_images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Load scikit-learn's handwritten digits as images.

    Returns
    -------
    X : ndarray of shape (1797, 1, 8, 8), float32
        Grey images in [0, 1].
    y : ndarray of shape (1797,), int64
        The digit, 0 to 9.

    See Also
    --------
    sklearn.datasets.load_digits : The same digits as rows of numbers from 0 to 16.
    fetch_mnist : Larger images of digits.

    Examples
    --------
    >>> from sklearn_robust.datasets import load_digits_images
    >>> X, y = load_digits_images()
    >>> X.shape, X.dtype, float(X.min()), float(X.max())
    ((1797, 1, 8, 8), dtype('float32'), 0.0, 1.0)
    """
    digits = load_digits()
    X = np.divide(digits.images, 16).astype(np.float32)[:, np.newaxis]
    return X, digits.target.astype(np.int64)


def load_moons(
    n_samples: int = 500,
    *,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw two interleaved half moons and scale them to fill the unit square.

    Parameters
    ----------
    n_samples : int, default=500
        Number of points, at least 2.
    noise : float, default=0.1
        Standard deviation of the Gaussian noise, before the scaling: the moons
        are about 3 wide and 1.5 high then.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise and of the order of the points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2), float32
        Points in [0, 1]; each feature takes both values.
    y : ndarray of shape (n_samples,), int64
        The moon, 0 or 1.

    See Also
    --------
    sklearn.datasets.make_moons : The same moons in their own units.

    Examples
    --------
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(100, random_state=0)
    >>> X.shape, X.min(axis=0).tolist(), X.max(axis=0).tolist()
    ((100, 2), [0.0, 0.0], [1.0, 1.0])
    """
    check.validate(
        locals(),
        n_samples=partial(check.check_count, low=2),
        noise=check.optional(check.check_number),
    )
    X, y = make_moons(n_samples, noise=noise, random_state=random_state)
    X -= X.min(axis=0)
    X /= X.max(axis=0)
    return X.astype(np.float32), y.astype(np.int64)


def make_hierarchical_blobs(
    n_samples_per_class: int = 60,
    *,
    n_superclasses: int = 3,
    n_classes_per_superclass: int = 4,
    n_features: int = 30,
    superclass_radius: float = 18.0,
    class_radius: float = 6.0,
    noise: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Draw Gaussian blobs whose centres lie in groups: classes within superclasses.

    Parameters
    ----------
    n_samples_per_class : int, default=60
        Number of points in each blob.
    n_superclasses : int, default=3
        Number of groups.
    n_classes_per_superclass : int, default=4
        Number of blobs in each group.
    n_features : int, default=30
        Dimension of the points.
    superclass_radius : float, default=18.0
        Distance from the origin to the centre of each group.
    class_radius : float, default=6.0
        Distance from the centre of a group to each of its blobs.
    noise : float, default=1.0
        Standard deviation of each blob, the same in every direction.
    random_state : int, RandomState instance or None, default=None
        Seed of the centres, of the points and of their order.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float32
        The points, in random order.
    y : ndarray of shape (n_samples,), int64
        The class of each point: classes of one superclass are neighbours in number.
    superclasses : ndarray of shape (n_classes,), int64
        The superclass of each class; ``superclasses[y]`` is that of each point.

    Notes
    -----
    With the default radii in 30 dimensions, half the distance between two classes of
    one superclass is about 4.2. A linear model that is trained to be robust to longer changes
    can no longer use the differences between these classes: its weights turn towards the
    centres of the groups, and the superclasses show in their correlations.

    Examples
    --------
    >>> from sklearn_robust.datasets import make_hierarchical_blobs
    >>> X, y, superclasses = make_hierarchical_blobs(random_state=0)
    >>> X.shape, y.shape
    ((720, 30), (720,))
    >>> superclasses
    array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """
    check.validate(
        locals(),
        superclass_radius=check.check_number,
        class_radius=check.check_number,
        noise=check.check_number,
    )
    sizes = {
        "n_samples_per_class": n_samples_per_class,
        "n_superclasses": n_superclasses,
        "n_classes_per_superclass": n_classes_per_superclass,
        "n_features": n_features,
    }
    for name, size in sizes.items():
        check.check_count(name, size)
    n_values = n_samples_per_class * n_superclasses * n_classes_per_superclass * n_features
    check.check_count("the number of all values", n_values)
    rng = check_random_state(random_state)
    superclasses = np.repeat(np.arange(n_superclasses), n_classes_per_superclass)
    n_classes = len(superclasses)
    centers = superclass_radius * _directions(n_superclasses, n_features, rng)[superclasses]
    centers += class_radius * _directions(n_classes, n_features, rng)
    y = rng.permutation(np.repeat(np.arange(n_classes), n_samples_per_class))
    X = centers[y] + noise * rng.standard_normal((len(y), n_features))
    return X.astype(np.float32), y, superclasses


def _directions(n: int, n_features: int, rng: Any) -> NDArray[np.float64]:
    """Draw unit vectors, uniform over the sphere."""
    vectors = rng.standard_normal((n, n_features))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
