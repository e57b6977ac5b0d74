"""The page of an audit, its model card and its files."""

import json
import re

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from sklearn_robust import NaturalNet, robustness_page
from sklearn_robust.attacks import PGD, Square
from sklearn_robust.report import BadInput

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]


@pytest.fixture(scope="module", autouse=True)
def short_curves():
    """Attack with few radii."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_FACTORS", "_FACTORS_BLACK_BOX"):
            patch.setattr(f"sklearn_robust.report._audit.{name}", (0.5, 1.0))
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Audit of a table: (report, folder)."""
    model = LogisticRegression(C=100, max_iter=1000).fit(X, Y)
    folder = tmp_path_factory.mktemp("page")
    names = ["sepal <length>", "sepal width", "petal length", "petal width"]
    return robustness_page(model, X, Y, eps=0.3, feature_names=names, output=folder), folder


@pytest.fixture(scope="module")
def image_page(tmp_path_factory):
    digits = load_digits()
    images = digits.images[:120, None] / 16
    net = NaturalNet(max_epochs=3, random_state=0).fit(images, digits.target[:120])
    folder = tmp_path_factory.mktemp("page")
    attack = PGD(max_iter=5)
    return robustness_page(
        net, images[:30], digits.target[:30], attack=attack, output=folder
    ), folder


@pytest.fixture(scope="module")
def tree_page(tmp_path_factory):
    tree = KNeighborsClassifier(4).fit(X[:, 2:], Y)
    folder = tmp_path_factory.mktemp("page")
    attack = Square(max_iter=50)
    return robustness_page(tree, X[:, 2:], Y, eps=0.1, attack=attack, output=folder), folder


def html(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def test_the_page_answers_in_order(page):
    titles = re.findall("<h2>(.*?)</h2>", html(page[1]))
    assert titles == [
        "How robust is it?",
        "What does eps mean here?",
        "Can I trust it?",
        "What should I do next?",
        "Why?",
        "Details",
    ]


def test_the_answer_comes_first_with_its_numbers(page):
    report, folder = page
    found = report.plain["accuracy"]
    answer = html(folder).split("<h2>")[1]
    assert f"At most {100 * found['attacked']:.1f}\N{NO-BREAK SPACE}%" in answer
    assert f"{100 * found['clean']:.1f}\N{NO-BREAK SPACE}%" in answer
    assert "What to do next: <strong>" in answer


def test_the_page_stands_alone_and_is_small(page, image_page):
    for _, folder in (page, image_page):
        text = html(folder)
        assert len(text) < 3e6
        assert not re.search(r'(src|href)="(?!#|data:)', text)
        assert "<script" not in text


def test_every_figure_has_words(page, image_page, tree_page):
    for _, folder in (page, image_page, tree_page):
        text = html(folder)
        labels = re.findall(r'<svg role="img" aria-label="(.{30,}?)"', text)
        assert len(labels) == text.count("<figure>") > 0
        assert "prefers-color-scheme: dark" in text


def test_details_are_folded(page):
    text = html(page[1])
    assert text.count("<details>") >= 4 and "<details open" not in text


def test_names_are_escaped(page):
    assert "sepal &lt;length&gt;" in html(page[1]) and "<length>" not in html(page[1])


def test_scores_alone_are_marked(tree_page, page):
    text = html(tree_page[1])
    for words in ("upper bound (scores alone)", "hollow marks on a dashed line", "class=bound"):
        assert words in text and words not in html(page[1])
    assert "stroke-dasharray" in text.split("How robust")[2].split("Can I trust")[0]
    assert "Only as an upper bound" in text and "Search longer" in text


def test_images_speak_of_grey_levels(image_page):
    text = html(image_page[1])
    assert "25.5 of 255 grey levels" in text and "It was chosen here, since none was given" in text
    assert "Map of the image" in text


def test_files_lie_beside_the_page(page):
    report, folder = page
    assert json.loads((folder / "evidence.json").read_text()) == json.loads(report.to_json())
    card = (folder / "model_card.md").read_text()
    assert card == report.model_card()
    found = report.plain["accuracy"]
    assert f"| Robust accuracy, at most | {found['attacked']:.1%} (95 % interval" in card
    assert f"| Robust accuracy, at least | {found['certified']:.1%} |" in card
    assert report.plain["data"]["sha256"] in card
    assert all(len(row.split("|")) in (1, 4, 5) for row in card.splitlines())
    assert {path.name for path in (folder / "figures").iterdir()} == {
        "curve.png",
        "sensitivity.png",
    }


def test_the_report_prints_the_answer(page):
    lines = repr(page[0]).splitlines()
    assert lines[0].startswith("LogisticRegression: robust accuracy at most ")
    assert lines[-1] == f"page: {page[0].page}"


def test_no_output_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    report = robustness_page(model, X[::5], Y[::5], eps=0.1, output=None)
    assert report.page is None and list(tmp_path.iterdir()) == []
    assert report.to_json("a.json") == (tmp_path / "a.json").read_text()


def test_pages_of_others_are_not_overwritten(tmp_path):
    (tmp_path / "index.html").touch()
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    with pytest.raises(BadInput, match="has an index.html that is not of an audit"):
        robustness_page(model, X, Y, eps=0.1, output=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot write to"):
        robustness_page(model, X, Y, eps=0.1, output=tmp_path / "file" / "out")


def test_a_proof_is_a_number_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sklearn_robust.metrics._report.certified_mask", lambda *_: np.arange(50) < 25
    )
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    report = robustness_page(model, X, Y, eps=0.1, output=tmp_path)
    text = html(tmp_path)
    assert "At least 50.0" in text and "proven robust (lower bound)" in text
    assert "| Robust accuracy, at least | 50.0% |" in report.model_card()
