"""Files of a report."""

import csv
import json

import pytest

from sklearn_robust import load_net
from sklearn_robust.attacks import FGSM
from sklearn_robust.report import BadInput, Settings, compare
from sklearn_robust.report._attack import ATTACKS
from sklearn_robust.report._data import load_data
from sklearn_robust.report._files import read_results
from sklearn_robust.report._page import write_page


def test_json_holds_all_that_the_page_shows(moons, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_robust.report._page.to_png", lambda *_: None)
    results, folder = moons
    again = read_results(folder)
    assert again.plain == json.loads(json.dumps(results.plain))
    (tmp_path / "figures").mkdir()
    page = write_page(again, tmp_path)
    assert page.read_text(encoding="utf-8") == (folder / "index.html").read_text(encoding="utf-8")


def test_csv_holds_the_same_numbers(report):
    results, folder = report
    with open(folder / "results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(results.trained) * (1 + len(ATTACKS) * len(results["radii"]))
    for row in rows:
        if row["attack"] == "natural":
            assert float(row["accuracy"]) == results["nets"][row["net"]]["natural"]
        else:
            found = results.accuracy(row["net"], row["attack"], float(row["eps"]))
            assert float(row["accuracy"]) == found


def test_saved_nets_have_the_accuracies_of_the_report(report):
    results, folder = report
    asked = results["settings"]
    data = load_data(asked["data"], samples=asked["samples"])
    for name in results.trained:
        net = load_net(folder / results["nets"][name]["file"])
        assert net.score(data.X_test, data.y_test) == results["nets"][name]["natural"]
        fooled = FGSM(eps=results["eps"][0]).evaluate(net, data.X_test, data.y_test).fooled
        found = results.accuracy(name, "FGSM", results["eps"][0])
        assert found == pytest.approx(1 - fooled.mean())


def test_a_page_of_somebody_else_is_kept(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("mine")
    with pytest.raises(BadInput, match="has an index.html that is not of a report"):
        compare(Settings(data="moons", output=str(tmp_path), verbosity=0))
    assert page.read_text() == "mine" and list(tmp_path.iterdir()) == [page]
