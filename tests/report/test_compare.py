"""A whole comparison, from the request to the page."""

import json
import re
import shutil
from html.parser import HTMLParser

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust import NaturalNet
from sklearn_robust.datasets import load_moons
from sklearn_robust.exceptions import TrainingDivergedError
from sklearn_robust.report import BadInput, Settings, compare
from sklearn_robust.report import _processes as processes
from sklearn_robust.report._attack import ATTACKS, PAPER_ATTACKS, WORST
from sklearn_robust.report._compare import _radii
from sklearn_robust.report.sections._curves import curves

VOID = {"meta", "colgroup", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Collect what a reader and a checker of the page look for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.words, self.tags = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [value for key, value in attrs.items() if key.endswith(("href", "src"))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_stands_alone(report):
    text = (report[1] / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert "script" not in page.tags
    inside = [link for link in page.links if link.startswith(("#", "data:"))]
    assert page.links == inside and {link[1:] for link in inside if link[0] == "#"} <= set(page.ids)
    assert re.findall(r"url\((?!#)[^)]*\)", text) == []


def test_every_figure_is_a_file_and_has_words(report):
    text = (report[1] / "index.html").read_text(encoding="utf-8")
    files = sorted((report[1] / "figures").iterdir())
    n = len(files)
    assert n >= 10 and all(file.stat().st_size > 5000 for file in files)
    assert text.count("<figure>") == text.count("<figcaption>") == text.count('role="img"') == n


def test_pictures_suit_the_data(moons, digits):
    names = [
        {path.stem for path in (folder / "figures").iterdir()} for _, folder in (moons, digits)
    ]
    assert names[0] - names[1] == {"regions"}
    assert names[1] - names[0] == {"examples", "surfaces", "jacobians", "clusters"}


def test_the_page_shows_the_numbers(report):
    results, folder = report
    words = Page((folder / "index.html").read_text(encoding="utf-8")).words
    for name in results.trained:
        assert name in words
        for attack in ATTACKS:
            for eps in results["eps"]:
                assert f"{100 * results.accuracy(name, attack, eps):.1f}" in words
    assert results["about"]["command"] in words


def test_the_worst_case_is_worst_and_never_rises(report):
    results = report[0]
    for name in results.trained:
        worst = np.array([results.mask(name, eps) for eps in results["radii"]])
        assert not np.any(worst[1:] & ~worst[:-1])
        for attack in PAPER_ATTACKS:
            single = np.array([results.mask(name, eps, attack) for eps in results["radii"]])
            assert not np.any(worst & ~single)
        assert results.curve(name, WORST) == worst.mean(1).tolist()


@pytest.mark.parametrize(
    ("eps", "radii"),
    [
        ((0.05, 0.1, 0.2), [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4]),
        ((0.02, 0.1), [0.02, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2]),
    ],
)
def test_curves_pass_through_the_strengths_of_the_table(eps, radii):
    assert _radii(eps) == pytest.approx(radii)
    assert set(eps) <= set(_radii(eps))


def test_processes_find_the_same_numbers(moons, run):
    results, _ = run("moons", ("NaturalNet", "MinMaxNet"), n_jobs=2, page=False)
    for name in results.trained:
        first, second = (found["nets"][name] for found in (moons[0], results))
        assert first["attacks"] == second["attacks"]
        assert first["training"]["train_loss"] == second["training"]["train_loss"]
    assert list(results["nets"]) == ["NaturalNet", "MinMaxNet"]


def interrupt(monkeypatch, stage, name):
    """Let Ctrl-C come at the first step of a stage of a net."""
    original = processes.run_model

    def run_model(asked, data, settings, tell, stop):
        def tell_or_interrupt(*step):
            if step == (stage, name):
                raise KeyboardInterrupt
            tell(*step)

        return original(asked, data, settings, tell_or_interrupt, stop)

    monkeypatch.setattr(processes, "run_model", run_model)


@pytest.mark.parametrize("stage", ["training", "attacks"])
def test_an_interruption_reports_what_is_there(stage, monkeypatch, run):
    interrupt(monkeypatch, stage, "MinMaxNet")
    results, folder = run("moons", ("NaturalNet", "MinMaxNet", "AdvTrainNet"))
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert results["interrupted"] and results.attacked == ["NaturalNet"]
    assert list(results["nets"]) == ["NaturalNet", "MinMaxNet"]
    assert (
        "This comparison was interrupted" in text and "Unfinished: MinMaxNet, AdvTrainNet" in text
    )
    assert (stage == "attacks") == (folder / "nets" / "MinMaxNet.net").exists()


def test_an_interruption_before_any_attack_still_shows_training(monkeypatch, run):
    interrupt(monkeypatch, "attacks", "NaturalNet")
    results, folder = run("moons", ("NaturalNet",))
    assert results["summary"] is None and results.trained == ["NaturalNet"]
    assert "No net was attacked" in (folder / "index.html").read_text(encoding="utf-8")


def test_an_interruption_before_any_net_reports_nothing(monkeypatch, run):
    interrupt(monkeypatch, "training", "NaturalNet")
    with pytest.raises(KeyboardInterrupt):
        run("moons", ("NaturalNet",))


def test_a_finished_comparison_repeats_nothing(moons, tmp_path, monkeypatch, capsys):
    results, folder = moons
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)

    def never(*args, **kwargs):
        raise AssertionError("done again")

    monkeypatch.setattr("sklearn_robust.report._compare._N_CURVE", 1)
    monkeypatch.setattr("sklearn_robust.report._files.write_page", lambda *_: None)
    monkeypatch.setattr("sklearn_robust.report.studies._run", never)
    monkeypatch.setattr("sklearn_robust.report._work.train_net", never)
    monkeypatch.setattr("sklearn_robust.report._work.attack_model", never)
    asked = results["settings"] | {"output": str(tmp_path), "resume": True, "verbosity": 1}
    again, _ = compare(Settings(**{name: _as_given(value) for name, value in asked.items()}))
    said = capsys.readouterr().out
    assert "MinMaxNet is trained already, and attacked with 4 of 4 strengths." in said
    for part in ("nets", "studies", "summary"):
        assert json.loads(json.dumps(again[part])) == json.loads(json.dumps(results[part]))
    assert again.arrays.keys() == results.arrays.keys()
    for name, array in again.arrays.items():
        np.testing.assert_array_equal(array, results.arrays[name])


def _as_given(value):
    return tuple(value) if isinstance(value, list) else value


MINE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn_robust.datasets import load_moons

class Rounded(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_features_in_ = 2
        return self

    def predict_proba(self, X):
        p = np.clip(0.5 + (X[:, 1] - 0.5) // 0.1 / 10, 0, 1)
        return np.column_stack([p, 1 - p])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]

def model():
    return Rounded().fit(*load_moons(100, random_state=0))
"""


def test_a_mix_of_nets_and_models_shows_which_numbers_are_bounds(tmp_path, run):
    (tmp_path / "mine.py").write_text(MINE)
    forest = tmp_path / "tree.joblib"
    joblib.dump(DecisionTreeClassifier(max_depth=3).fit(*load_moons(200, random_state=0)), forest)
    models = (str(forest), f"{tmp_path / 'mine.py'}:model")
    results, folder = run(
        "moons", ("NaturalNet",), models=models, trust_pickle=True, eps=(0.1,), samples=30
    )
    assert results.attacked == ["NaturalNet", "tree.joblib", "mine.py:model"]
    assert results.white_box == ["NaturalNet"]
    assert not results.is_bound("tree.joblib")  # exact
    assert results.is_bound("mine.py:model")
    assert results["summary"]["ranking"][-1] == "mine.py:model"
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "<title>Robustness of one net and two models" in text
    assert "Only upper bounds</strong>: mine.py:model" in text
    assert "tree.joblib" in text and "(exact)" in text and "≤ " in text
    axis = curves(results).blocks[0].draw().axes[0]
    marks = {line.get_label(): line for line in axis.get_lines()}
    hollow = {name: line.get_markerfacecolor() == "none" for name, line in marks.items()}
    assert [hollow[name] for name in hollow if name.startswith("mine")] == [True]
    assert [hollow[name] for name in hollow if name.startswith(("Nat", "tree"))] == [False] * 2
    assert [name for name in hollow if "(upper bound)" in name] == [
        name for name in hollow if name.startswith("mine")
    ]


def test_models_alone_need_no_net(tmp_path, run):
    path = tmp_path / "linear.joblib"
    joblib.dump(LogisticRegression().fit(*load_moons(200, random_state=0)), path)
    results, folder = run("moons", (), models=(str(path),), trust_pickle=True, eps=(0.1,))
    assert results.attacked == ["linear.joblib"] and "studies" not in results.plain
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "nothing was trained here" in text and f"sklearn-robust evaluate {path}" in text
    assert (
        results["nets"]["linear.joblib"]["attacks"]["certified"]
        == (results["nets"]["linear.joblib"]["attacks"]["worst case"])
    )


def test_a_mistaken_model_is_told_before_anything_is_trained(tmp_path, run):
    for models, words in [
        ((str(tmp_path / "none.skops"),), "there is no file .*none.skops"),
        (("a/m.skops", "b/m.skops"), "--models names two models m.skops"),
    ]:
        with pytest.raises(BadInput, match=words):
            run("moons", ("NaturalNet",), models=models)


def test_one_failed_net_does_not_cost_the_others(monkeypatch, run):
    def fit(self, X, y):
        raise TrainingDivergedError("the loss of NaturalNet became nan")

    monkeypatch.setattr(NaturalNet, "fit", fit)
    results, folder = run("moons", ("NaturalNet", "JacobianRegNet"))
    assert results.attacked == ["JacobianRegNet"]
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "NaturalNet is missing: the loss of NaturalNet became nan" in text
    with pytest.raises(BadInput, match="no net could be trained. NaturalNet: the loss"):
        run("moons", ("NaturalNet",))


def test_rows_of_many_features_need_strengths_and_have_no_picture(tmp_path, run):
    rng = np.random.default_rng(0)
    y = np.array(["no $", "yes <b>"])[np.arange(80) % 2]
    X = rng.normal(size=(80, 5)).astype("float32") + 3 * (y == "no $")[:, None]
    path = tmp_path / "rows.npz"
    np.savez(path, X_train=X, y_train=y, X_test=X[:30], y_test=y[:30])
    with pytest.raises(BadInput, match="no usual strengths .* give some"):
        compare(Settings(data=str(path), output=str(tmp_path / "out"), verbosity=0))
    results, folder = run(str(path), ("NaturalNet",), eps=(0.5,))
    assert results["data"]["bounds"] is None
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"id=.(?:examples|regions)", text)
