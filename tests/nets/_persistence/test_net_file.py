"""The file of a net: members that are not listed, pipes that are not waited for."""

import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import NaturalNet, load_net
from sklearn_robust.datasets import load_npz
from tests.cases import blobs

pytestmark = pytest.mark.filterwarnings("ignore")
X, _ = blobs()


def test_a_directory_of_many_members_is_not_listed(tmp_path):
    path = tmp_path / "a.net"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(25_000):
            archive.writestr(f"{i}", b"")
    with pytest.raises(ValueError, match="it is not a zip file, or cut short: give another file"):
        load_net(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for read, error in ((load_net, OSError), (load_npz, OSError)):
        with pytest.raises(error, match="is a device or a pipe; "):
            read(tmp_path / "pipe")
        with pytest.raises(error, match="is a directory; "):
            read(tmp_path)
        with pytest.raises(TypeError, match="path is 3, which is not a path; "):
            read(3)
        with pytest.raises(ValueError, match="which names no file; "):
            read("a\0b")
        with pytest.raises(FileNotFoundError, match="There is no file .*absent; "):
            read(tmp_path / "absent")


def test_a_net_of_zeros_is_read_back_though_it_packs_well(tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 1_400_000), nn.Linear(1_400_000, 2))
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
    net = NaturalNet.from_module(module, classes=[0, 1])
    net.save(tmp_path / "a.net")
    again = load_net(tmp_path / "a.net", module=module)
    assert np.array_equal(again.decision_function(X), net.decision_function(X))
