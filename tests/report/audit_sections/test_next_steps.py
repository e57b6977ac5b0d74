"""What to do next follows from what was found."""

import ast
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_robust.metrics import suggest_eps
from sklearn_robust.report.audit_sections._next_steps import advice, command

RNG = np.random.default_rng(0)
Y = np.arange(200) % 2
X = RNG.normal(size=(200, 3)) * [1, 10, 100] + 50 * Y[:, None] * [1, 10, 100]


def audit(X=X, eps=None, typed=None, **changes):
    """Make findings that call for as little advice as possible, and change some of them."""
    meaning = suggest_eps(X, Y[: len(X)], eps=eps)
    found = {
        "clean": 0.95,
        "attacked": 0.93,
        "attacked_interval": [0.91, 0.95],
        "per_class": [{"label": "a", "worst_case": 0.93, "clean": 0.95, "support": 99}] * 2,
    }
    inside = X.min() >= 0 and X.max() <= 1
    plain = {
        "verdict": {"signs": changes.pop("signs", {})},
        "model": {"differentiable": changes.pop("differentiable", True)},
        "threat": {"norm": "linf", "bounds": [0, 1] if inside else None},
        "data": {"n_samples": 1000, "sample_shape": list(X.shape[1:])},
        "attack": "WorstCase(eps=0.1)",
        "accuracy": found | changes,
    }
    words = {"eps": "0.1", "eps_python": "0.1"} | (typed or {})
    return SimpleNamespace(
        plain=plain, meaning=meaning, typed=words, trusted=not plain["verdict"]["signs"]
    )


def titles(report):
    return [step.title for step in advice(report)]


def test_a_sound_model_is_confirmed_and_kept():
    assert titles(audit()) == ["Confirm it before you publish it", "Keep it so"]


@pytest.mark.parametrize(
    ("report", "title"),
    [
        (audit(signs={"one step": "..."}), "Attack again before you believe the number"),
        (audit(signs={"black box": "..."}, differentiable=False), "Search longer"),
        (audit(eps=1e-4), "Ask more of the model"),
        (audit(eps=1e4), "Ask what is possible"),
        (audit(typed={"suggested": True}), "Choose eps yourself"),
        (audit(attacked=0.4), "Train for robustness"),
        (audit(attacked_interval=[0.8, 0.95]), "Judge it on more samples"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_finding_has_its_advice_first(report, title):
    assert titles(report)[0] == title
    assert "Keep it so" in titles(report)


def test_a_weak_class_is_named():
    rows = [
        {"label": "cat", "worst_case": 0.3, "clean": 0.9, "support": 50},
        {"label": "dog", "worst_case": 0.99, "clean": 1.0, "support": 950},
        {"label": "owl", "worst_case": 0.0, "clean": 1.0, "support": 2},
    ]
    assert "Look at class cat" in titles(audit(per_class=rows))


def test_random_outputs_need_another_attack():
    step = advice(audit(signs={"randomness": "..."}))[0]
    assert "AutoAttack(version='rand')" in step.code


@pytest.mark.parametrize(
    "report",
    [
        audit(attacked=0.4, signs={"one step": "..."}),
        audit(attacked=0.4, typed={"eps": "10%", "eps_python": "'10%'", "suggested": True}),
        audit(RNG.random((200, 3)), attacked=0.4, typed={"eps": "5%", "eps_python": "'5%'"}),
        audit(RNG.random((200, 1, 4, 4)), attacked=0.4, attacked_interval=[0.2, 0.6]),
        audit(differentiable=False, signs={"black box": "..."}, attacked=0.4),
    ],
)
def test_lines_are_python(report):
    codes = [step.code for step in advice(report)]
    assert len(codes) > 2
    for code in codes:
        ast.parse(code)


def test_lines_of_the_shell_are_accepted_by_the_command(capsys):
    from sklearn_robust.cli import _make_parser

    typed = {"model": "my model.skops", "data": "a.csv", "options": {"target": "z"}, "eps": "5%"}
    report = audit(attacked=0.4, attacked_interval=[0.2, 0.6], typed=typed, signs={"gradient": ""})
    lines = [step.code for step in advice(report) if step.code.startswith("sklearn-robust")]
    assert len(lines) >= 3
    for line in lines:
        args = _make_parser().parse_args(shlex.split(line)[1:])
        assert args.model == "my model.skops" and args.target == "z"


def test_audits_from_python_have_no_command_line():
    assert command(audit()) == ""
