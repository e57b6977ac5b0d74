"""Data to train and attack on: toy data, the images of the papers, and your own files."""

from ._npz import load_npz
from ._toy import load_digits_images, load_moons, make_hierarchical_blobs
from ._vision import fetch_cifar10, fetch_mnist

__all__ = [
    "fetch_cifar10",
    "fetch_mnist",
    "load_digits_images",
    "load_moons",
    "load_npz",
    "make_hierarchical_blobs",
]
