"""Looks into the trained nets: what they measure, and what happens where they cannot."""

import csv

import numpy as np
import pytest

from sklearn_robust.metrics import decision_margin, jacobian_norm
from sklearn_robust.report import studies
from sklearn_robust.report.studies import STUDIES, add_studies
from tests.report.opened import open_report, small


def page_of(report):
    return (report[1] / "index.html").read_text(encoding="utf-8")


def test_every_study_has_its_say_on_images(digits):
    found = digits[0]["studies"]
    assert list(found) == list(STUDIES)
    assert not [name for name, facts in found.items() if "missing" in facts]
    for title in ("surfaces, gradients, indicators", "as a regulariser", "belong together"):
        assert title in page_of(digits)


def test_indicators_are_those_of_the_library(digits):
    results, data, nets = open_report(digits)
    for name, net in nets.items():
        found = results["studies"]["indicators"]["nets"][name]
        size = jacobian_norm(net, data.X_test, data.y_test, average=True).mean()
        margin = decision_margin(net, data.X_test, data.y_test).mean()
        assert found["jacobian"] == pytest.approx(size, rel=1e-5)
        assert found["margin"] == pytest.approx(margin, rel=1e-5)


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ("surface", "the decision surface here: samples have only two features"),
        ("jacobians", "gradients beside images here: samples are not images."),
        ("clusters", "the tree of classes here: there are only 2 classes"),
    ],
)
def test_what_does_not_suit_points_of_a_plane_is_said(study, words, moons):
    assert "missing" in moons[0]["studies"][study]
    assert f"There is no picture of {words}" in page_of(moons)


def test_two_nets_are_too_few_to_correlate(moons):
    assert set(moons[0]["studies"]["indicators"]["correlations"].values()) == {None}
    assert "Two nets cannot be correlated: compare at least three." in page_of(moons)


def test_csv_holds_every_number_of_the_studies(report):
    results, folder = report
    with open(folder / "studies.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = {(row["net"], row["study"], row["measure"], row["layer"]): row["value"] for row in rows}
    assert len(kept) == len(rows)
    for study, facts in results["studies"].items():
        for name, measures in facts.get("nets", {}).items():
            for measure, value in measures.items():
                layers = facts["layers"] if isinstance(value, list) else [""]
                values = value if isinstance(value, list) else [value]
                for layer, one in zip(layers, values, strict=True):
                    text = kept[name, study, measure, layer]
                    assert text == "" if one is None else float(text) == one


def run_with(monkeypatch, study):
    """Results after one study of that behaviour."""
    monkeypatch.setattr(studies, "STUDIES", {"broken": study})
    results = small()
    add_studies(results, None, {"A": None})
    return results["studies"]["broken"]


def test_a_study_that_fails_costs_nothing_else(monkeypatch, capsys):
    def study(*_):
        raise RuntimeError("out of ideas")

    assert run_with(monkeypatch, study)["missing"] == "RuntimeError: out of ideas"
    assert "out of ideas" in capsys.readouterr().err


def test_warnings_of_a_study_become_notes(monkeypatch):
    def study(*_):
        for _ in range(2):
            np.float64(1) / np.float64(0)
        return {}, {}

    assert run_with(monkeypatch, study)["notes"] == ["divide by zero encountered in scalar divide"]


def test_an_interruption_leaves_the_page_without_the_rest(monkeypatch, run):
    def study(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(STUDIES, "margins", study)
    results, folder = run("moons", ("NaturalNet",))
    assert results["interrupted"] and list(results["studies"])[-1] == "indicators"
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "This comparison was interrupted" in text and 'id="regularization"' not in text
