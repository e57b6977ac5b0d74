"""The command, as a person types it."""

import json
import runpy
import sys

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet
from sklearn_robust.cli import main
from sklearn_robust.datasets import load_moons

QUICK = "--data moons --epochs 1 --samples 20 --train-samples 60 --n-jobs 1".split()


@pytest.fixture(autouse=True)
def short_curves(monkeypatch):
    """Attack with few strengths beside those of the tables."""
    monkeypatch.setattr("sklearn_robust.report._compare._N_CURVE", 1)


@pytest.fixture
def no_page(monkeypatch):
    """Leave out the page and its figures, which take the longest."""
    monkeypatch.setattr(
        "sklearn_robust.report._files.write_page", lambda _, folder: folder / "index.html"
    )


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "moons.net"
    NaturalNet(max_epochs=1, random_state=0).fit(*load_moons(random_state=0)).save(path)
    return str(path)


def test_compare_prints_a_table_and_where_the_report_is(no_page, tmp_path, capsys):
    code = main(["compare", *QUICK, "--nets", "NaturalNet", "--output", str(tmp_path / "out")])
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0] == "training: 1 steps of one epoch each ..."
    assert any(line.startswith("attacks: ") for line in lines)
    assert lines[-3].split()[-6:] == ["natural", "FGSM", "BIM", "C&W", "worst", "case"]
    assert lines[-2].split()[0] == "NaturalNet" and len(lines[-2].split()) == 6
    assert str(tmp_path / "out" / "index.html") in lines[-1]


def test_quiet_is_silent(no_page, tmp_path, capsys):
    argv = ["compare", *QUICK, "--quiet", "--nets", "NaturalNet", "--output", str(tmp_path / "out")]
    assert main(argv) == 0
    assert capsys.readouterr() == ("", "")


def test_verbose_shows_bars_anywhere(no_page, tmp_path, capsys):
    argv = ["compare", *QUICK, "--verbose", "--nets", "NaturalNet", "--output", str(tmp_path)]
    assert main(argv) == 0
    err = capsys.readouterr().err
    assert "training" in err and "attacks" in err and "NaturalNet" in err


def test_lists_are_written_with_commas_or_spaces(no_page, tmp_path, capsys):
    for number, words in enumerate(
        (
            "--nets NaturalNet,JacobianRegNet --eps .1,8/255",
            "--nets NaturalNet JacobianRegNet --eps 8/255 .1",
        )
    ):
        assert (
            main(["compare", *QUICK, *words.split(), "--output", str(tmp_path / str(number))]) == 0
        )
    first, second = (json.loads((tmp_path / n / "results.json").read_text()) for n in "01")
    assert first["eps"] == second["eps"] == [8 / 255, 0.1]
    assert first["nets"].keys() == second["nets"].keys() == {"NaturalNet", "JacobianRegNet"}


def test_the_command_in_the_report_repeats_it(no_page, tmp_path, capsys):
    eps = ["3/255", ".1", "0.1234567"]
    argv = ["compare", *QUICK, "--nets", "MinMaxNet", "--eps", *eps, "--seed", "4"]
    assert main([*argv, "--output", str(tmp_path / "a")]) == 0
    first = json.loads((tmp_path / "a" / "results.json").read_text())
    words = first["about"]["command"].split()
    assert words[0] == "sklearn-robust"
    assert main([*words[1:], "--output", str(tmp_path / "b")]) == 0
    second = json.loads((tmp_path / "b" / "results.json").read_text())
    assert second["about"]["command"] == first["about"]["command"]
    for part in ("eps", "train_eps", "radii", "data"):
        assert first[part] == second[part]
    assert first["nets"]["MinMaxNet"]["attacks"] == second["nets"]["MinMaxNet"]["attacks"]


def test_evaluate_prints_a_table(net, capsys):
    assert (
        main(["evaluate", net, "--data", "moons", "--samples", "20", "--eps", ".1", "8/255"]) == 0
    )
    title, head, *rows = capsys.readouterr().out.splitlines()
    assert title == "NaturalNet, 20 test samples of two half moons (2 features), linf"
    assert head.split()[-5:] == ["FGSM", "BIM", "C&W", "worst", "case"]
    assert [row.split()[0] for row in rows] == ["natural", "eps=8/255", "eps=0.1"]
    assert len({len(row) for row in [head, *rows]}) == 1


def test_evaluate_prints_json(net, capsys):
    argv = ["evaluate", net, "--data", "moons", "--samples", "20", "--attack", "cw", "--json"]
    assert main(argv) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["accuracy"]) == ["C&W"] and len(result["accuracy"]["C&W"]) == 3


def test_evaluate_prints_both_sides(net, capsys):
    argv = ["evaluate", net, "--data", "moons", "--samples", "20", "--eps", ".02", "--certify"]
    assert main([*argv, "--attack", "fgsm"]) == 0
    _, head, natural, row = capsys.readouterr().out.splitlines()
    assert head.split()[-4:] == ["certified", "so", "it", "is"]
    assert any(words in row for words in ("exact", "within", "between"))


def test_compare_prints_both_sides_of_models(no_page, tmp_path, capsys):
    path = tmp_path / "linear.joblib"
    joblib.dump(LogisticRegression().fit(*load_moons(200, random_state=0)), path)
    argv = ["compare", *QUICK, "--models", str(path), "--output", str(tmp_path / "out")]
    assert main(argv) == 2
    assert "add --trust-pickle" in capsys.readouterr().err
    assert main([*argv, "--trust-pickle"]) == 0
    *_, head, row, _ = capsys.readouterr().out.splitlines()
    assert head.split()[-5:] == ["case", "certified", "so", "it", "is"]
    assert row.split()[0] == "linear.joblib" and row.split()[-1] == "exact"


MISTAKES = [
    ("compare --data digit", "there is no data set 'digit'"),
    ("compare --data none.npz", "There is no file none.npz"),
    ("compare --data moons --nets Nett", "there is no net Nett"),
    ("compare --data moons --eps 0", "'0' is not a strength"),
    ("compare --data moons --eps -0.1", "'-0.1' is not a strength"),
    ("compare --data moons --eps nan", "'nan' is not a strength"),
    ("compare --data moons --eps 1/0", "'1/0' is not a strength"),
    ("compare --data moons --epochs 0", "'0' is not a count"),
    ("compare --data moons --samples many", "'many' is not a count"),
    ("compare --data moons --seed -1", "'-1' is not a seed"),
    ("compare --data moons --n-jobs 0", "'0' is not a number of processes"),
    ("compare --data moons --device gpu", "device is 'gpu'"),
    ("compare --data moons --verbose --quiet", "not allowed with"),
    ("compare", "required: --data"),
    ("evaluate none.net --data moons", "there is no file none.net"),
    ("evaluate none.net --data moons --attack all", "invalid choice: 'all'"),
    ("", "required: audit | check | compare | evaluate"),
    ("train", "invalid choice: 'train'"),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_gets_one_sentence(line, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(line.split())
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and words in err
    assert len(err.splitlines()) == 1
    assert not any((tmp_path / "report").glob("*.html"))


def test_an_output_that_cannot_be_written_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["compare", *QUICK, "--output", str(tmp_path / "file" / "out")]) == 2
    assert "cannot write to" in capsys.readouterr().err


def test_a_file_of_bytes_that_is_no_net_is_refused(tmp_path, capsys):
    np.savez(tmp_path / "a.net.npz", a=1)
    assert main(["evaluate", str(tmp_path / "a.net.npz"), "--data", "moons"]) == 2
    assert "is not a net" in capsys.readouterr().err


def test_an_interruption_says_so(monkeypatch, capsys):
    def interrupted(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_robust.report.compare", interrupted)
    assert main(["compare", "--data", "moons"]) == 130
    said = (
        "interrupted. To go on from here, type:\n  sklearn-robust compare --data moons --resume\n"
    )
    assert capsys.readouterr().err == said
    assert main(["compare", "--data", "moons", "--resume"]) == 130
    assert capsys.readouterr().err == said


def test_the_package_runs_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sklearn_robust", "--version"])
    with pytest.raises(SystemExit) as leaving:
        runpy.run_module("sklearn_robust", run_name="__main__")
    assert not leaving.value.code
    assert capsys.readouterr().out.startswith("sklearn_robust ")
