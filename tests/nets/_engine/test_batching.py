"""Batches: sizes, order, arguments of the loader."""

import numpy as np
import pytest

from sklearn_robust import NaturalNet
from tests.cases import NETS, Linear, Normalised, Pairs, blobs, quick
from tests.nets._engine.modules import Order


class Sizes(Linear):
    """Writes down the size of every training batch."""

    def forward(self, x):
        if self.training:
            self.seen = [*getattr(self, "seen", []), len(x)]
        return super().forward(x)


def sizes_of(n_samples, batch_size, as_pairs, **params):
    X, y = blobs(n_samples)
    net = quick(NaturalNet, module=Sizes, max_epochs=1, batch_size=batch_size, **params)
    return net.fit(*((Pairs(X, y),) if as_pairs else (X, y))).module_.seen


SIZES = [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (9, -1, [9])]


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize(("n_samples", "batch_size", "wanted"), SIZES)
def test_a_last_batch_of_one_joins_the_batch_before_it(n_samples, batch_size, wanted, as_pairs):
    assert sizes_of(n_samples, batch_size, as_pairs) == wanted


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_batches_of_one_stay(as_pairs):
    assert sizes_of(3, 1, as_pairs) == [1, 1, 1]


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_batch_normalisation_survives_a_last_batch_of_one(net, as_pairs):
    X, y = blobs(17)
    fitted = quick(net, module=Normalised).fit(*((Pairs(X, y),) if as_pairs else (X, y)))
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_arguments_of_the_loader_are_heeded():
    assert sizes_of(10, 4, False, iterator_train__drop_last=True) == [4, 4]
    assert sizes_of(10, 4, False, iterator_train__batch_size=5) == [5, 5]


LOADERS = [
    ({"iterator_train__drop_last": True, "batch_size": 99}, "no batch to train on"),
    ({"iterator_train__sampler": list(range(9))}, "give iterator_train__shuffle=False beside it"),
]


@pytest.mark.parametrize(("params", "match"), LOADERS, ids=[next(iter(p)) for p, _ in LOADERS])
def test_a_loader_that_cannot_train_is_refused(params, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, module=Linear, **params).fit(*blobs())


@pytest.mark.parametrize(("n_samples", "batch_size"), [(9, 4), (10, 4), (8, 4), (3, 1), (5, 8)])
def test_a_schedule_counts_the_batches_of_a_dataset_as_those_of_arrays(n_samples, batch_size):
    X, y = blobs(n_samples)
    params = {"module": Linear, "batch_size": batch_size, "lr_schedule": "cosine"}
    nets = [quick(NaturalNet, **params).fit(*data) for data in ((X, y), (Pairs(X, y),))]
    rates = [[row["lr"] for epoch in net.history for row in epoch["batches"]] for net in nets]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_samples_are_shuffled_anew_in_each_epoch_unless_told_otherwise(as_pairs):
    X, y = blobs(20)
    data = (Pairs(X, y),) if as_pairs else (X, y)
    seen = quick(NaturalNet, module=Order).fit(*data).module_.seen
    given = X[:, 0].tolist()
    assert sorted(seen[:20]) == sorted(seen[20:]) == sorted(given)
    assert len({tuple(seen[:20]), tuple(seen[20:]), tuple(given)}) == 3
    kept = quick(NaturalNet, module=Order, iterator_train__shuffle=False).fit(*data).module_.seen
    assert kept == given * 2
