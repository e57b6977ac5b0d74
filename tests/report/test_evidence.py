"""Evidence: its schema, and how it is read."""

import copy
import json

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_robust import robustness_page
from sklearn_robust.report import BadInput
from sklearn_robust.report._evidence import (
    check_evidence,
    hash_samples,
    pack,
    read_evidence,
    unpack,
)


@pytest.fixture(scope="module")
def plain():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    report = robustness_page(model, X[::5], y[::5], eps=[0.1, 0.2, 0.1, 0.1], output=None)
    return json.loads(report.to_json())


def test_what_is_written_meets_the_schema(plain):
    check_evidence(plain)
    assert plain["schema"] == "sklearn_robust.evidence" and plain["version"] == 1
    assert plain["threat"]["eps"] == [0.1, 0.2, 0.1, 0.1]
    robust = unpack(plain["samples"]["attacked"], 30)
    assert robust.mean() == pytest.approx(plain["accuracy"]["attacked"])
    assert not (robust & ~unpack(plain["samples"]["clean"], 30)).any()


@pytest.mark.parametrize("n", [1, 8, 9, 1000])
def test_masks_survive_packing(n):
    mask = np.random.default_rng(n).random(n) < 0.5
    np.testing.assert_array_equal(unpack(pack(mask), n), mask)


def test_the_hash_knows_samples_labels_shapes_and_order():
    X, codes = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([0, 1, 0, 1])
    digest = hash_samples(X, codes, ["a", "b"])
    assert digest == hash_samples(X.copy(), codes.astype(np.int32), ["a", "b"])
    others = [
        hash_samples(X + 1, codes, ["a", "b"]),
        hash_samples(X, 1 - codes, ["a", "b"]),
        hash_samples(X, codes, ["a", "c"]),
        hash_samples(X[::-1], codes, ["a", "b"]),
        hash_samples(X.reshape(4, 3, 1), codes, ["a", "b"]),
    ]
    assert len({digest, *others}) == 6 and len(digest) == 64


FAULTS = [
    (("schema",), "else", "it has no entry schema"),
    (("version",), 2, "its version is 2, and 1 is known here"),
    (("accuracy", "attacked"), 1.5, "accuracy.attacked is 1.5"),
    (("accuracy", "clean"), True, "accuracy.clean is True"),
    (("data", "n_samples"), "many", "data.n_samples is 'many'"),
    (("samples", "attacked"), "ff", "samples.attacked does not hold one bit for each"),
    (("samples", "clean"), "zz" * 4, "samples.clean does not hold one bit for each"),
    (("threat", "eps"), None, "threat.eps is None"),
    (("verdict",), None, "it lacks verdict.trusted"),
]


@pytest.mark.parametrize(("keys", "value", "words"), FAULTS)
def test_other_files_are_refused(plain, tmp_path, keys, value, words):
    bad = copy.deepcopy(plain)
    part = bad
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(BadInput, match=words):
        read_evidence(path)


@pytest.mark.parametrize(("text", "words"), [("{", "is no evidence"), (None, "there is no file")])
def test_files_that_are_no_json_are_refused(tmp_path, text, words):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_evidence(path)
