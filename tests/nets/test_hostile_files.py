"""Hostile files end in one sentence, quickly, in little memory, and run no code."""

import os
import re

import numpy as np
import pytest

from sklearn_robust import load_net
from sklearn_robust.datasets import load_npz
from tests.cases import quick
from tests.nets.hostile_files import (
    HOSTILE,
    MEGABYTES,
    SECONDS,
    X,
    Y,
    open_in_child,
)
from tests.nets.hostile_texts import TEXTS

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork") or not os.path.exists("/proc"), reason="forks"),
    pytest.mark.filterwarnings("ignore"),
]
LONGEST = 1000  # characters of a message: a sentence, not the file


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_sentence(name, tmp_path):
    hostile = HOSTILE[name]
    found = open_in_child(hostile, tmp_path)
    said = f"{found.error}: {found.text[:300]} {found.warned}"
    assert not found.ran_code, f"the file ran code ({said})"
    assert found.error not in ("hang", "died"), said
    assert found.seconds < SECONDS / 3, f"{found.seconds:.1f} s ({said})"
    assert found.megabytes < MEGABYTES, f"{found.megabytes:.0f} MB ({said})"
    if found.error is None:
        assert hostile.may_load, "the file was read without a word"
    else:
        assert found.ours, f"not our sentence: {said}"
        assert len(found.text) < LONGEST, f"{len(found.text)} characters: {found.text[:200]}"
        assert re.search(TEXTS[name], found.text), said


def test_a_sound_file_is_read(tmp_path):
    from sklearn_robust import NaturalNet

    net = quick(NaturalNet, module__hidden=[4]).fit(X, Y)
    net.save(tmp_path / "sound.net")
    again = load_net(tmp_path / "sound.net")
    assert np.array_equal(again.decision_function(X), net.decision_function(X))
    np.savez(tmp_path / "sound.npz", X_train=X, X_test=X, y_train=Y, y_test=Y)
    assert np.array_equal(load_npz(tmp_path / "sound.npz").X_train, X)


def test_there_are_many_kinds():
    assert len(HOSTILE) >= 35
