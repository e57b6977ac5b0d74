"""Which net is most robust, and how to tell."""

from ...plotting._style import INK, make_figure
from .._attack import PAPER_ATTACKS, WORST
from .._blocks import Figure, Section, Text
from .._results import interval
from ._words import CERTAIN, look, percent, strength

__all__ = ["summary"]

_BASELINE = "NaturalNet"
_WORST = {"marker": "o", "ms": 9.5}
_SINGLE = {"marker": "|", "ms": 14, "mew": 1.8}
_NATURAL = {"marker": "o", "ms": 8, "mfc": "none", "mew": 1.8}


def summary(results):
    """Verdict in plain words, and one figure that shows it."""
    section = Section("summary", "Which net is most robust?")
    verdict = results["verdict"]
    if verdict is None:
        section.blocks.append(Text("No net was attacked before the interruption."))
        return section
    section.blocks += [Text(_verdict(results, verdict)), *_lead(results, verdict)]
    texts = _order(results, verdict), _price(results, verdict), _how_to_tell()
    section.blocks += [Text(text) for text in texts if text]
    section.blocks.append(
        Figure(
            "summary", lambda: _draw(results, verdict), _caption(results, verdict), _alt(results)
        )
    )
    return section


def _verdict(results, verdict):
    best, data = verdict["ranking"][0], results["data"]
    low, high = verdict["interval"]
    text = (
        f"Attacked with {strength(verdict['eps'])}, **{best}** still classifies "
        f"**{percent(verdict['accuracy'])}** of {data['n_test']:,} test samples correctly in the "
        f"worst case ({CERTAIN} interval {percent(low, '')} to {percent(high)})"
    )
    if best != _BASELINE and _BASELINE in verdict["ranking"]:
        text += f"; {_BASELINE}, trained with no defence, {percent(_worst(results, _BASELINE))}"
    return text + "."


def _worst(results, name):
    return results.accuracy(name, WORST, results["verdict_eps"])


def _lead(results, verdict):
    """Whether the first is better than the second by more than the chance of the samples."""
    if "p_value" not in verdict:
        return []
    best, second = verdict["ranking"][:2]
    wins, losses, p_value = verdict["wins"], verdict["losses"], verdict["p_value"]
    shown = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    detail = (
        f"{best} alone withstands on {wins} of the samples, {second} alone on {losses} "
        f"(sign test, {shown})"
    )
    if verdict["clear"]:
        judgement = "is more than chance among the test samples"
        advice = " The chance of training is not in this: repeat with other seeds."
    else:
        judgement, advice = "may be chance", " Treat the two as equally robust here."
    shown = percent(_worst(results, second))
    return [Text(f"The lead over {second} ({shown}) {judgement}: {detail}.{advice}")]


def _order(results, verdict):
    """Who leads at the other strengths, if it is another net."""
    leaders = []
    for eps in results["eps"]:
        score = {name: results.accuracy(name, WORST, eps) for name in verdict["ranking"]}
        best = max(score, key=score.get)
        if score[best] > score[verdict["ranking"][0]]:
            leaders.append(f"at {strength(eps)} {best} leads with {percent(score[best])}")
    return f"The order depends on the strength: {' and '.join(leaders)}." if leaders else ""


def _price(results, verdict):
    best = verdict["ranking"][0]
    if best == _BASELINE or _BASELINE not in results.trained:
        return ""
    nets = results["nets"]
    natural = nets[best]["natural"], nets[_BASELINE]["natural"]
    times = nets[best]["training"]["seconds"] / nets[_BASELINE]["training"]["seconds"]
    return (
        f"What it costs: training takes {times:.1f} times as long as that of {_BASELINE}, and "
        f"natural accuracy is {percent(natural[0])} in place of {percent(natural[1])}."
    )


def _how_to_tell():
    return (
        "How to tell: compare nets by the **worst case**, never by one attack. A net can "
        "withstand the attack it was trained with and fail against the next one, so a sample "
        f"counts as robust here only if neither {', '.join(PAPER_ATTACKS)} nor 40 steps of PGD on "
        "three different losses change its class. The larger the distance between a net's weakest "
        "attack and its worst case, the more a single attack would have flattered it."
    )


def _caption(results, verdict):
    return (
        f"Accuracy on the same {results['data']['n_test']:,} test samples, from no attack to the "
        f"worst case at {strength(verdict['eps'])}. Bars are "
        f"{CERTAIN} intervals of the worst case."
    )


def _alt(results):
    rows = [
        f"{name} {percent(results['nets'][name]['natural'])} natural and "
        f"{percent(_worst(results, name))} in the worst case"
        for name in results["verdict"]["ranking"]
    ]
    return "Accuracy of each net, best first: " + "; ".join(rows) + "."


def _draw(results, verdict):
    names, eps = verdict["ranking"][::-1], verdict["eps"]
    figure, axis = make_figure(9, 0.9 + 0.5 * len(names))
    lows = [_draw_net(axis, results, name, eps, row) for row, name in enumerate(names)]
    axis.set(xlim=(-0.01 if min(lows) > 0.1 else -0.09, 1.03), ylim=(-0.6, len(names) - 0.4))
    axis.set_yticks(range(len(names)), names)
    _finish(figure, axis, eps)
    return figure


def _draw_net(axis, results, name, eps, row):
    """Draw one line of the figure; return the low end of its interval."""
    color, worst = look(name)["color"], results.accuracy(name, WORST, eps)
    natural = results["nets"][name]["natural"]
    singles = [results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS]
    low, high = interval(worst, results["data"]["n_test"])
    axis.plot([worst, natural], [row, row], color=color, lw=1.5, alpha=0.55, zorder=1)
    axis.plot([low, high], [row, row], color=color, lw=6, alpha=0.35, solid_capstyle="butt")
    axis.plot(singles, [row] * len(singles), ls="", **_SINGLE, mec=color)
    axis.plot(natural, row, ls="", **_NATURAL, mec=color)
    axis.plot(worst, row, ls="", **_WORST, color=color)
    axis.annotate(
        percent(worst),
        (low, row),
        xytext=(-7, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        weight="bold",
    )
    return low


def _finish(figure, axis, eps):
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
    figure.legend(handles=marks, loc="outside upper left", ncols=3)
