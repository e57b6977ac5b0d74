"""What to do next: advice that follows from what was found, with lines to type."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import numpy as np

from ...metrics._suggest_eps import is_image
from .._audit_report import AuditReport
from .._blocks import Section, Step, Text
from ..sections._format import percent

__all__ = ["advice", "next_steps"]

_TINY = 0.01  # share of the standard deviation below which eps asks little
_DROP = 0.1  # loss of accuracy under attack that is worth training against
_WIDE = 0.1  # width of an interval that says little


def next_steps(report: AuditReport) -> Section:
    """Section with the advice, most urgent first."""
    steps = advice(report)
    intro = "In this order; each line can be typed as it is."
    return Section("next", "What should I do next?", [Text(intro), *steps])


def advice(report: AuditReport) -> list[Step]:
    """List the steps that suit what was found, most urgent first."""
    return [step for rule in RULES if (step := rule(report)) is not None]


def command(report: AuditReport, name: str = "audit", **changes: object) -> str:
    """Command line with options of the audit, some of them changed; "" if there was none."""
    typed = report.typed
    if "model" not in typed:
        return ""
    options = {"eps": typed.get("eps"), **typed.get("options", {}), **changes}
    words = ["sklearn-robust", name, typed["model"], "--data", typed["data"]]
    for option, value in options.items():
        if value is not None:
            words.append(f"--{option.replace('_', '-')}")
            words += [] if value is True else [str(value)]
    return shlex.join(words)


def _lines(report: AuditReport, shell: str, python: str) -> str:
    """Lines for the shell where the audit came from there, else for Python."""
    return shell or python


def _stronger_attack(report: AuditReport) -> Step | None:
    """Attack again where the number cannot be trusted."""
    signs = report.plain["verdict"]["signs"]
    if not signs:
        return None
    eps = report.typed["eps_python"]
    norm = report.plain["threat"]["norm"]
    if not report.plain["model"]["differentiable"]:
        return Step(
            "Search longer",
            "Scores alone were searched with 1,000 queries per sample. If five times as many find "
            "more, the number was too high.",
            _lines(
                report,
                command(report, attack="square"),
                "from sklearn_robust.attacks import Square\n"
                "robustness_page(model, X, y, "
                f"eps={eps}, norm={norm!r}, attack=Square(max_iter=5000, n_restarts=2))",
            ),
        )
    version = "rand" if "randomness" in signs else "standard"
    why = (
        "The model's outputs are random, so that an attack must average over several passes."
        if version == "rand"
        else "An ensemble of attacks, one of them without gradients, is harder to mislead."
    )
    choice = "autoattack-rand" if version == "rand" else "autoattack"
    return Step(
        "Attack again before you believe the number",
        why,
        _lines(
            report,
            command(report, attack=choice),
            "from sklearn_robust.attacks import AutoAttack\n"
            f"robustness_page(model, X, y, eps={eps}, norm={norm!r}, "
            f"attack=AutoAttack(version={version!r}))",
        ),
    )


def _choose_eps(report: AuditReport) -> Step | None:
    """Say so where eps was not the user's choice, asks nothing, or asks the impossible."""
    found = report.meaning
    share = found.share[np.isfinite(found.share) & (found.share > 0)]
    tiny = share.size and np.median(share) < _TINY and found.grey_levels is None
    if tiny:
        return Step(
            "Ask more of the model",
            f"This eps is {percent(float(np.median(share)), ' %')} of the standard deviation of "
            "the median feature. Almost nothing may change, so that a high number says little.",
            _eps_line(report, "10%"),
        )
    if found.best_possible is not None and found.best_possible < 0.9:
        return Step(
            "Ask what is possible",
            f"No classifier can keep more than {percent(found.best_possible)} at this eps, since "
            "samples of different classes lie too close to each other. Try half of it.",
            _eps_line(report, _half(report)),
        )
    if report.typed.get("suggested"):
        return Step(
            "Choose eps yourself",
            "It should be the largest change that must not matter: an error of the sensor, a "
            "difference that nobody sees, what a dishonest applicant could alter. This one was "
            "chosen from the data alone.",
            _eps_line(report, _half(report)),
        )
    return None


def _half(report: AuditReport) -> str:
    typed = report.typed.get("eps")
    if typed and typed.endswith("%"):
        return f"{float(typed[:-1]) / 2:g}%"
    return f"{float(np.max(report.meaning.eps)) / 2:.3g}"


def _eps_line(report: AuditReport, eps: str) -> str:
    shown = repr(eps) if eps.endswith("%") else eps
    norm = report.plain["threat"]["norm"]
    return _lines(
        report,
        command(report, eps=eps),
        f"robustness_page(model, X, y, eps={shown}, norm={norm!r})",
    )


def _more_samples(report: AuditReport) -> Step | None:
    """Ask for more samples where chance alone moves the number far."""
    low, high = report.plain["accuracy"]["attacked_interval"]
    n = report.plain["data"]["n_samples"]
    if high - low < _WIDE:
        return None
    wanted = int(np.ceil(n * ((high - low) / 0.06) ** 2 / 100) * 100)
    return Step(
        "Judge it on more samples",
        f"With {n:,} samples the interval is {percent(high - low, '')} points wide; about "
        f"{wanted:,} would bring it to 6.",
        command(report, samples=wanted)
        or f"robustness_page(model, X_more, y_more, eps={report.typed['eps_python']})",
    )


def _train(report: AuditReport) -> Step | None:
    """Show how to train against the attack where it costs much accuracy."""
    found = report.plain["accuracy"]
    if found["clean"] - found["attacked"] < _DROP:
        return None
    return Step(
        "Train for robustness",
        f"The attack takes {percent(found['clean'] - found['attacked'], '')} points of accuracy. "
        "Adversarial training usually wins back a good part, and costs some clean accuracy.",
        _training_lines(report),
    )


def _training_lines(report: AuditReport) -> str:
    norm = report.plain["threat"]["norm"]
    of_norm = "" if norm == "linf" else f", attack__norm={norm!r}"
    eps = report.typed["eps_python"]
    first = "from sklearn_robust import MinMaxNet\n"
    inside = report.plain["threat"]["bounds"] is not None
    if inside or is_image(tuple(report.plain["data"]["sample_shape"])) or norm != "linf":
        made = f"net = MinMaxNet(attack__eps={eps}{of_norm}).fit(X_train, y_train)\n"
        if eps.startswith("'"):
            share = float(eps.strip("'%")) / 100
            made = f"eps = {share:g} * X_train.std(axis=0)\n" + made.replace(eps, "eps")
    else:  # the net sees standard deviations, and so does its attack
        share = report.meaning.share
        same = np.ptp(share[share > 0]) < 1e-6 * share.max() if (share > 0).any() else False
        scaled = f"{float(share.max()):.4g}" if same else f"{eps} / X_train.std(axis=0)"
        first += (
            "from sklearn.pipeline import make_pipeline\n"
            "from sklearn.preprocessing import StandardScaler\n"
        )
        made = (
            f"net = make_pipeline(StandardScaler(), MinMaxNet(attack__eps={scaled}, "
            "attack__bounds=None)).fit(X_train, y_train)\n"
        )
    again = f"robustness_page(net, X, y, eps={eps}, norm={norm!r}, output='report-robust')"
    return f"{first}from sklearn_robust.report import robustness_page\n{made}{again}"


def _weak_class(report: AuditReport) -> Step | None:
    """Point at a class that is far weaker than the others."""
    found = report.plain["accuracy"]
    rows = [row for row in found["per_class"] if row["support"] >= 10]
    if len(rows) < 2:
        return None
    worst = min(rows, key=lambda row: row["worst_case"])
    if found["attacked"] - worst["worst_case"] < 0.15:
        return None
    return Step(
        f"Look at class {worst['label']}",
        f"It keeps {percent(worst['worst_case'])} of its {worst['support']} samples, all classes "
        f"together {percent(found['attacked'])}. More or cleaner samples of it may help most.",
        "",
    )


def _confirm(report: AuditReport) -> Step | None:
    """Confirm a number that looks sound with a stronger attack."""
    if not report.trusted or "AutoAttack" in report.plain["attack"]:
        return None
    eps, norm = report.typed["eps_python"], report.plain["threat"]["norm"]
    return Step(
        "Confirm it before you publish it",
        "AutoAttack is the usual standard. It takes longer, and often finds a few samples more.",
        _lines(
            report,
            command(report, attack="autoattack"),
            "from sklearn_robust.attacks import AutoAttack\n"
            f"robustness_page(model, X, y, eps={eps}, norm={norm!r}, attack=AutoAttack())",
        ),
    )


def _gate(report: AuditReport) -> Step | None:
    """Keep the number from falling unnoticed."""
    found = report.plain["accuracy"]
    demand = f"{np.floor(100 * found['attacked_interval'][0]) / 100:.2f}"
    allow = None if report.plain["model"]["differentiable"] else True
    shell = command(report, "check", attack=None, at_least=demand, allow_black_box=allow)
    python = (
        "from sklearn_robust.metrics import assert_robust\n"
        f"assert_robust(model, X, y, eps={report.typed['eps_python']}, at_least={demand}"
        + (", allow_black_box=True)" if allow else ")")
    )
    if "'" in report.typed["eps_python"]:
        share = float(report.typed["eps_python"].strip("'%")) / 100
        python = python.replace(report.typed["eps_python"], f"{share:g} * X.std(axis=0)")
    return Step(
        "Keep it so",
        f"A line in your build that fails when robust accuracy falls below {demand}, the low end "
        "of today's interval:",
        _lines(report, shell, python),
    )


RULES: list[Callable[[AuditReport], Step | None]] = [
    _stronger_attack,
    _choose_eps,
    _train,
    _more_samples,
    _weak_class,
    _confirm,
    _gate,
]
