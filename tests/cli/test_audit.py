"""The command that audits a model, as a person types it."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust.cli import main

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": RNG.normal(40, 9, 60), "pay": RNG.normal(3000, 800, 60)})
Y = np.where(FRAME["age"] + FRAME["pay"] / 100 > 70, "yes", "no")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, Y)
    joblib.dump(model, "model.joblib")
    FRAME.assign(target=Y).to_csv("test.csv", index=False)
    return tmp_path


def test_an_audit_prints_the_answer_and_writes_the_page(folder, capsys):
    argv = "audit model.joblib --data test.csv --eps 5% --trust-pickle --output out".split()
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "Pipeline: robust accuracy at most" in out and err == ""
    assert out.splitlines()[-1] == "Open out/index.html in a browser: it says what to do next."
    plain = json.loads((folder / "out" / "evidence.json").read_text())
    assert plain["command"] == (
        "sklearn-robust audit model.joblib --data test.csv --eps 5% --trust-pickle --samples 1000"
    )
    assert "<h1>Robustness of Pipeline on test.csv</h1>" in (folder / "out/index.html").read_text()


def test_the_command_of_the_page_repeats_it(folder, capsys):
    argv = "audit model.joblib --data test.csv --eps 5% --trust-pickle --quiet --seed 3".split()
    assert main([*argv, "--output", "a"]) == 0
    first = json.loads((folder / "a" / "evidence.json").read_text())
    assert main([*first["command"].split()[1:], "--quiet", "--output", "b"]) == 0
    assert capsys.readouterr() == ("", "")
    second = json.loads((folder / "b" / "evidence.json").read_text())
    assert {**first, "made": ""} == {**second, "made": ""}


def test_a_folder_of_images_keeps_its_names(folder, capsys):
    for number in range(12):
        name = ("cat", "dog")[number % 2]
        (folder / "pets" / name).mkdir(parents=True, exist_ok=True)
        pixels = RNG.integers(0, 100, (4, 4)) + 100 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "pets" / name / f"{number}.png")
    (folder / "mine.py").write_text(
        "import torch\n"
        "def model():\n"
        "    layer = torch.nn.Linear(16, 2)\n"
        "    torch.nn.init.constant_(layer.weight[0], -1.0)\n"
        "    torch.nn.init.constant_(layer.weight[1], 1.0)\n"
        "    layer.bias.data[:] = torch.tensor([6.0, -6.0])\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), layer)\n"
    )
    assert main("audit mine.py:model --data pets --eps 8/255 --quiet --output out".split()) == 0
    plain = json.loads((folder / "out" / "evidence.json").read_text())
    assert plain["data"]["classes"] == ["cat", "dog"] and plain["accuracy"]["clean"] == 1
    assert plain["data"]["title"] == "pets (12 images)"


MISTAKES = [
    ("audit model.joblib --data test.csv", "add --trust-pickle"),
    ("audit none.net --data test.csv", "there is no file none.net"),
    ("audit model.joblib --data test.csv --trust-pickle --eps 0", "'0' is not a strength"),
    ("audit model.joblib --data test.csv --trust-pickle --eps x%", "'x%' is not a strength"),
    ("audit model.joblib --data none.csv --trust-pickle", "there is no file or folder none.csv"),
    ("audit model.joblib --data lacking.csv --trust-pickle", "lacks columns that the model was"),
    ("audit model.joblib --data other.csv --trust-pickle --eps 1%", "was not fitted on: ['x']"),
    ("audit model.joblib --data empty --trust-pickle", "holds no images in folders"),
    ("audit model.joblib --data wide.npz --trust-pickle --eps 1%", "has 3 features"),
    ("audit unit.py:model --data unit.npz --eps 255/8", "did you mean 8/255?"),
    ("audit model.joblib --data test.csv --trust-pickle --device gpu", "device is 'gpu'"),
    ("audit model.joblib --data test.csv --trust-pickle --output model.joblib/a", "cannot write"),
    ("check model.joblib --data test.csv --eps 5% --trust-pickle", "give --at-least, such as"),
    ("check model.joblib --data test.csv --at-least .5", "required: --eps"),
    ("check model.joblib --data test.csv --eps 5% --at-least 1.2", "'1.2' is not a share"),
    ("check model.joblib --data test.csv --eps 5% --baseline no.json", "there is no file no.json"),
    ("check model.joblib --data test.csv --eps 5% --baseline test.csv", "is no evidence"),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_gets_one_sentence(line, words, folder, capsys):
    FRAME[["age"]].assign(target=Y).to_csv("lacking.csv", index=False)
    FRAME.assign(target="x").to_csv("other.csv", index=False)
    (folder / "empty").mkdir()
    np.savez("wide.npz", X=np.ones((4, 3)), y=Y[:4])
    np.savez("unit.npz", X=np.eye(4), y=np.arange(4) % 2)
    (folder / "unit.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "model = LogisticRegression().fit([[0.0] * 4, [1.0] * 4], [0, 1])\n"
    )
    try:
        code = main(line.split())
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and words in err
    assert len(err.splitlines()) == 1
    assert not any(folder.glob("report/*.html"))
