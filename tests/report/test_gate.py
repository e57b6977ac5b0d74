"""The gate: demands on evidence."""

import copy
from xml.etree import ElementTree

import numpy as np
import pytest

from sklearn_robust.report import BadInput
from sklearn_robust.report._evidence import pack
from sklearn_robust.report._gate import compare_evidence, judge, write_junit

N = 400


def evidence(robust, signs=None, **threat):
    return {
        "model": {"name": "LogisticRegression"},
        "data": {"n_samples": N, "sha256": "0f"},
        "threat": {"norm": "linf", "eps": 0.1, "bounds": None, "mask": None, "integer": None}
        | threat,
        "accuracy": {
            "attacked": float(robust.mean()),
            "attacked_interval": [0.1, 0.9],
            "certified": None,
            "certified_interval": None,
        },
        "samples": {"attacked": pack(robust), "certified": None},
        "verdict": {"trusted": not signs, "signs": signs or {}},
    }


ROBUST = np.arange(N) < 300
FEWER = np.arange(N) < 285  # 15 lost, none won


def failed(demands):
    return [demand.name for demand in demands if not demand.passed]


def test_a_demand_is_met_or_not():
    assert failed(judge(evidence(ROBUST), at_least=0.75)) == []
    assert failed(judge(evidence(ROBUST), at_least=0.76)) == ["robust accuracy"]


def test_a_drop_is_told_from_chance():
    one_less = ROBUST & (np.arange(N) > 0)
    assert failed(judge(evidence(one_less), baseline=evidence(ROBUST))) == []
    (drop, _) = judge(evidence(FEWER), baseline=evidence(ROBUST))
    assert not drop.passed
    assert drop.said.startswith("75.0% before, 71.2% now; 15 samples lost and 0 won (exact McNemar")
    assert failed(judge(evidence(ROBUST), baseline=evidence(FEWER))) == []


def test_the_share_of_false_alarms_is_the_users():
    some = ROBUST & (np.arange(N) > 4)  # five lost: p = 1 / 32
    assert failed(judge(evidence(some), baseline=evidence(ROBUST))) != []
    assert failed(judge(evidence(some), baseline=evidence(ROBUST), alpha=0.03)) == []


def test_a_masked_model_fails():
    masked = evidence(ROBUST, {"zero gradient": "it is flat"})
    demands = judge(masked, at_least=0.1)
    assert failed(demands) == ["trust"] and "zero gradient: it is flat" in demands[-1].said
    assert failed(judge(masked, at_least=0.1, allow_black_box=True)) == ["trust"]


def test_a_black_box_is_accepted_on_request():
    forest = evidence(ROBUST, {"black box": "no gradient reaches the input"})
    assert failed(judge(forest, at_least=0.1)) == ["trust"]
    demands = judge(forest, at_least=0.1, allow_black_box=True)
    assert failed(demands) == [] and "upper bound" in demands[-1].said


def test_a_certified_number_needs_no_trust():
    proven = evidence(ROBUST, {"zero gradient": "it is flat"})
    proven["accuracy"] |= {"certified": 0.75, "certified_interval": [0.7, 0.8]}
    proven["samples"]["certified"] = pack(ROBUST)
    assert failed(judge(proven, at_least=0.7, by="certified")) == []
    with pytest.raises(BadInput, match="no certified robust accuracy is known for Logistic"):
        judge(evidence(ROBUST), at_least=0.1, by="certified")
    with pytest.raises(BadInput, match="the baseline holds no certified samples"):
        judge(proven, baseline=evidence(ROBUST), by="certified")


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("threat", "eps", 0.2, "its eps differs: 0.2 there, 0.1 here"),
        ("threat", "norm", "l2", "its norm differs: 'l2' there, 'linf' here"),
        ("data", "sha256", "aa", "its samples or labels .SHA-256. differs"),
        ("data", "n_samples", 9, "its number of samples differs: 9 there, 400 here"),
    ],
)
def test_baselines_of_other_data_or_threats_are_refused(part, key, value, words):
    baseline = copy.deepcopy(evidence(ROBUST))
    baseline[part][key] = value
    with pytest.raises(BadInput, match=f"main.json cannot be compared, since {words}"):
        compare_evidence(baseline, evidence(ROBUST), "main.json")
    compare_evidence(evidence(FEWER), evidence(ROBUST), "main.json")


def test_builds_can_read_the_outcome(tmp_path):
    path = tmp_path / "out.xml"
    write_junit(judge(evidence(ROBUST, {"one step": "a < b"}), at_least=0.9), path)
    suite = ElementTree.parse(path).getroot()
    assert suite.tag == "testsuite" and suite.get("tests") == "2" and suite.get("failures") == "2"
    assert [case.get("name") for case in suite] == ["robust accuracy", "trust"]
    assert "one step: a < b" in suite[1][0].get("message")
