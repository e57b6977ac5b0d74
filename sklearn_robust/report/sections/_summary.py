"""The most robust net, and the evidence for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...metrics._report_text import verdict_of
from ...plotting._style import INK, make_figure
from .._attack import PAPER_ATTACKS, PROVEN, WORST
from .._blocks import Figure, Section, Text
from .._results import Results, interval
from ._format import CERTAIN, hollow, look, percent, strength

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["summary"]

_BASELINE = "NaturalNet"
_WORST: dict[str, Any] = {"marker": "o", "ms": 9.5}
_PROVEN: dict[str, Any] = {"marker": "^", "ms": 7.5}
_SINGLE: dict[str, Any] = {"marker": "|", "ms": 14, "mew": 1.8}
_NATURAL: dict[str, Any] = {"marker": "o", "ms": 8, "mfc": "none", "mew": 1.8}


def summary(results: Results) -> Section | None:
    """Section with the result in plain words, and one figure that shows it."""
    section = Section("summary", "Which net is most robust?")
    found = results["summary"]
    if found is None:
        section.blocks.append(Text("No net was attacked before the interruption."))
        return section
    section.blocks += [Text(_statement(results, found)), *_lead(results, found)]
    texts = (
        _bounds(results, found),
        _proven(results, found),
        _order(results, found),
        _price(results, found),
        _how_to_tell(),
    )
    section.blocks += [Text(text) for text in texts if text]
    figure = Figure(
        "summary", lambda: _draw(results, found), _caption(results, found), _alt(results)
    )
    section.blocks.append(figure)
    return section


def _statement(results: Results, summary: dict[str, Any]) -> str:
    best, data = summary["ranking"][0], results["data"]
    low, high = summary["interval"]
    text = (
        f"Attacked with {strength(summary['eps'])}, **{best}** still classifies "
        f"**{'at most ' if results.is_bound(best, summary['eps']) else ''}"
        f"{percent(summary['accuracy'])}** of {data['n_test']:,} test samples correctly in the "
        f"worst case ({CERTAIN} interval {percent(low, '')} to {percent(high)})"
    )
    if best != _BASELINE and _BASELINE in summary["ranking"]:
        text += f"; {_BASELINE}, trained with no defence, {percent(_worst(results, _BASELINE))}"
    return text + "."


def _bounds(results: Results, summary: dict[str, Any]) -> str:
    """Name the models whose numbers are not to be compared with the others."""
    names = [name for name in summary["ranking"] if results.is_bound(name, summary["eps"])]
    if not names:
        return ""
    shares = ", ".join(f"{name} {percent(_worst(results, name))}" for name in names)
    return (
        f"**Only upper bounds**: {shares}. No gradient reaches the input of these models, so that "
        "only their scores were searched; the truth may be far lower. They are not ranked with "
        "the others, and have hollow marks."
    )


def _proven(results: Results, summary: dict[str, Any]) -> str:
    """Say how far the proven accuracy is from the attacked one."""
    found = []
    for name in summary["ranking"]:
        lower, upper = results.accuracy(name, PROVEN, summary["eps"]), _worst(results, name)
        if lower is not None and upper is not None:
            found.append(f"{name} {percent(lower)} ({verdict_of(lower, upper)})")
    return f"Proven at {strength(summary['eps'])}: {', '.join(found)}." if found else ""


def _worst(results: Results, name: str) -> float | None:
    return results.accuracy(name, WORST, results["summary_eps"])


def _lead(results: Results, summary: dict[str, Any]) -> list[Text]:
    """Say whether the lead of the first net is more than chance among the samples."""
    if "p_value" not in summary:
        return []
    best, second = summary["ranking"][:2]
    wins, losses, p_value = summary["wins"], summary["losses"], summary["p_value"]
    shown = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    detail = (
        f"only {best} is robust on {wins} of the samples, only {second} on {losses} "
        f"(sign test, {shown})"
    )
    if summary["clear"]:
        judgement = "is more than chance among the test samples"
        advice = " The randomness of training is not included: repeat with other seeds."
    else:
        judgement, advice = "may be chance", " Treat the two as equally robust here."
    shown = percent(_worst(results, second))
    return [Text(f"The lead over {second} ({shown}) {judgement}: {detail}.{advice}")]


def _order(results: Results, summary: dict[str, Any]) -> str:
    """Name the net that leads at other strengths, if it is another one."""
    leaders = []
    for eps in results["eps"]:
        ranked = [name for name in summary["ranking"] if not results.is_bound(name, eps)]
        score = {name: results.accuracy(name, WORST, eps) for name in ranked}
        if summary["ranking"][0] not in score:
            continue
        best = max(score, key=lambda name: score[name])
        if score[best] > score[summary["ranking"][0]]:
            leaders.append(f"at {strength(eps)} {best} leads with {percent(score[best])}")
    return f"The order depends on the strength: {' and '.join(leaders)}." if leaders else ""


def _price(results: Results, summary: dict[str, Any]) -> str:
    best = summary["ranking"][0]
    if best == _BASELINE or not {best, _BASELINE} <= set(results.trained):
        return ""
    nets = results["nets"]
    natural = nets[best]["natural"], nets[_BASELINE]["natural"]
    times = nets[best]["training"]["seconds"] / nets[_BASELINE]["training"]["seconds"]
    return (
        f"What it costs: training takes {times:.1f} times as long as that of {_BASELINE}, and "
        f"natural accuracy is {percent(natural[0])} instead of {percent(natural[1])}."
    )


def _how_to_tell() -> str:
    return (
        "How to tell: compare nets by the **worst case**, never by one attack. A net can be robust "
        "to the attack it was trained with and fail against the next one, so a sample counts as "
        f"robust here only if neither {', '.join(PAPER_ATTACKS)} nor 40 steps of PGD on three "
        "different losses change its class. The larger the distance between a net's weakest attack "
        "and its worst case, the more a single attack would have overstated its robustness."
    )


def _caption(results: Results, summary: dict[str, Any]) -> str:
    return (
        f"Accuracy on the same {results['data']['n_test']:,} test samples, from no attack to the "
        f"worst case at {strength(summary['eps'])}. Bars are "
        f"{CERTAIN} intervals of the worst case."
    )


def _alt(results: Results) -> str:
    rows = [
        f"{name} {percent(results['nets'][name]['natural'])} natural and "
        f"{percent(_worst(results, name))} in the worst case"
        for name in results["summary"]["ranking"]
    ]
    return "Accuracy of each net, best first: " + "; ".join(rows) + "."


def _draw(results: Results, summary: dict[str, Any]) -> MplFigure:
    names, eps = summary["ranking"][::-1], summary["eps"]
    figure, axis = make_figure(9, 0.9 + 0.5 * len(names))
    lows = [_draw_net(axis, results, name, eps, row) for row, name in enumerate(names)]
    axis.set(xlim=(-0.01 if min(lows) > 0.1 else -0.09, 1.03), ylim=(-0.6, len(names) - 0.4))
    axis.set_yticks(range(len(names)), names)
    _finish(figure, axis, results, eps)
    return figure


def _draw_net(axis: Any, results: Results, name: str, eps: float, row: int) -> float:
    """Draw one line of the figure; return the low end of its interval."""
    color, worst = look(name, results)["color"], results.accuracy(name, WORST, eps)
    natural, bound = results["nets"][name]["natural"], results.is_bound(name, eps)
    singles = [results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS]
    singles = [share for share in singles if share is not None]
    proven = results.accuracy(name, PROVEN, eps)
    worst_marks = {**_WORST, "color": color, **(hollow(color) if bound else {}), "ls": ""}
    low, high = interval(worst, results["data"]["n_test"])
    axis.plot([worst, natural], [row, row], color=color, lw=1.5, alpha=0.55, zorder=1)
    axis.plot([low, high], [row, row], color=color, lw=6, alpha=0.35, solid_capstyle="butt")
    axis.plot(singles, [row] * len(singles), ls="", **_SINGLE, mec=color)
    axis.plot(natural, row, ls="", **_NATURAL, mec=color)
    axis.plot(worst, row, **worst_marks)
    if proven is not None:
        axis.plot(proven, row, ls="", **_PROVEN, color=color)
    axis.annotate(
        f"≤ {percent(worst)}" if bound else percent(worst),
        (low if proven is None else min(low, proven), row),
        xytext=(-7, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        weight="bold",
    )
    return low


def _finish(figure: Any, axis: Any, results: Results, eps: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import PercentFormatter

    axis.set_xlabel("accuracy (%)")
    axis.xaxis.set_major_formatter(PercentFormatter(1, symbol="", decimals=0))
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    attacks = ", ".join(PAPER_ATTACKS)
    marks = [
        Line2D([], [], ls="", **_WORST, color=INK, label=f"worst case, {strength(eps)}"),
        Line2D([], [], ls="", **_SINGLE, mec=INK, label=f"single attacks ({attacks})"),
        Line2D([], [], ls="", **_NATURAL, mec=INK, label="no attack"),
    ]
    names = results["summary"]["ranking"]
    if any(results.is_bound(name, eps) for name in names):
        bound = {**_WORST, **hollow(INK), "ls": ""}
        marks.append(Line2D([], [], **bound, label="upper bound (scores alone)"))
    if any(results.accuracy(name, PROVEN, eps) is not None for name in names):
        marks.append(Line2D([], [], ls="", **_PROVEN, color=INK, label="proven"))
    figure.legend(handles=marks, loc="outside upper left", ncols=3)
