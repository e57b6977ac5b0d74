"""Robust training as a regulariser: gaps, margins, singular values and feature changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch

from ...plotting import FeatureChangeDisplay, LayerSpectrumDisplay, MarginDisplay
from ...plotting._style import make_figure
from .._blocks import Figure, Section, Table
from .._results import Results
from ._format import look, name_nets, number, percent, strength, study_blocks

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["regularization"]

_MAX_LAYERS = 8  # of a table


def regularization(results: Results) -> Section | None:
    """Section with gaps and margins of every net, and the spectrum of every layer."""
    if results.get("studies") is None:
        return None
    blocks = [
        *study_blocks(results, "margins", "gaps and margins", _margins),
        *study_blocks(results, "spectra", "singular values", _spectra),
        *study_blocks(results, "changes", "changes of the features", _changes),
    ]
    title = "Robust training as a regulariser: gaps, margins, layers"
    return Section("regularization", title, blocks) if blocks else None


def _margins(results: Results, facts: dict[str, Any]) -> list[Any]:
    return [
        _gaps(facts),
        _confidence(facts),
        Figure(
            "margins",
            lambda: _draw_margins(results, facts),
            "Where the samples lie. Left: probability of the true class minus the largest other "
            f"one, on {facts['n_test']:,} test samples; below 0 is an error. Right: l2 distance "
            f"at which DeepFool changed the prediction of {facts['n_attacked']:,} of them, an "
            "upper bound of the distance to the boundary.",
            "Two sets of histograms, one line for each net: margins of probabilities and distances "
            "to the boundary; the tables have their means.",
        ),
    ]


def _gaps(facts: dict[str, Any]) -> Table:
    columns = [
        (kind, [f"{side}_{kind}" for side in ("train", "test")] + [f"{kind}_gap"])
        for kind in ("error", "loss")
    ]
    rows = [
        [name]
        + [percent(found[column], "") for column in columns[0][1]]
        + [number(found[column]) for column in columns[1][1]]
        for name, found in facts["nets"].items()
    ]
    sides = ["train", "test", "gap"]
    head = [("net", []), ("error (%)", sides), ("cross-entropy (nats)", sides)]
    caption = (
        f"Gap between {facts['n_train']:,} training and {facts['n_test']:,} test samples, without "
        "an attack"
    )
    return Table(caption, head, rows, "A gap is test minus train; a regulariser narrows it.")


def _confidence(facts: dict[str, Any]) -> Table:
    rows = [
        [
            name,
            number(found["softmax_margin_mean"]),
            number(found["softmax_margin_std"]),
            percent(found["boundary_mass"], ""),
            *(percent(found[f"confidence_{side}"], "") for side in ("right", "wrong")),
            *(number(found[f"distance_{bound}"]) for bound in ("lower", "upper")),
        ]
        for name, found in facts["nets"].items()
    ]
    head = [
        ("net", []),
        ("margin of probabilities", ["mean", "std", f"within {facts['tau']:g} (%)"]),
        ("confidence (%)", ["right", "wrong"]),
        ("median distance (l2)", ["proven", "found"]),
    ]
    note = (
        "Confidence is the largest probability, separately for right and wrong predictions. "
        "Proven: no smaller change alters the prediction, by a Lipschitz bound that is very loose; "
        "found: what DeepFool needed."
    )
    return Table("Margins and confidence on the test samples", head, rows, note)


def _draw_margins(results: Results, facts: dict[str, Any]) -> MplFigure:
    figure, axes = make_figure(9, 3.8, ncols=2)
    titles = {"softmax": "margin of probabilities", "distance": "distance to the boundary (l2)"}
    for axis, (key, title) in zip(axes, titles.items(), strict=True):
        values = {name: results.arrays[f"margins/{key}/{name}"] for name in facts["nets"]}
        kind = "softmax" if key == "softmax" else "input_upper"
        display = MarginDisplay(values=values, kind=kind).plot(ax=axis, bins=20, xlabel=title)
        _recolor(display, values)
    axes[1].set_ylabel("")
    name_nets(figure, facts["nets"], marker="")
    return figure


def _recolor(display: MarginDisplay, names: Iterable[str]) -> None:
    """Give the histograms the colours that the nets have on this page."""
    for place, name in enumerate(names):
        for patch in display.ax_.patches[2 * place : 2 * place + 2]:
            patch.set_color(look(name)["color"])


def _spectra(results: Results, facts: dict[str, Any]) -> list[Any]:
    figure = Figure(
        "spectra",
        lambda: _draw_spectra(facts),
        "Spread of the singular values of each layer, and the largest one: how unequally a layer "
        "treats directions, and the largest factor by which it can lengthen a change. Robust nets "
        "are said to have less spread at most layers; small nets need not.",
        "Standard deviation and largest of the singular values over the layers, a line for each "
        "net.",
    )
    return [figure, *_spectrum_table(facts)]


def _spectrum_table(facts: dict[str, Any]) -> list[Table]:
    layers = facts["layers"]
    if len(layers) > _MAX_LAYERS:
        return []
    rows = [
        [name, *map(number, found["std"]), *map(number, found["max"])]
        for name, found in facts["nets"].items()
    ]
    head = [("net", []), ("standard deviation", layers), ("largest", layers)]
    methods = ", ".join(dict.fromkeys(facts["methods"]))
    skipped = "; ".join(f"{name} {note}" for name, note in facts["skipped"].items())
    note = f"Method: {methods}. {f'Left out: {skipped}.' if skipped else ''}"
    return [Table("Singular values of the layers", head, rows, note.strip())]


def _draw_spectra(facts: dict[str, Any]) -> MplFigure:
    layers = facts["layers"]
    reports = {
        name: Bunch(
            name=layers,
            n_values=np.ones(len(layers)),
            method=facts["methods"],
            **{key: np.array(values, dtype=float) for key, values in found.items()},
        )
        for name, found in facts["nets"].items()
    }
    figure, axes = make_figure(9, 3.8, ncols=2)
    for axis, kind in zip(axes, ("std", "max"), strict=True):
        display = LayerSpectrumDisplay(reports=reports, kind=kind).plot(ax=axis)
        for line, name in zip(display.lines_, reports, strict=True):
            line.set(**look(name))
    name_nets(figure, facts["nets"])
    return figure


def _changes(results: Results, facts: dict[str, Any]) -> list[Any]:
    caption = (
        f"What PGD at {strength(facts['eps'])} changes in each layer of {facts['n_samples']:,} "
        "test samples. Left: length of the change relative to that of the features, with one "
        "standard deviation over the samples; dashed for random noise of the same l2 length. "
        "Right: the ratio of the two; at 1, the dotted line, all directions count alike."
    )
    alt = "Relative change and its ratio to noise over the layers, a line for each net."
    return [Figure("changes", lambda: _draw_changes(facts), caption, alt)]


def _draw_changes(facts: dict[str, Any]) -> MplFigure:
    reports = {
        name: Bunch(
            name=facts["layers"],
            **{key: np.array(values, dtype=float) for key, values in found.items()},
        )
        for name, found in facts["nets"].items()
    }
    figure, axes = make_figure(9, 3.8, ncols=2)
    for axis, kind in zip(axes, ("relative", "anisotropy"), strict=True):
        display = FeatureChangeDisplay(reports=reports, kind=kind).plot(ax=axis)
        per_net = len(display.lines_) // len(reports)
        for place, line in enumerate(display.lines_):
            line.set(**look(list(reports)[place // per_net]))
        for place, band in enumerate(display.bands_):
            band.set_facecolor(look(list(reports)[place // 2])["color"])
    name_nets(figure, facts["nets"])
    return figure
