"""Callbacks of skorch see codes, and a split of their own."""

import itertools

import numpy as np
import pytest
from skorch.callbacks import BatchScoring, EarlyStopping, EpochScoring
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split

from sklearn_robust import NaturalNet
from sklearn_robust.callbacks import RobustEarlyStopping
from tests.cases import Linear, blobs, quick

# callback, on the samples that are trained on, outputs of training used again
SCORINGS = [
    *itertools.product([EpochScoring], [True, False], [True, False]),
    *itertools.product([BatchScoring], [True, False], [True]),  # else it asks about bare tensors
]


@pytest.mark.parametrize("labels", [(5, 9), ("cat", "dog")], ids=str)
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
@pytest.mark.parametrize(("callback", "on_train", "use_caching"), SCORINGS)
def test_skorchs_scoring_callbacks_see_codes_on_both_sides(
    callback, on_train, use_caching, scoring, labels
):
    X, y = blobs(labels=labels)
    score = callback(
        scoring, lower_is_better=False, name="s", on_train=on_train, use_caching=use_caching
    )
    net = quick(NaturalNet, module=Linear, lr=0.3, max_epochs=10, train_split=ValidSplit(4))
    net.set_params(callbacks=[score]).fit(X, y)
    assert net.history[-1, "s"] > (0.8 if scoring == "accuracy" else -0.6)
    assert set(net.predict(X)) == set(labels)


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("split", [True, False], ids=["arrays, given split", "dataset"])
def test_skorchs_scorers_take_its_datasets_apart(split, use_caching):
    X, y = blobs(labels=("cat", "dog"))
    data = SkorchDataset(X, y)
    score = EpochScoring("accuracy", on_train=not split, use_caching=use_caching)
    net = quick(NaturalNet, module=Linear, lr=0.3, max_epochs=10, callbacks=[score])
    net.set_params(train_split=predefined_split(data) if split else None)
    net.fit(*((X, y) if split else (data,)))
    assert net.history[-1, "accuracy"] > 0.8
    if split:
        assert net.history[-1, "accuracy"] == net.score(X, y)


def test_a_split_of_a_callback_gives_a_loss_of_its_own():
    X, y = blobs()
    stopping = [RobustEarlyStopping(validation_fraction=0.25), EarlyStopping(patience=9)]
    net = quick(NaturalNet, callbacks=stopping).fit(X, y)
    assert np.isfinite(net.history[:, "valid_loss"]).all()
