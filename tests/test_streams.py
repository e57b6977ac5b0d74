"""Samples that come part by part: the numbers of the whole, and clear refusals."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from sklearn_robust import NaturalNet, _streams, robust_score
from sklearn_robust._streams import box_of_stream, is_stream, parts_of
from sklearn_robust.attacks import PGD
from tests.cases import blobs

X, Y = blobs(150)
X = X.astype(np.float32)
NET = NaturalNet(max_epochs=2, random_state=0).fit(X, Y)
ATTACK = PGD(eps=0.5, max_iter=4, random_state=0)
WHOLE = robust_score(NET, X, Y, attack=ATTACK)
PAIRS = TensorDataset(torch.tensor(X), torch.tensor(Y))


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def h5_array(folder):
    h5py = pytest.importorskip("h5py")
    return h5py.File(folder / "rows.h5", "w").create_dataset("X", data=X)


def zarr_array(folder):
    return pytest.importorskip("zarr").array(X)


@pytest.mark.parametrize("make", [h5_array, zarr_array])
def test_arrays_of_files_are_read_in_parts(make, tmp_path, monkeypatch):
    array = make(tmp_path)
    assert is_stream(array)
    monkeypatch.setattr(_streams, "_N_VALUES", 40 * X.shape[1])
    assert [len(samples) for samples, _ in parts_of(array, Y)] == [40, 40, 40, 30]
    assert robust_score(NET, array, Y, attack=ATTACK) == WHOLE
    assert (NET.predict(array) == NET.predict(X)).all()
    fitted = NaturalNet(max_epochs=2, random_state=0).fit(array, Y)
    assert (fitted.decision_function(X) == NET.decision_function(X)).all()
    with pytest.raises(ValueError, match="y is None: give the true labels"):
        robust_score(NET, array, attack=ATTACK)


def test_a_memory_map_is_as_good_as_an_array(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert robust_score(NET, rows, Y, attack=ATTACK) == WHOLE
    fitted = NaturalNet(max_epochs=2, random_state=0).fit(rows, Y)
    assert (fitted.decision_function(rows) == NET.decision_function(X)).all()


@pytest.mark.parametrize("source", [PAIRS, DataLoader(PAIRS, batch_size=64)])
def test_datasets_and_loaders_bring_their_labels(source):
    assert robust_score(NET, source, attack=ATTACK) == WHOLE
    assert robust_score(NET, source, None, attack=ATTACK) == WHOLE
    assert (NET.predict(source) == NET.predict(X)).all()
    with pytest.raises(ValueError, match="y is given beside a .* pass it alone, with y=None"):
        robust_score(NET, source, Y, attack=ATTACK)


def test_weights_and_radii_go_with_a_stream():
    weight, options = np.arange(1, 1 + len(X)), {"attack": ATTACK, "eps": 0.3}
    whole = robust_score(NET, X, Y, sample_weight=weight, **options)
    assert robust_score(NET, PAIRS, sample_weight=weight, **options) == whole


def test_a_stream_without_a_length_needs_a_box():
    with pytest.raises(ValueError, match=r"may come only once.*give the attack bounds=\(low, hi"):
        robust_score(NET, Stream(), attack=ATTACK)
    attack = PGD(eps=0.5, max_iter=4, bounds=None, random_state=0)
    assert robust_score(NET, Stream(), attack=attack) == WHOLE
    assert (NET.predict(Stream()) == NET.predict(X)).all()


def test_the_box_is_that_of_all_parts():
    unit = (X - X.min()) / (X.max() - X.min())
    low, high = box_of_stream(TensorDataset(torch.tensor(unit)), "auto")
    assert (low, high) == (0, 1)
    unit[-1, 0] = 2  # seen in the last part alone
    assert box_of_stream(TensorDataset(torch.tensor(unit)), "auto") is None
    assert box_of_stream(Stream(), (0, 1)) == (0, 1)


def test_streams_that_cannot_be_scored_are_refused():
    bare = TensorDataset(torch.tensor(X))
    with pytest.raises(ValueError, match="yields no labels: let it yield"):
        robust_score(NET, bare, attack=ATTACK)
    assert (NET.predict(bare) == NET.predict(X)).all()
    other = TensorDataset(torch.tensor(X), torch.tensor(Y) + 5)
    with pytest.raises(ValueError, match="labels that NaturalNet was not fitted on"):
        robust_score(NET, other, attack=ATTACK)
    empty = TensorDataset(torch.tensor(X[:0]), torch.tensor(Y[:0]))
    for call in (NET.predict, lambda X: robust_score(NET, X, attack=ATTACK)):
        with pytest.raises(ValueError, match="without samples: give at least one"):
            call(empty)


def test_fit_says_what_to_give_in_place_of_a_stream():
    net = NaturalNet(max_epochs=1)
    with pytest.raises(ValueError, match=r"type NaturalNet\(batch_size=64\).fit\(loader.dataset"):
        net.fit(DataLoader(PAIRS, batch_size=64))
    for stream in (Stream(), DataLoader(Stream())):
        with pytest.raises(ValueError, match="a stream without a length .* or a memory map"):
            net.fit(stream)
