"""Clusters of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...plotting import ClassDendrogramDisplay
from ...plotting._style import make_figure
from .._blocks import Cell, Figure, Section, Table, Text
from .._results import Results
from ._format import study_blocks

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["clusters"]


def clusters(results: Results) -> Section | None:
    """Section with trees of the classes for two nets, and the clusters of every net."""
    if results.get("studies") is None:
        return None
    blocks = study_blocks(results, "clusters", "the tree of classes", _blocks)
    return Section("clusters", "Which classes belong together", blocks) if blocks else None


def _blocks(results: Results, facts: dict[str, Any]) -> list[Any]:
    intro = (
        "Without its non-linear parts a net is one matrix, with one row of weights for each class. "
        "The net treats classes as similar if their rows point in similar directions. On natural "
        "images adversarial training tends to bring out clusters that people recognise; this is a "
        "diagnostic **associated with adversarial training**, not a measure of robustness."
    )
    caption = (
        "Cosines between the classes' weights, in the order of the tree, on one scale of colours "
        f"and one of heights. Frames are the {facts['n_clusters']} clusters of each net."
    )
    alt = "Heat maps with trees of classes for " + " and ".join(facts["shown"]) + "."
    figure = Figure("clusters", lambda: _draw(results, facts), caption, alt)
    return [Text(intro), figure, _table(facts)]


def _table(facts: dict[str, Any]) -> Table:
    measures = ("contrast", "silhouette", "cophenetic_correlation", "mean_cosine")
    rows = [
        [name, *(_decimals(found[measure]) for measure in measures)]
        + [Cell(" | ".join(", ".join(group) for group in facts["groups"][name]), words=True)]
        for name, found in facts["nets"].items()
    ]
    titles = ("contrast", "silhouette", "cophenetic correlation", "mean cosine", "clusters")
    head: list[tuple[str, list[str]]] = [(title, []) for title in ("net", *titles)]
    note = (
        "Contrast: mean cosine of two classes of one cluster minus that of two classes of "
        "different ones. Silhouette: how much closer classes are to their own cluster. Cophenetic "
        "correlation: how well the tree keeps the distances. Mean cosine: over all pairs."
    )
    return Table("Clusters of the classes of every net", head, rows, note)


def _decimals(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _draw(results: Results, facts: dict[str, Any]) -> MplFigure:
    names, arrays = facts["shown"], results.arrays
    display = ClassDendrogramDisplay(
        np.array([arrays[f"clusters/correlation/{name}"] for name in names]),
        np.array([arrays[f"clusters/linkage/{name}"] for name in names]),
        np.array([facts["labels"][name] for name in names]),
        classes=results["data"]["classes"],
        names=names,
    )
    figure, axis = make_figure(9, 4.3)
    display.plot(ax=axis)
    return figure
