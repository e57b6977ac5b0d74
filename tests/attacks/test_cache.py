"""Verdicts on disk: the same numbers, nothing found twice, nothing of another model."""

import os
import threading

import numpy as np
import pytest
import torch
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust import NaturalNet, make_robust_scorer, robust_score
from sklearn_robust.attacks import FAB, PGD, AutoAttack, Square, WorstCase, _cache
from sklearn_robust.attacks._cache import VerdictCache, content_hash
from sklearn_robust.certification import robust_bounds
from sklearn_robust.metrics import robustness_curve, robustness_report
from sklearn_robust.plotting import RobustnessCurveDisplay
from tests.cases import blobs

X, Y = blobs(250)
MODEL = make_pipeline(StandardScaler(), LogisticRegression(C=30)).fit(X, Y)
BAGGING = BaggingClassifier(LogisticRegression(), 3, random_state=0).fit(X, Y)
ATTACK = PGD(eps=0.5, bounds=None, random_state=0)


class Counted:
    """Linear model whose forward passes are counted by rows."""

    def __init__(self):
        self.rows = 0


class Counting(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.layer = nn.Linear(X.shape[1], 2)
        self.layer.load_state_dict({"weight": weight, "bias": torch.zeros(2)})

    def forward(self, x):
        COUNTS.rows += len(x)
        return self.layer(x)


COUNTS = Counted()


def counting(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Counting(torch.randn(2, X.shape[1], generator=generator))


@pytest.mark.parametrize(
    "attack",
    [
        ATTACK,
        WorstCase([PGD(max_iter=5), Square(max_iter=20)], eps=0.5, bounds=None, random_state=0),
        AutoAttack(
            version="custom", attacks=[FAB(max_iter=3)], eps=0.5, bounds=None, random_state=0
        ),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_a_kept_score_is_that_without_a_cache(attack, tmp_path):
    plain = robust_score(MODEL, X, Y, attack=attack)
    assert robust_score(MODEL, X, Y, attack=attack, cache=tmp_path) == plain
    files = sorted(os.listdir(tmp_path))
    assert robust_score(MODEL, X, Y, attack=attack, cache=tmp_path) == plain
    assert sorted(os.listdir(tmp_path)) == files
    assert make_robust_scorer(attack, cache=tmp_path)(MODEL, X, Y) == plain
    assert sorted(os.listdir(tmp_path)) == files


@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_killed_evaluation_goes_on(killed_after, tmp_path, monkeypatch):
    module, labels = counting(), np.zeros(len(X), dtype=int)
    labels = module(torch.tensor(X, dtype=torch.float32)).argmax(1).numpy()
    COUNTS.rows = 0
    whole = robust_score(module, X, labels, attack=ATTACK)
    all_rows, writes, write = COUNTS.rows, [], VerdictCache.write

    def dying(self, path, found):
        write(self, path, found)
        writes.append(path)
        if len(writes) == killed_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(VerdictCache, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        robust_score(module, X, labels, attack=ATTACK, cache=tmp_path)
    assert len(os.listdir(tmp_path)) == killed_after
    monkeypatch.setattr(VerdictCache, "write", write)
    COUNTS.rows = 0
    assert robust_score(module, X, labels, attack=ATTACK, cache=tmp_path) == whole
    assert COUNTS.rows < all_rows
    COUNTS.rows = 0
    assert robust_score(module, X, labels, attack=ATTACK, cache=tmp_path) == whole
    assert COUNTS.rows < 0.3 * all_rows  # the clean predictions, and the look at a few samples


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_cascade_goes_on_behind_its_finished_members(killed_after, tmp_path, monkeypatch):
    module = counting(1)
    labels = module(torch.tensor(X, dtype=torch.float32)).argmax(1).numpy()
    members = [PGD(max_iter=30), PGD(max_iter=20, loss="margin"), Square(max_iter=40)]
    attack = AutoAttack(version="custom", attacks=members, eps=0.05, bounds=None, random_state=0)
    rows, data = COUNTS.rows, (module, X[:90], labels[:90])
    whole = robust_score(*data, attack=attack)
    all_rows, writes, write = COUNTS.rows - rows, [], VerdictCache.write

    def dying(self, path, found):
        write(self, path, found)
        writes.append(COUNTS.rows - rows)
        if len(writes) == killed_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(VerdictCache, "write", dying)
    rows = COUNTS.rows
    with pytest.raises(KeyboardInterrupt):
        robust_score(*data, attack=attack, cache=tmp_path)
    done = writes[-1]
    monkeypatch.setattr(VerdictCache, "write", write)
    rows = COUNTS.rows
    assert robust_score(*data, attack=attack, cache=tmp_path) == whole > 0
    assert COUNTS.rows - rows <= all_rows - done + 5 * 90  # clean passes alone come again
    assert len(os.listdir(tmp_path)) == 1  # those of the members are gone


def test_reports_bounds_and_displays_are_kept(tmp_path):
    files = []
    for call in (
        lambda **cache: robustness_report(MODEL, X, Y, attack=ATTACK, output_dict=True, **cache),
        lambda **cache: robust_bounds(
            BAGGING, X, Y, eps=0.2, attack=Square(random_state=0), **cache
        ),
        lambda **cache: (
            RobustnessCurveDisplay.from_estimator(
                MODEL, X, Y, eps=[0.1, 0.7], attack=ATTACK, **cache
            ).accuracy
        ),
    ):
        plain = call()
        for _ in range(2):
            assert repr(call(cache=tmp_path)) == repr(plain)
        files.append(len(os.listdir(tmp_path)))
    assert 0 < files[0] < files[1] < files[2]


def test_a_folder_that_cannot_be_made_costs_the_cache_alone(tmp_path, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    plain = robust_score(MODEL, X, Y, attack=ATTACK)
    monkeypatch.setattr(_cache.Path, "mkdir", denied)
    with pytest.warns(UserWarning, match="cannot be written to cache .* goes on") as told:
        assert robust_score(MODEL, X, Y, attack=ATTACK, cache=tmp_path / "new") == plain
    assert len(told) == 1


def test_curves_and_nearest_points_are_kept(tmp_path):
    for attack in (ATTACK, FAB(max_iter=3, bounds=None, random_state=0)):
        plain = robustness_curve(MODEL, X, Y, eps=[0, 0.2, 0.5], attack=attack)
        for _ in range(2):
            kept = robustness_curve(MODEL, X, Y, eps=[0, 0.2, 0.5], attack=attack, cache=tmp_path)
            assert (kept == plain).all()


def test_another_model_sample_attack_or_version_is_another_entry(tmp_path, monkeypatch):
    def n_files(model=MODEL, X=X, attack=ATTACK):
        robust_score(model, X, Y, attack=attack, cache=tmp_path)
        return len(os.listdir(tmp_path))

    first = n_files()
    assert n_files() == first
    second = n_files(make_pipeline(StandardScaler(), LogisticRegression(C=1)).fit(X, Y))
    assert second > first
    third = n_files(X=X + np.float32(0.001))
    assert third > second
    fourth = n_files(attack=PGD(eps=0.6, bounds=None, random_state=0))
    assert fourth > third
    monkeypatch.setattr(_cache, "_VERSIONS", ("another",))
    assert n_files() > fourth


def test_nets_are_told_apart_by_their_weights():
    net = NaturalNet(max_epochs=1, random_state=0).fit(X, Y)
    again = NaturalNet(max_epochs=1, random_state=0).fit(X, Y)
    assert content_hash(net.module_, "net") == content_hash(again.module_, "net")
    with torch.no_grad():
        next(again.module_.parameters()).view(-1)[0] += 1e-6
    assert content_hash(net.module_, "net") != content_hash(again.module_, "net")


def test_processes_share_a_cache(tmp_path):
    plain = robust_score(MODEL, X, Y, attack=ATTACK)
    assert robust_score(MODEL, X, Y, attack=ATTACK, cache=tmp_path, n_jobs=2) == plain
    files = sorted(os.listdir(tmp_path))
    assert robust_score(MODEL, X, Y, attack=ATTACK, cache=tmp_path) == plain
    assert sorted(os.listdir(tmp_path)) == files


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"x" * 500], ids=["empty", "cut", "text"])
def test_a_damaged_file_is_found_anew(content, tmp_path):
    plain = robust_score(MODEL, X, Y, attack=ATTACK, cache=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(content)
    assert robust_score(MODEL, X, Y, attack=ATTACK, cache=tmp_path) == plain


def test_a_full_disk_costs_the_cache_alone(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    plain = robust_score(MODEL, X, Y, attack=ATTACK)
    monkeypatch.setattr(np, "save", full)
    with pytest.warns(UserWarning, match="cannot be written to cache .* goes on"):
        assert robust_score(MODEL, X, Y, attack=ATTACK, cache=tmp_path) == plain
    assert os.listdir(tmp_path) == []


def test_bad_caches_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"keeps nothing .* give it a seed, PGD\(..., random_st"):
        robust_score(MODEL, X, Y, attack=PGD(eps=0.5, bounds=None), cache=tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="which cannot be a folder"):
        robust_score(MODEL, X, Y, attack=ATTACK, cache=file)
    module = counting()
    module.lock = threading.Lock()
    with pytest.raises(TypeError, match="'lock' cannot be pickled: remove that attribute"):
        robust_score(module, X, np.zeros(len(X), dtype=int), attack=ATTACK, cache=tmp_path)
