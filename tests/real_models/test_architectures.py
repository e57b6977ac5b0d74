"""Each architecture through each public function: right, or refused in one sentence."""

from functools import lru_cache

import pytest

from tests.real_models.architectures import ARCHITECTURES, FULL
from tests.real_models.functions import FUNCTIONS, Subject, applies, cell, must_be_right
from tests.real_models.verdicts import RIGHT

QUICK = {  # models that the default selection takes; the others run with --slow
    "VGG-11 with BatchNorm",
    "ViT-B/16",
    "ConvNeXt tiny",
    "DenseNet-121",
    "Swin-T",
    "LSTM, own zero state",
    "GRU",
    "Transformer encoder",
    "1-D CNN",
    "two branches",
    "DeepSets",
    "Fourier neural operator",
    "skorch binary classifier",
}


@lru_cache(maxsize=1)
def subject_of(architecture):
    return Subject(architecture)


# Cells that are neither right nor refused in a sentence.
def cells(architectures):
    for architecture in architectures:
        marks = [
            pytest.mark.skipif(
                not architecture.installed, reason=f"{architecture.needs} is not installed"
            )
        ]
        if architecture.name not in QUICK:
            marks.append(pytest.mark.slow)
        for function in FUNCTIONS:
            if applies(architecture, function):
                name = f"{architecture.name}-{function}"
                yield pytest.param(architecture, function, id=name, marks=marks)


@pytest.mark.filterwarnings("ignore")  # of the libraries that make the models
@pytest.mark.parametrize(("architecture", "function"), [*cells(ARCHITECTURES), *cells(FULL)])
def test_every_cell_is_right_or_refused_in_a_sentence(architecture, function):
    verdict = cell(subject_of(architecture), function)
    assert verdict.good, f"{verdict.kind}: {verdict.note}"
    if must_be_right(architecture, function):
        assert verdict.kind == RIGHT, verdict.note


def test_the_table_is_printed_as_rst(capsys, monkeypatch):
    from examples.tables import table_models

    monkeypatch.setattr("sys.argv", ["table_models.py", "--models", "two branches", "--brief"])
    table_models.main()
    printed = capsys.readouterr().out
    assert ".. list-table::" in printed and "two branches" in printed and "raw error" in printed
