"""MNIST and CIFAR-10 from folders that are written here; nothing is downloaded."""

import hashlib
import pickle
import struct
import sys

import numpy as np
import pytest

from sklearn_robust.datasets import fetch_cifar10, fetch_mnist

FETCH = {"MNIST": fetch_mnist, "CIFAR10": fetch_cifar10}


def write_idx(path, array):
    """Write the format of MNIST's raw files: a magic number, the sizes, the bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture
def mnist(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    arrays = {}
    for part, prefix, n in [("train", "train", 5), ("test", "t10k", 3)]:
        X = arrays[f"X_{part}"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        y = arrays[f"y_{part}"] = rng.integers(0, 10, n, dtype=np.uint8)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", X)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", y)
    return tmp_path, arrays


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)

    def write(name, content):
        text = pickle.dumps(content)
        (folder / name).write_bytes(text)
        return name, hashlib.md5(text).hexdigest()

    def batch(name, n):
        pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
        return write(name, {"data": pixels, "labels": list(range(n))}), pixels

    (first, pixels), (second, more), (test, rest) = batch("1", 4), batch("2", 2), batch("t", 3)
    name, md5 = write("batches.meta", {"label_names": list("abcd")})
    monkeypatch.setattr(CIFAR10, "train_list", [first, second])
    monkeypatch.setattr(CIFAR10, "test_list", [test])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": md5})
    return tmp_path, np.concatenate([pixels, more]), rest


def test_mnist_is_read_as_it_was_written(mnist):
    folder, arrays = mnist
    data = fetch_mnist(data_home=folder, download=False)
    for part in ("train", "test"):
        X, y = data[f"X_{part}"], data[f"y_{part}"]
        assert X.dtype == np.float32 and y.dtype == np.int64
        np.testing.assert_allclose(X, arrays[f"X_{part}"][:, None] / 255, rtol=1e-6)
        np.testing.assert_array_equal(y, arrays[f"y_{part}"])


def test_cifar10_is_read_with_its_channels_first(cifar10):
    folder, train, test = cifar10
    data = fetch_cifar10(data_home=str(folder), download=False)
    assert data.X_train.dtype == np.float32 and data.y_train.dtype == np.int64
    assert data.X_train.flags.c_contiguous
    np.testing.assert_allclose(data.X_train, train.reshape(6, 3, 32, 32) / 255, rtol=1e-6)
    np.testing.assert_allclose(data.X_test, test.reshape(3, 3, 32, 32) / 255, rtol=1e-6)
    assert data.y_train.tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("name", FETCH)
def test_an_empty_folder_gets_one_sentence_that_says_what_to_do(name, tmp_path):
    message = f"{name} could not be read from .*; give .* data_home, set download=True, .*load_npz"
    with pytest.raises(OSError, match=message):
        FETCH[name](data_home=tmp_path / "nothing", download=False)
    assert not (tmp_path / "nothing").exists()


def test_half_a_file_is_refused(mnist):
    folder, _ = mnist
    path = folder / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OSError, match="MNIST could not be read"):
        fetch_mnist(data_home=folder, download=False)


@pytest.mark.parametrize("name", FETCH)
def test_a_failed_download_says_where_to_and_why(name, tmp_path, monkeypatch):
    import torchvision.datasets

    def download(self):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(getattr(torchvision.datasets, name), "download", download)
    with pytest.raises(OSError, match=r"fetched into .* \(no route to host\); .*load_npz"):
        FETCH[name](data_home=tmp_path)


@pytest.mark.parametrize("name", FETCH)
def test_without_torchvision_the_way_out_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ImportError, match="install the torchvision .* or load your own copy"):
        FETCH[name]()


def test_the_default_folder_is_that_of_scikit_learn(mnist, monkeypatch):
    folder, arrays = mnist
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(folder))
    assert len(fetch_mnist(download=False).X_train) == len(arrays["X_train"])
