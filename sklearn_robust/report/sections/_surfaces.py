"""Decision surfaces, gradients and indicators: why nets are robust, and what predicts it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...plotting import DecisionSurfaceDisplay, JacobianDisplay
from ...plotting._style import make_figure
from ...plotting.surfaces._decision_arrays import RESPONSES, scale_of
from ...plotting.surfaces._drawing import draw_together
from .._attack import WORST
from .._blocks import Cell, Figure, Section, Table, Text
from .._results import Results
from ..studies._surfaces import MEASURES
from ._format import count, look, name_nets, number, percent, strength, study_blocks

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["surfaces"]

_TITLES = {
    "jacobian": "mean |J|",
    "curvature": "mean |λ|",
    "margin": "margin S",
    "jacobian_sparsity": "share of J ≈ 0",
    "hessian_sparsity": "share of λ ≈ 0",
    "taylor_radius": "radius S / |J|",
}
_SHARES = ("jacobian_sparsity", "hessian_sparsity")


def surfaces(results: Results) -> Section | None:
    """Section with two surfaces, gradients beside images, and indicators against attacks."""
    if results.get("studies") is None:
        return None
    blocks = [
        *study_blocks(results, "surface", "the decision surface", _surface),
        *study_blocks(results, "jacobians", "gradients beside images", _jacobians),
        *study_blocks(results, "indicators", "the indicators", _indicators),
    ]
    return Section("surfaces", "Why: surfaces, gradients, indicators", blocks) if blocks else None


def _surface(results: Results, facts: dict[str, Any]) -> list[Any]:
    far = {name: list(found.values())[1] for name, found in facts["nets"].items()}
    told = " and ".join(f"{name} at {number(distance)}" for name, distance in far.items())
    caption = (
        "The decision function S, the logit of the true class minus the largest other one, around "
        f"test sample {facts['row']} (class {facts['label']}), on one scale of colours. Beyond the "
        "line S = 0 the net errs. The vertical axis follows the steepest descent of S, the "
        "horizontal one a random direction; both give the change of every value. Arrows end at the "
        "boundary. One sample is an illustration; the table below has many."
    )
    alt = f"Decision surfaces around one sample. Along the steepest descent S is zero for {told}."
    return [Figure("surfaces", lambda: _draw_surfaces(results, facts), caption, alt)]


def _draw_surfaces(results: Results, facts: dict[str, Any]) -> MplFigure:
    arrays = results.arrays
    displays = [
        DecisionSurfaceDisplay(
            xx0=arrays["surface/xx0"],
            xx1=arrays["surface/xx1"],
            margin=arrays[f"surface/{name}"],
            loss=None,
            predicted=None,
            target=facts["label"],
            directions=facts["directions"],
            norm=facts["norm"],
            boundary_distances=[math.inf if far is None else far for far in found.values()],
            name=name,
        )
        for name, found in facts["nets"].items()
    ]
    figure, axes = make_figure(9, 4, ncols=len(displays), squeeze=False)
    for axis in axes.flat:
        axis.grid(visible=False)
    draw_together(displays, axes, True, RESPONSES["margin"], scale_of(displays, "margin"), {})
    for display in displays:  # otherwise the page shows through between the bands
        display.surface_.set_edgecolor("face")
    return figure


def _jacobians(results: Results, facts: dict[str, Any]) -> list[Any]:
    names = results["summary"]["ranking"]
    caption = (
        f"{count(len(facts['rows']), 'test sample').capitalize()} that every net classifies "
        "correctly, and the gradients J of S at them, each on its own scale, whose "
        "largest magnitude stands below it. Blue: more brightness "
        "helps the true class; red: it harms. The gradients of robust nets tend to show the "
        "object, those of others look like noise; a tidy picture does not prove robustness."
    )
    alt = f"Images in the first row, and their gradients in one row each for {', '.join(names)}."
    return [Figure("jacobians", lambda: _draw_jacobians(results, facts, names), caption, alt)]


def _draw_jacobians(results: Results, facts: dict[str, Any], names: list[str]) -> MplFigure:
    display = JacobianDisplay(
        images=results.arrays["jacobians/images"],
        jacobians={name: results.arrays[f"jacobians/{name}"] for name in names},
        labels=facts["labels"],
    )
    rows = [name for name, _, _ in display.rows_of_gradients()]
    figure, axis = make_figure(9, 0.4 + 1.3 * (1 + len(rows)))
    display.plot(ax=axis)
    for row, name in zip(display.axes_, ["test sample", *rows], strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8, weight="bold")
    for panel in display.axes_.flat:
        panel.grid(visible=False)
        panel.spines[:].set_visible(False)
    return figure


def _indicators(results: Results, facts: dict[str, Any]) -> list[Any]:
    return [
        _table(results, facts),
        _correlations(facts),
        Text(_honesty(facts)),
        Figure(
            "indicators",
            lambda: _draw_indicators(results, facts),
            f"Each indicator against the accuracy in the worst case at {strength(facts['eps'])}, "
            "one point for each net. An indicator that ranks nets as attacks do shows a monotone "
            "line of points.",
            "Six panels of points, one for each net; the tables have the numbers.",
        ),
    ]


def _table(results: Results, facts: dict[str, Any]) -> Table:
    rows = [
        [name, *(_shown(measure, found[measure]) for measure in MEASURES)]
        + [percent(results.accuracy(name, WORST, facts["eps"]), "")]
        for name, found in facts["nets"].items()
    ]
    head: list[tuple[str, list[str]]]
    head = [(title, []) for title in ("net", *_TITLES.values(), "worst case (%)")]
    note = (
        "Means over the samples, the radius is a median. J is the gradient of S with respect to "
        f"the input, λ are the eigenvalues of the Hessian of the {facts['curvature_of']}: S itself "
        "is piecewise linear in nets with ReLU. |J| ≤ 0.001 and |λ| ≤ 10⁻⁶ of the largest count as "
        "zero. S / |J| (l1 norm) is the linear estimate of the distance to the boundary in linf; "
        "the other numbers change with the scale of the logits, which no prediction depends on."
    )
    caption = f"Indicators on {facts['n_samples']:,} test samples, found without any attack"
    return Table(caption, head, rows, note)


def _shown(measure: str, value: float | None) -> str:
    return percent(value) if measure in _SHARES else number(value)


def _correlations(facts: dict[str, Any]) -> Table:
    rows = []
    for measure, sign in MEASURES.items():
        rho = facts["correlations"][measure]
        agrees = "–" if rho is None else "yes" if rho * sign > 0 else "no"
        wanted = Cell("more" if sign > 0 else "less", words=True)
        rows.append([_TITLES[measure], wanted, _rho(rho), Cell(agrees, words=True)])
    titles = ("indicator", "robust nets should have", "ρ", "expected sign")
    head: list[tuple[str, list[str]]] = [(title, []) for title in titles]
    caption = f"Rank correlation of each indicator with the worst case at {strength(facts['eps'])}"
    return Table(caption, head, rows, "ρ is Spearman's, over the nets of this page.")


def _rho(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def _honesty(facts: dict[str, Any]) -> str:
    """Warn how little a rank correlation over so few nets says."""
    n = len(facts["nets"])
    if n < 3:
        return f"{count(n, 'net').capitalize()} cannot be correlated: compare at least three."
    orders = math.factorial(n)
    return (
        f"**{count(n, 'net').capitalize()}** are few: they have {orders:,} orders, so even a "
        f"perfect agreement or reversal happens by chance in 1 of {orders // 2:,} cases, and a "
        "smaller ρ more often. All were trained on the same data with one seed. Read this as a "
        "picture of these nets, not as a law; and do not choose a net by an indicator, since a net "
        "that ignores its input has the smallest gradient of all."
    )


def _draw_indicators(results: Results, facts: dict[str, Any]) -> MplFigure:
    figure, axes = make_figure(9, 5.2, nrows=2, ncols=3, sharey=True)
    for axis, measure in zip(axes.flat, MEASURES, strict=True):
        for name, found in facts["nets"].items():
            if found[measure] is not None:
                worst = results.accuracy(name, WORST, facts["eps"])
                axis.plot(found[measure], 100 * worst, ls="", **look(name), markersize=9)
        rho = _rho(facts["correlations"][measure])
        axis.set_title(f"ρ = {rho}", weight="normal", loc="right")
        axis.set(xlabel=_TITLES[measure])
        axis.margins(0.12)
        axis.locator_params(axis="x", nbins=5)
    for axis in axes[:, 0]:
        axis.set_ylabel("worst case (%)")
    name_nets(figure, facts["nets"], ls="", markersize=9)
    return figure
