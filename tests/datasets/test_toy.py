"""The toys: their shapes, their ranges, and what each is for."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sklearn_robust.datasets import load_digits_images, load_moons, make_hierarchical_blobs

RANDOM = [load_moons, make_hierarchical_blobs]


def test_digits_are_images_from_zero_to_one():
    X, y = load_digits_images()
    assert X.shape == (1797, 1, 8, 8)
    assert X.dtype == np.float32 and y.dtype == np.int64
    assert X.min() == 0 and X.max() == 1
    np.testing.assert_array_equal(X.reshape(1797, 64) * 16, load_digits().data)
    np.testing.assert_array_equal(np.unique(y), np.arange(10))


@pytest.mark.parametrize("noise", [None, 0, 0.1, 3.0])
@pytest.mark.parametrize("n_samples", [2, 3, 500])
def test_moons_fill_the_unit_square(n_samples, noise):
    X, y = load_moons(n_samples, noise=noise, random_state=0)
    assert X.shape == (n_samples, 2) and y.shape == (n_samples,)
    assert X.dtype == np.float32 and y.dtype == np.int64
    np.testing.assert_array_equal(X.min(axis=0), 0)
    np.testing.assert_array_equal(X.max(axis=0), 1)
    np.testing.assert_array_equal(np.unique(y), [0, 1])


@pytest.mark.parametrize("make", RANDOM, ids=lambda make: make.__name__)
def test_the_same_seed_draws_the_same_data_and_leaves_the_global_one_alone(make):
    before = np.random.get_state()[1].copy()
    for first, second in zip(make(random_state=7), make(random_state=7), strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(make(random_state=7)[0], make(random_state=8)[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_blobs_have_the_sizes_and_distances_asked_for():
    X, y, superclasses = make_hierarchical_blobs(
        50,
        n_superclasses=2,
        n_classes_per_superclass=3,
        n_features=5,
        superclass_radius=100.0,
        class_radius=10.0,
        noise=0.0,
        random_state=0,
    )
    assert X.shape == (300, 5)
    assert X.dtype == np.float32 and y.dtype == superclasses.dtype == np.int64
    assert np.bincount(y).tolist() == [50] * 6
    assert superclasses.tolist() == [0, 0, 0, 1, 1, 1]
    assert y[:100].tolist() != sorted(y[:100])
    centers = np.array([X[y == label][0] for label in range(6)])
    assert all((X[y == label] == centers[label]).all() for label in range(6))
    assert np.all(np.abs(np.linalg.norm(centers, axis=1) - 100) <= 10 + 1e-4)


@pytest.mark.parametrize("random_state", [0, 1])
def test_strong_regularisation_shows_the_superclasses_in_the_weights(random_state):
    """The point of the toy: a model that must be smooth correlates siblings, a free one cannot."""
    X, y, superclasses = make_hierarchical_blobs(random_state=random_state)
    siblings = superclasses[:, None] == superclasses
    siblings_but_itself = siblings & ~np.eye(len(superclasses), dtype=bool)

    def contrast(C):
        correlation = np.corrcoef(LogisticRegression(C=C, max_iter=1000).fit(X, y).coef_)
        return correlation[siblings_but_itself].mean() - correlation[~siblings].mean()

    assert contrast(1.0) < 0.2
    assert contrast(1e-4) > 0.8


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples_per_class": 0}, ValueError, "n_samples_per_class is 0; give an integer"),
        ({"n_superclasses": 2.5}, ValueError, "n_superclasses is 2.5; give an integer"),
        (
            {"n_classes_per_superclass": -1},
            ValueError,
            "n_classes_per_superclass is -1; give an integer",
        ),
        ({"n_features": 0}, ValueError, "n_features is 0; give an integer"),
        ({"noise": -1.0}, ValueError, "noise is -1.0; give a number"),
    ],
    ids=str,
)
def test_blobs_refuse_impossible_sizes(arguments, error, message):
    with pytest.raises(error, match=message):
        make_hierarchical_blobs(**arguments)


def test_one_moon_is_refused():
    with pytest.raises(ValueError, match="n_samples is 1; give an integer of at least 2"):
        load_moons(1)
