"""A write that fails leaves the old file."""

import os
import zipfile

import pytest

from sklearn_robust import NaturalNet
from tests.cases import blobs, quick, same_weights
from tests.nets._persistence.saved import round_trip

X, Y = blobs()


def full(*args):
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_the_old_file(path, monkeypatch):
    net = quick(NaturalNet).fit(X, Y)
    net.save(path)
    before = path.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(zipfile.ZipFile, "writestr", full)
        net.save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_file_behind_a_link_is_written(path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere.net")
    assert same_weights(*(net := quick(NaturalNet).fit(X, Y), round_trip(net, path)))
    assert path.is_symlink()
