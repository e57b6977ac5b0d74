"""Curves of training, and its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...plotting._style import make_figure, percent_axis, put_labels
from .._attack import WORST
from .._blocks import Figure, Section, Table
from .._results import Results
from ._format import look, strength

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["training"]

_BASELINE = "NaturalNet"


def training(results: Results) -> Section | None:
    """Section with curves of training, and its cost relative to natural training."""
    names = results.trained
    if not names:
        return None
    watched = results["nets"][names[0]]["training"]["n_watched"]
    blocks = [
        Figure(
            "training",
            lambda: _draw_curves(results, names),
            "Each loss is the net's own objective, so compare shapes across nets, not heights. "
            f"The accuracies are those of {watched} test samples after each epoch, clean and "
            f"under BIM at {strength(results['train_eps'])}; no choice was based on them.",
            "Three panels against the epoch: training loss, natural accuracy and accuracy under "
            "BIM, one line for each net.",
        ),
        _cost(results, names),
    ]
    if results.attacked and _BASELINE in names:
        blocks.append(
            Figure(
                "cost",
                lambda: _draw_cost(results),
                "What robustness costs: worst case against the training time relative to natural "
                "training, on a logarithmic scale. Up and to the left is better.",
                "Points for each net: training time relative to natural training and accuracy in "
                "the worst case; the tables have the numbers.",
            )
        )
    return Section("training", "Training, and what it costs", blocks)


def _cost(results: Results, names: list[str]) -> Table:
    nets = {name: results["nets"][name] for name in names}
    base = nets[_BASELINE]["training"] if _BASELINE in nets else None

    def relative(facts: dict[str, Any], key: str) -> str:
        return "–" if base is None else f"{facts[key] / base[key]:.1f}"

    rows = [
        [
            name,
            str(net["training"]["epochs"]),
            f"{net['training']['seconds']:.1f}",
            relative(net["training"], "seconds"),
            relative(net["training"], "seconds_per_epoch"),
            f"{net['seconds_attacked']:.1f}",
        ]
        for name, net in nets.items()
    ]
    about = results["about"]
    head = [
        ("net", []),
        ("epochs", []),
        ("training (s)", []),
        ("relative to natural training", ["in all", "per epoch"]),
        ("attacks (s)", []),
    ]
    note = (
        f"Wall time on {about['device']}, {about['processes']} at a time; the time spent on the "
        "accuracies above is excluded. Per epoch compares medians."
    )
    return Table("Wall time of each net", head, rows, note)


def _draw_curves(results: Results, names: list[str]) -> MplFigure:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, (loss, natural, attacked) = make_figure(9, 3.5, ncols=3)
    for name in names:
        facts = results["nets"][name]["training"]
        epochs = range(1, facts["epochs"] + 1)
        line = look(name) | {"mec": look(name)["color"], "ms": 4, "lw": 1.4}
        line["markevery"] = max(1, facts["epochs"] // 6)
        loss.plot(epochs, facts["train_loss"], label=name, **line)
        natural.plot(epochs, facts["natural_accuracy"], **line)
        attacked.plot(epochs, facts["attacked_accuracy"], **line)
    loss.set(ylabel="training loss (its own objective)", xlabel="epoch")
    low, high = loss.dataLim.intervaly
    if 0 < 10 * low < high:  # else a logarithm has few round numbers to label
        loss.set(yscale="log")
        loss.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        loss.yaxis.set_minor_formatter(NullFormatter())
    for axis, label in (
        (natural, "natural accuracy (%)"),
        (attacked, f"accuracy (%) under BIM, {strength(results['train_eps'])}"),
    ):
        percent_axis(axis, label)
        axis.set(xlabel="epoch", ylim=(_floor(results, names) - 0.01, 1.01))
    figure.legend(loc="outside upper left", ncols=len(names))
    return figure


def _floor(results: Results, names: list[str]) -> float:
    """Multiple of a tenth below all accuracies of the curves."""
    curves = [results["nets"][name]["training"]["attacked_accuracy"] for name in names]
    return int(10 * min(map(min, curves))) / 10


def _draw_cost(results: Results) -> MplFigure:
    figure, axis = make_figure(9, 3.4)
    names = [name for name in results.attacked if name in results.trained]
    eps = results["summary_eps"]
    base = results["nets"][_BASELINE]["training"]["seconds"]
    times = [results["nets"][name]["training"]["seconds"] / base for name in names]
    worst = [results.accuracy(name, WORST, eps) for name in names]
    for name, time, share in zip(names, times, worst, strict=True):
        axis.plot(time, share, ls="", **look(name) | {"markersize": 10})
    axis.set_xscale("log")
    axis.set_xlim(min(times) / 1.2, max(times) * 1.9)
    ticks = [
        tick
        for tick in (0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100)
        if min(times) / 1.2 < tick < max(times) * 1.9
    ]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("training time, in multiples of natural training")
    percent_axis(axis, f"worst case (%), {strength(eps)}")
    put_labels(axis, times, worst, names)
    return figure
