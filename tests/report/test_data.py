"""The data of a comparison."""

import numpy as np
import pytest

from sklearn_robust.report import BadInput
from sklearn_robust.report._data import load_data


def save(path, shape=(4, 4), n=12, dtype="float32", y_test=None):
    """Write a file of random samples of two classes; return its name."""
    rng = np.random.default_rng(0)
    X = rng.random((n, *shape)) * (255 if dtype == "uint8" else 1)
    y = np.arange(n) % 2
    np.savez(path, X_train=X.astype(dtype), y_train=y, X_test=X[:6].astype(dtype),
             y_test=y[:6] if y_test is None else y_test)  # fmt: skip
    return str(path)


def test_named_data_are_split_in_proportion():
    data = load_data("digits", seed=0)
    assert (len(data.X_train), len(data.X_test)) == (1347, 450)
    shares = [np.bincount(y) / len(y) for y in (data.y_train, data.y_test)]
    np.testing.assert_allclose(*shares, atol=0.01)
    assert data.kind == "image" and data.bounds == (0, 1) and data.eps == (0.05, 0.1, 0.2)


def test_the_seed_decides_the_split():
    first, again, other = (load_data("digits", seed=seed).X_test for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("n", [10, 100, 2000])
def test_parts_keep_the_classes(n):
    data = load_data("digits", samples=n, train_samples=n)
    assert len(data.X_test) == min(n, 450) and len(data.X_train) == min(n, 1347)
    assert len(np.unique(data.y_train)) == 10


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "eps"),
    [
        ((4, 4), "uint8", "image", (0.1, 0.2, 0.3)),
        ((1, 4, 4), "float32", "image", (0.1, 0.2, 0.3)),
        ((3, 4, 4), "uint8", "image", (3 / 255, 6 / 255, 9 / 255)),
        ((2,), "float32", "plane", None),
        ((5,), "float32", "row", None),
        ((2, 4, 4), "float32", "row", None),
    ],
)
def test_files_get_strengths_that_suit_their_images(tmp_path, shape, dtype, kind, eps):
    data = load_data(save(tmp_path / "a.npz", shape, dtype=dtype))
    assert (data.kind, data.eps) == (kind, eps)
    assert data.title == "a.npz"


@pytest.mark.parametrize(
    ("name", "words"),
    [("digit", "there is no data set 'digit'"), ("none.npz", "There is no file none.npz")],
)
def test_unknown_data_are_refused(name, words):
    with pytest.raises(BadInput, match=words):
        load_data(name)


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("no numbers")
    with pytest.raises(BadInput, match="is not an .npz file"):
        load_data(str(path))


def test_labels_to_test_must_be_labels_of_training(tmp_path):
    name = save(tmp_path / "a.npz", y_test=np.array([0, 1, 0, 1, 7, 8]))
    with pytest.raises(BadInput, match=r"y_test has labels that y_train lacks: \[7, 8\]"):
        load_data(name)


def test_nan_is_refused(tmp_path):
    X, y = np.full((4, 2), np.nan, dtype="float32"), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "a.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    with pytest.raises(BadInput, match="NaN"):
        load_data(str(tmp_path / "a.npz"))
