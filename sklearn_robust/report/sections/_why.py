"""Decision surfaces, gradients and indicators: why nets withstand, and whether one can tell."""

import math

from ...plotting import DecisionSurfaceDisplay, JacobianDisplay
from ...plotting._style import make_figure
from ...plotting.surfaces._decision_arrays import RESPONSES, scale_of
from ...plotting.surfaces._drawing import draw_together
from .._attack import WORST
from .._blocks import Cell, Figure, Section, Table, Text
from ..studies._indicators import MEASURES
from ._studied import blocks_of, name_nets, number
from ._words import count, look, percent, strength

__all__ = ["why"]

_TITLES = {
    "jacobian": "mean |J|",
    "curvature": "mean |λ|",
    "margin": "margin S",
    "jacobian_sparsity": "share of J ≈ 0",
    "hessian_sparsity": "share of λ ≈ 0",
    "taylor_radius": "radius S / |J|",
}
_SHARES = ("jacobian_sparsity", "hessian_sparsity")


def why(results):
    """Two surfaces on one scale, gradients beside images, and indicators against attacks."""
    if results.get("studies") is None:
        return None
    blocks = [
        *blocks_of(results, "surface", "the decision surface", _surface),
        *blocks_of(results, "jacobians", "gradients beside images", _jacobians),
        *blocks_of(results, "indicators", "the indicators", _indicators),
    ]
    return Section("why", "Why: surfaces, gradients, indicators", blocks) if blocks else None


def _surface(results, facts):
    far = {name: list(found.values())[1] for name, found in facts["nets"].items()}
    told = " and ".join(f"{name} at {number(distance)}" for name, distance in far.items())
    caption = (
        "The decision function S, the logit of the true class minus the largest other one, around "
        f"test sample {facts['row']} (class {facts['label']}), on one scale of colours. Where the "
        "line S = 0 runs, the net begins to err. Upwards leads the steepest descent of S, to the "
        "right a random direction; an axis tells by how much every value is changed. Arrows end at "
        "the boundary. One sample is an illustration; the table below has many."
    )
    alt = f"Decision surfaces around one sample. Along the steepest descent S ends for {told}."
    return [Figure("surfaces", lambda: _draw_surfaces(results, facts), caption, alt)]


def _draw_surfaces(results, facts):
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
    for display in displays:  # else the page shines through between the bands
        display.surface_.set_edgecolor("face")
    return figure


def _jacobians(results, facts):
    names = results["verdict"]["ranking"]
    caption = (
        f"{count(len(facts['rows']), 'test sample').capitalize()} that every net classifies "
        "correctly, and the gradients J of S at them, each on its own scale. Blue: more brightness "
        "helps the true class; red: it harms. Nets that withstand attacks tend to have gradients "
        "that show the object, others look like noise; a tidy picture is no proof of robustness."
    )
    alt = f"Images in the first row, and their gradients in one row each for {', '.join(names)}."
    return [Figure("jacobians", lambda: _draw_jacobians(results, facts, names), caption, alt)]


def _draw_jacobians(results, facts, names):
    display = JacobianDisplay(
        images=results.arrays["jacobians/images"],
        jacobians={name: results.arrays[f"jacobians/{name}"] for name in names},
        labels=facts["labels"],
    )
    figure, axis = make_figure(9, 0.4 + 1.15 * (1 + len(names)))
    display.plot(ax=axis)
    for row, name in zip(display.axes_, ["test sample", *names], strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8, weight="bold")
    for panel in display.axes_.flat:
        panel.grid(visible=False)
        panel.spines[:].set_visible(False)
    return figure


def _indicators(results, facts):
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


def _table(results, facts):
    rows = [
        [name, *(_shown(measure, found[measure]) for measure in MEASURES)]
        + [percent(results.accuracy(name, WORST, facts["eps"]), "")]
        for name, found in facts["nets"].items()
    ]
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


def _shown(measure, value):
    return percent(value) if measure in _SHARES else number(value)


def _correlations(facts):
    rows = []
    for measure, sign in MEASURES.items():
        rho = facts["correlations"][measure]
        agrees = "–" if rho is None else "yes" if rho * sign > 0 else "no"
        wanted = Cell("more" if sign > 0 else "less", words=True)
        rows.append([_TITLES[measure], wanted, _rho(rho), Cell(agrees, words=True)])
    titles = ("indicator", "robust nets should have", "ρ", "sign as it should be")
    head = [(title, []) for title in titles]
    caption = f"Rank correlation of each indicator with the worst case at {strength(facts['eps'])}"
    return Table(caption, head, rows, "ρ is Spearman's, over the nets of this page.")


def _rho(value):
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def _honesty(facts):
    """How little a rank correlation over so few nets says."""
    n = len(facts["nets"])
    if n < 3:
        return f"{count(n, 'net').capitalize()} cannot be correlated: compare at least three."
    orders = math.factorial(n)
    return (
        f"**{count(n, 'net').capitalize()}** are few: they have {orders:,} orders, so even a "
        f"perfect agreement or reversal is chance in 1 of {orders // 2:,}, and any smaller ρ "
        "may well be. All were trained on the same data with one seed. Read this as a picture of "
        "these nets, not as a law; and choose no net by an indicator, since one that ignores its "
        "input has the smallest gradient of all."
    )


def _draw_indicators(results, facts):
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
