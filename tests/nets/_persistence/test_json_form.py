"""Parameters and labels as text: numbers, tensors and seeds come back."""

import numpy as np
import pytest
import torch

from sklearn_robust import GAIRATNet, NaturalNet
from tests.cases import blobs, quick
from tests.nets._persistence.saved import round_trip

X, Y = blobs()


def test_numbers_of_numpy_are_saved_as_numbers(path):
    again = round_trip(
        quick(NaturalNet, lr=np.float32(0.5), batch_size=np.int64(7)).fit(X, Y), path
    )
    assert (again.lr, again.batch_size) == (0.5, 7)


LABELS = [(0, 5), (-1, 1), (False, True), ("no", "yes"), (1.0, 2.0), ("nö", "日本")]

CASES = [*((labels, np.asarray(labels).dtype) for labels in LABELS), (("no", "yes"), object)]


@pytest.mark.parametrize(("labels", "dtype"), CASES, ids=str)
def test_labels_survive(labels, dtype, path):
    _, y = blobs(labels=labels)
    net = quick(NaturalNet).fit(X, y.astype(dtype))
    again = round_trip(net, path)
    assert again.classes_.tolist() == list(labels) and again.classes_.dtype == dtype
    np.testing.assert_array_equal(again.predict(X), net.predict(X))


def test_a_parameter_that_is_no_data_is_named(path):
    net = quick(GAIRATNet, lam=lambda epoch: 0.0).fit(X, Y)
    with pytest.raises(TypeError, match="parameter lam=.* cannot be written as JSON"):
        net.save(path)
    assert not path.exists()


def test_a_seed_is_kept_whatever_integer_it_is(path):
    net = quick(NaturalNet, random_state=np.int64(7)).fit(X, Y)
    assert round_trip(net, path).random_state == 7


def test_tensors_are_written(path):
    weight = torch.tensor([1.0, 9.0])
    again = round_trip(quick(NaturalNet, criterion__weight=weight).fit(X, Y), path)
    assert torch.equal(again.get_params()["criterion__weight"], weight)
    again.partial_fit(X, Y)
