"""Attacks in pieces: the verdicts of the whole, one warning, and a bound on memory."""

import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust import robust_score
from sklearn_robust.attacks import FAB, PGD, WorstCase, _sharing
from sklearn_robust.attacks._sharing import Search, find_all
from sklearn_robust.differentiable import open_model
from sklearn_robust.exceptions import ZeroGradientWarning
from sklearn_robust.metrics import robustness_curve
from tests.cases import blobs

X, Y = blobs(150)
MODEL = LogisticRegression(C=30).fit(X, Y)
PARAMS = {"eps": 0.2, "bounds": None, "batch_size": 8, "random_state": 0}


def in_pieces(monkeypatch, n_batches=1):
    monkeypatch.setattr(_sharing, "_PIECE", 1)
    monkeypatch.setattr(_sharing, "_N_BATCHES", n_batches)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "attack", [PGD(max_iter=5, random_start=True, **PARAMS), WorstCase([PGD(max_iter=3)], **PARAMS)]
)
def test_pieces_give_the_verdicts_of_the_whole(attack, n_jobs, monkeypatch):
    whole = robust_score(MODEL, X, Y, attack=attack)
    in_pieces(monkeypatch)
    with joblib.parallel_config("threading"):
        assert robust_score(MODEL, X, Y, attack=attack, n_jobs=n_jobs) == whole
    assert 0 < whole < MODEL.score(X, Y)


def test_distances_come_in_pieces(monkeypatch):
    attack = FAB(max_iter=3, bounds=None, batch_size=8, random_state=0)
    whole = robustness_curve(MODEL, X, Y, eps=[0.1, 0.2, 0.3], attack=attack)
    in_pieces(monkeypatch)
    assert (robustness_curve(MODEL, X, Y, eps=[0.1, 0.2, 0.3], attack=attack) == whole).all()


def test_no_rows_are_no_findings():
    rows = np.arange(0)
    model = open_model(MODEL)
    codes = model.label_codes(X, Y)
    options = {"bounds": None, "index": np.arange(len(X)), "key": "fooled"}
    found = find_all(PGD(**PARAMS), model, X.astype(np.float32), codes, rows, **options)
    assert found.values.dtype == bool
    assert len(found.values) == found.n_stuck == 0


@pytest.mark.parametrize(("batch_size", "size"), [(8, 32), (None, 4 * 4096)])
def test_a_piece_is_whole_batches(batch_size, size, monkeypatch):
    monkeypatch.setattr(_sharing, "_PIECE", 1)
    search = Search(PGD(batch_size=batch_size), MODEL, None, "fooled")
    assert search.size(X, "cpu") == size


class Flat(nn.Module):
    def forward(self, x):
        return torch.stack([0 * x[:, 0] + 1, 0 * x[:, 0]], 1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_samples_without_a_gradient_are_told_of_once(n_jobs, monkeypatch, tmp_path):
    in_pieces(monkeypatch)
    zeros = np.zeros(len(X), dtype=int)
    attack = PGD(loss="cross_entropy", **PARAMS)
    for _ in range(2):  # found, and read from the cache
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            options = {"attack": attack, "n_jobs": n_jobs, "cache": tmp_path}
            with joblib.parallel_config("threading"):
                assert robust_score(Flat(), X, zeros, **options) == 1
        told = [str(w.message) for w in told if w.category is ZeroGradientWarning]
        assert len(told) == 1
        assert f"could not move {len(X)} of {len(X)} samples" in told[0]


def test_memory_does_not_grow_with_the_samples(monkeypatch):
    monkeypatch.setattr(_sharing, "_PIECE", 2**14)
    many = np.random.default_rng(0).standard_normal((20_000, 100), dtype=np.float32)
    labels = (many[:, 0] > 0).astype(int)
    model = LogisticRegression().fit(many[:500], labels[:500])
    attack = PGD(max_iter=1, **PARAMS | {"batch_size": 500})
    robust_score(model, many[:100], labels[:100], attack=attack)
    tracemalloc.start()  # which sees numpy's arrays alone
    robust_score(model, many, labels, attack=attack)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.7 * many.nbytes
