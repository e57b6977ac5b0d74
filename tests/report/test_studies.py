"""Looks into the trained nets: what they measure, and what happens where they cannot."""

import csv
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from sklearn_robust import load_net
from sklearn_robust.clustering import LinearizedClustering
from sklearn_robust.metrics import decision_margin, input_jacobian, jacobian_norm
from sklearn_robust.report import studies
from sklearn_robust.report._data import load_data
from sklearn_robust.report._results import Results
from sklearn_robust.report.sections._format import number
from sklearn_robust.report.studies import STUDIES, add_studies
from sklearn_robust.report.studies._common import NotShown, plain, some_rows, two_nets
from sklearn_robust.report.studies._regularization import spectra
from sklearn_robust.report.studies._surfaces import MEASURES, _correlation
from sklearn_robust.spectral import layer_spectra, margin_report


def open_report(report):
    """Results of a report, its data and its nets."""
    results, folder = report
    asked = results["settings"]
    data = load_data(asked["data"], samples=asked["samples"], train_samples=asked["train_samples"])
    nets = {name: load_net(folder / results["nets"][name]["file"]) for name in results.attacked}
    return results, data, nets


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


def test_gaps_are_test_minus_train(report_of):
    results, data, nets = open_report(report_of)
    for name, net in nets.items():
        found = results["studies"]["margins"]["nets"][name]
        gap = net.score(data.X_train, data.y_train) - net.score(data.X_test, data.y_test)
        assert found["error_gap"] == pytest.approx(gap)
        loss = margin_report(net, data.X_test, data.y_test, kinds="output").loss.mean()
        assert found["test_loss"] == pytest.approx(loss)
        assert found["distance_lower"] <= found["distance_upper"]


def test_spectra_and_clusters_are_those_of_the_library(digits):
    results, data, nets = open_report(digits)
    for name, net in nets.items():
        report = layer_spectra(net)
        found = results["studies"]["spectra"]
        assert found["layers"] == report.name
        assert found["nets"][name]["std"] == pytest.approx(report["std"].tolist(), rel=1e-5)
        tree = LinearizedClustering(net).fit(data.X_test)
        found = results["studies"]["clusters"]
        assert found["labels"][name] == tree.class_labels_.tolist()
        assert found["nets"][name]["contrast"] == pytest.approx(tree.contrast_)


def test_gradients_are_shown_where_all_nets_are_right(digits):
    results, data, nets = open_report(digits)
    rows = results["studies"]["jacobians"]["rows"]
    for name, net in nets.items():
        assert (net.predict(data.X_test[rows]) == data.y_test[rows]).all()
        J = input_jacobian(net, data.X_test[rows], data.y_test[rows]).squeeze(1)
        np.testing.assert_allclose(results.arrays[f"jacobians/{name}"], J, rtol=1e-4, atol=1e-5)


def test_the_middle_of_a_surface_is_its_sample(digits):
    results, data, nets = open_report(digits)
    facts = results["studies"]["surface"]
    margin = decision_margin(nets["NaturalNet"], data.X_test, data.y_test)[facts["row"]]
    surface = results.arrays["surface/NaturalNet"]
    assert surface[len(surface) // 2, len(surface) // 2] == pytest.approx(margin, rel=1e-4)


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


def test_csv_holds_every_number_of_the_studies(report_of):
    results, folder = report_of
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


@pytest.fixture(params=["moons", "digits"])
def report_of(request):
    return request.getfixturevalue(request.param)


def small(names=("A", "B", "C"), worst=(0.1, 0.5, 0.9)):
    """Results of nets with these accuracies in the worst case."""
    nets = {
        name: {"natural": 1.0, "attacks": {"worst case": [share]}}
        for name, share in zip(names, worst, strict=True)
    }
    order = sorted(names, key=lambda name: -worst[names.index(name)])
    plain = {"nets": nets, "eps": [0.1], "radii": [0.1], "summary_eps": 0.1}
    return Results({**plain, "summary": {"ranking": order}})


@pytest.mark.parametrize(
    ("values", "worst", "rho"),
    [
        ([1, 2, 3], [0.1, 0.5, 0.9], 1.0),
        ([3, 2, 1], [0.1, 0.5, 0.9], -1.0),
        ([1, 3, 2], [0.1, 0.5, 0.9], 0.5),
        ([1, 1, 2], [0.1, 0.5, 0.9], math.sqrt(3) / 2),
        ([1, 1, 1], [0.1, 0.5, 0.9], None),
        ([1, 2, 3], [0.5, 0.5, 0.5], None),
        ([1, None, 3], [0.1, 0.5, 0.9], None),
    ],
)
def test_rank_correlation_with_the_worst_case(values, worst, rho):
    found = {name: {"jacobian": value} for name, value in zip("ABC", values, strict=True)}
    measured = _correlation(small(worst=worst), found, "jacobian")
    assert measured == (None if rho is None else pytest.approx(rho))


@pytest.mark.parametrize(
    ("names", "worst", "pair"),
    [
        (("NaturalNet", "MinMaxNet", "FATNet"), (0.1, 0.5, 0.9), ["NaturalNet", "MinMaxNet"]),
        (("NaturalNet", "FATNet", "MARTNet"), (0.1, 0.5, 0.9), ["NaturalNet", "MARTNet"]),
        (("TRADESNet", "FATNet", "MARTNet"), (0.1, 0.5, 0.9), ["TRADESNet", "MARTNet"]),
        (("MinMaxNet", "FATNet"), (0.1, 0.5), ["MinMaxNet", "FATNet"]),
        (("NaturalNet",), (0.1,), ["NaturalNet"]),
    ],
)
def test_which_two_nets_are_shown_side_by_side(names, worst, pair):
    assert two_nets(small(names, worst), names) == pair


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float32(0.5), 0.5), (np.nan, None), (np.inf, None), (np.array([1, np.nan]), [1.0, None])],
)
def test_numbers_suit_json(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_a_choice_of_samples_follows_the_seed():
    assert some_rows(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    first, again, other = (some_rows(100, 10, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other and len(set(first)) == 10 and first == sorted(first)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0.00"), (0.12345, "0.123"), (-1234.5, "−1.23e+03"), (2.0, "2.00"),
     (1e-7, "1.0e−07"), (123.4, "123")],
)  # fmt: skip
def test_numbers_read_alike(value, text):
    assert number(value) == text


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


def test_layers_without_a_matrix_have_no_spectrum():
    data = SimpleNamespace(X_test=np.zeros((1, 4), dtype=np.float32))
    with pytest.raises(NotShown, match="no layer of the nets is a fixed linear map"):
        spectra(None, data, {"A": nn.Sequential(nn.LayerNorm(4))})
    nets = {"A": nn.Sequential(nn.Linear(4, 2)), "B": nn.Sequential(nn.ReLU(), nn.Linear(4, 2))}
    with pytest.raises(NotShown, match="different layers"):
        spectra(None, data, nets)


def test_every_indicator_has_a_sign():
    assert set(MEASURES.values()) == {-1, 1}
