"""Accuracy against the strength of the attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...plotting._style import (
    MUTED,
    eps_axis,
    make_figure,
    percent_axis,
)
from .._attack import PAPER_ATTACKS, PROVEN, WORST
from .._blocks import Figure, Section
from .._results import Results, interval
from ._format import CERTAIN, hollow, look, percent, strength

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["curves"]

_DASHES = dict(zip(PAPER_ATTACKS, (":", (0, (5, 2)), (0, (6, 2, 1, 2))), strict=True))


def curves(results: Results) -> Section | None:
    """Curves of the worst case for all nets, and of each attack for every net."""
    if not results.attacked:
        return None
    order = results["summary"]["ranking"]
    return Section(
        "curves",
        "Robustness curves",
        [
            Figure(
                "robustness-curves",
                lambda: _draw_worst(results, order),
                f"Worst case against the strength of the attack. Bands are {CERTAIN} intervals. A "
                "sound curve falls below guessing when the attack is strong enough; a curve that "
                "stays high hints at an attack that failed." + _marks(results, order),
                _alt(results, order),
            ),
            *_single(results),
        ],
    )


def _marks(results: Results, order: list[str]) -> str:
    """Explain hollow marks and dotted lines, where there are any."""
    text = ""
    if any(results.is_bound(name) for name in order):
        text += (
            " Hollow marks on dashed lines are upper bounds: those models were searched by their "
            "scores alone, and do not compare with those attacked by their gradients."
        )
    if any(results.curve(name, PROVEN) for name in order):
        text += " Dotted lines are proven: accuracy lies between them and the line of their colour."
    return text


def _single(results: Results) -> list[Figure]:
    """Figure of the single attacks, on the models that have a gradient."""
    order = [name for name in results["summary"]["ranking"] if name in results.white_box]
    if not order:
        return []
    return [
        Figure(
            "attacks",
            lambda: _draw_attacks(results, order),
            "The same nets, one panel each: accuracy under single attacks, and the worst case "
            "below it. A wide gap is accuracy that a single attack would have overstated.",
            "One panel for each net with the accuracy under FGSM, BIM, C&W and the worst case "
            "against eps; the worst case is lowest everywhere. The table has the numbers.",
        ),
    ]


def _alt(results: Results, order: list[str]) -> str:
    top = results["radii"][-1]
    ends = [f"{name} {percent(results.curve(name)[-1])}" for name in order]
    return (
        "Lines that fall from natural accuracy as eps grows. The order at "
        f"{strength(results['summary_eps'])}, best first: {', '.join(order)}. "
        f"At {strength(top)}: {', '.join(ends)}."
    )


def _points(results: Results, name: str, attack: str) -> tuple[list[float], list[float]]:
    """Radii and accuracies, as far as any net keeps a sample."""
    alive = max(sum(share > 0 for share in results.curve(other)) for other in results.attacked)
    curve = [results["nets"][name]["natural"], *results.curve(name, attack)][: alive + 2]
    return [0.0, *results["radii"]][: len(curve)], curve


def _draw_worst(results: Results, order: list[str]) -> MplFigure:
    figure, axis = make_figure(9, 4.4)
    n, eps = results["data"]["n_test"], results["summary_eps"]
    chance = 1 / len(results["data"]["classes"])
    for name in order:
        radii, curve = _points(results, name, WORST)
        low, high = zip(*(interval(share, n) for share in curve), strict=True)
        line = look(name, results)
        bound = results.is_bound(name)
        label = f"{name}  {percent(results.accuracy(name, WORST, eps))}"
        label += " (upper bound)" if bound else ""
        axis.fill_between(radii, low, high, color=line["color"], alpha=0.13, lw=0)
        axis.plot(radii, curve, label=label, **line | (hollow(line["color"]) if bound else {}))
        proven = results.curve(name, PROVEN)[: len(radii) - 1]
        if proven:
            axis.plot(radii[1 : 1 + len(proven)], proven, color=line["color"], lw=1, ls=":")
    eps_axis(axis, radii)
    percent_axis(axis, "worst-case accuracy (%)")
    axis.axvline(eps, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    axis.axhline(chance, color=MUTED, lw=1, ls=":", zorder=0)
    axis.annotate(
        "guessing",
        (axis.get_xlim()[1], chance),
        xytext=(-2, 3),
        ha="right",
        textcoords="offset points",
        color=MUTED,
        fontsize=8.5,
    )
    figure.legend(loc="outside right upper", title=f"at {strength(eps)}", alignment="left")
    return figure


def _draw_attacks(results: Results, order: list[str], n_columns: int = 3) -> MplFigure:
    n_rows = -(-len(order) // n_columns)
    figure, axes = make_figure(
        9,
        0.5 + 2.5 * n_rows,
        nrows=n_rows,
        ncols=n_columns,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axis in axes.flat[len(order) :]:
        axis.set_visible(False)
    for place, (axis, name) in enumerate(zip(axes.flat, order, strict=False)):
        for attack, dashes in _DASHES.items():
            radii, curve = _points(results, name, attack)
            axis.plot(radii, curve, color=MUTED, ls=dashes, lw=1.5, label=attack)
        axis.plot(*_points(results, name, WORST), **look(name, results), lw=2.4, label=WORST)
        axis.set_title(name)
        eps_axis(axis, radii, n_ticks=4, prune="upper")
        percent_axis(axis)
        if place % n_columns:
            axis.set_ylabel("")
        if place + n_columns < len(order):
            axis.set_xlabel("")
        else:
            axis.xaxis.set_tick_params(labelbottom=True)
    lines, labels = axes.flat[0].get_legend_handles_labels()
    labels[-1] += " (in the colour of the net)"
    figure.legend(lines, labels, loc="outside upper left", ncols=4)
    return figure
