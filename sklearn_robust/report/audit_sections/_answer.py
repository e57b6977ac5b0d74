"""How robust the model is: one sentence, the numbers, and a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...metrics._report import wilson_interval
from ...plotting._style import MUTED, PALETTE, make_figure, percent_axis
from .._audit_report import AuditReport
from .._blocks import Figure, Section, Text, Tiles
from ..sections._format import CERTAIN, percent
from ._next_steps import advice

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["answer", "by_scores_alone"]

_COLOR = PALETTE[3]


def by_scores_alone(report: AuditReport) -> bool:
    """Whether no attack of the report saw a gradient."""
    return "white box" not in report.kinds.values()


def answer(report: AuditReport) -> Section:
    """Section with the answer."""
    blocks: list[Any] = [Text(_sentence(report)), _tiles(report)]
    steps = advice(report)
    if steps:
        blocks.append(Text(f"What to do next: **{steps[0].title.lower()}**, as shown below."))
    if len(report.curve["factors"]) > 2:
        blocks.append(
            Figure("curve", lambda: _draw(report), _caption(report), _alt(report), narrow=True)
        )
    return Section("answer", "How robust is it?", blocks)


def _sentence(report: AuditReport) -> str:
    found, n = report.plain["accuracy"], report.plain["data"]["n_samples"]
    low, high = found["attacked_interval"]
    text = (
        f"**At most {percent(found['attacked'])}** of {n:,} samples keep their right class when "
        f"they may change by {report.eps_text}; without an attack {percent(found['clean'])} are "
        f"right."
    )
    if found["certified"] is not None:
        text += f" **At least {percent(found['certified'])}** are proven to."
    if not report.trusted:
        text += " **Do not rely on this number yet**: the reasons are below."
    return f"{text} ({CERTAIN} interval: {percent(low, '')} to {percent(high)})"


def _tiles(report: AuditReport) -> Tiles:
    found = report.plain["accuracy"]
    kind = "scores alone, an upper bound" if by_scores_alone(report) else "upper bound"
    tiles = [
        (percent(found["attacked"]), f"worst case under attack ({kind})", by_scores_alone(report)),
        (percent(found["clean"]), "without an attack", False),
    ]
    if found["certified"] is not None:
        tiles.insert(1, (percent(found["certified"]), "proven robust (lower bound)", False))
    return Tiles(tiles)


def _caption(report: AuditReport) -> str:
    kind = (
        "No gradient reaches the input, so that only scores were searched: hollow marks on a "
        "dashed line are upper bounds, and not to be compared with attacks that see gradients."
        if by_scores_alone(report)
        else "A finite attack finds an upper bound."
    )
    if len(set(report.kinds.values())) > 1:
        kind += " Attacks with gradients and searches by scores were put together here."
    return f"Accuracy against the strength of the attack, in multiples of eps. {kind}"


def _alt(report: AuditReport) -> str:
    pairs = zip(report.curve["factors"], report.curve["attacked"], strict=True)
    points = ", ".join(f"{percent(share)} at {factor:g} eps" for factor, share in pairs)
    kind = " (upper bounds from scores alone)" if by_scores_alone(report) else ""
    return f"Accuracy that falls as the attack grows{kind}: {points}."


def _draw(report: AuditReport) -> MplFigure:
    figure, axis = make_figure(5.2, 2.9)
    factors, shares = report.curve["factors"], report.curve["attacked"]
    n = report.plain["data"]["n_samples"]
    hollow = by_scores_alone(report)
    low, high = zip(*(wilson_interval(round(share * n), n) for share in shares), strict=True)
    axis.fill_between(factors, low, high, color=_COLOR, alpha=0.13, lw=0)
    marks = {"mfc": "none", "mec": _COLOR, "mew": 1.6, "ls": "--"} if hollow else {}
    label = "upper bound (scores alone)" if hollow else "worst case under attack"
    axis.plot(factors, shares, color=_COLOR, marker="o", label=label, **marks)
    certified = report.plain["accuracy"]["certified"]
    if certified is not None:
        axis.plot([1], [certified], marker="^", ls="", color=PALETTE[2], label="proven robust")
    chance = 1 / len(report.plain["data"]["classes"])
    axis.axhline(chance, color=MUTED, lw=1, ls=":", zorder=0)
    axis.annotate("guessing", (0, chance), xytext=(0, 3), textcoords="offset points", color=MUTED)
    axis.axvline(1, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    percent_axis(axis)
    axis.set(xlabel=f"strength, in multiples of eps ({report.plain['threat']['norm']})")
    axis.set_xticks(np.unique(factors), [f"{factor:g}" for factor in np.unique(factors)])
    figure.legend(loc="outside upper left")
    return figure
