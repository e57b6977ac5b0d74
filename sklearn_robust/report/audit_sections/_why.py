"""Why the model loses accuracy: what it reacts to, and which classes are weak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...metrics._suggest_eps import is_image
from ...plotting._style import PALETTE, make_figure
from .._audit_report import AuditReport
from .._blocks import Figure, Section, Table, Text
from ..sections._format import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["why"]

_MOST = 8


def why(report: AuditReport) -> Section:
    """Section with reasons."""
    blocks: list[Any] = []
    shape = tuple(report.plain["data"]["sample_shape"])
    if report.sensitivity is None:
        blocks.append(Text("What the model reacts to is not known, since it has no gradient."))
    elif is_image(shape):
        blocks.append(
            Figure(
                "sensitivity",
                lambda: _draw_map(report),
                "Where a change of one pixel by eps moves the decision most, on average.",
                _map_alt(report),
                narrow=True,
            )
        )
    else:
        blocks.append(
            Figure(
                "sensitivity",
                lambda: _draw_bars(report),
                "What the decision hangs on: the share of each feature in the change of the margin "
                "when every feature moves by eps, to first order, on average.",
                _bars_alt(report),
                narrow=True,
            )
        )
    blocks.append(_classes(report))
    return Section("why", "Why?", blocks)


def _shares(report: AuditReport) -> tuple[list[str], Any]:
    """Names and shares of the features that matter most, first the largest."""
    assert report.sensitivity is not None
    flat = report.sensitivity.ravel()
    names = report.feature_names or [f"feature {k}" for k in range(len(flat))]
    order = np.argsort(-flat, kind="stable")[:_MOST]
    return [names[k] for k in order], flat[order] / max(flat.sum(), 1e-300)


def _bars_alt(report: AuditReport) -> str:
    names, shares = _shares(report)
    pairs = (f"{name} {percent(float(s))}" for name, s in zip(names, shares, strict=True))
    return "Bars, longest first: " + ", ".join(pairs) + "."


def _draw_bars(report: AuditReport) -> MplFigure:
    names, shares = _shares(report)
    figure, axis = make_figure(5.2, 0.8 + 0.28 * len(names))
    shown = [name if len(name) < 26 else name[:24] + "…" for name in names]
    axis.barh(range(len(names)), 100 * shares, color=PALETTE[3])
    axis.set_yticks(range(len(names)), shown)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="share of the change of the margin (%)")
    return figure


def _map_of(report: AuditReport) -> Any:
    assert report.sensitivity is not None
    found = report.sensitivity
    return found.mean(axis=0) if found.ndim == 3 else found


def _map_alt(report: AuditReport) -> str:
    found = _map_of(report)
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    inner = found[found.shape[0] // 4 : -(found.shape[0] // 4) or None]
    return (
        f"Map of the image; the decision reacts most to the pixel in row {row + 1} and column "
        f"{column + 1}. The middle rows have {percent(float(inner.sum() / found.sum()))} of it."
    )


def _draw_map(report: AuditReport) -> MplFigure:
    figure, axis = make_figure(5.2, 2.9)
    image = axis.imshow(_map_of(report), cmap="Blues", interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    figure.colorbar(image, ax=axis, label="change of the margin")
    return figure


def _classes(report: AuditReport) -> Table:
    rows = sorted(report.plain["accuracy"]["per_class"], key=lambda row: row["worst_case"])
    shown = [
        [str(row["label"]), percent(row["worst_case"], ""), percent(row["clean"], ""),
         f"{row['support']:,}"]
        for row in rows[:20]
    ]  # fmt: skip
    head: list[tuple[str, list[str]]] = [
        (title, []) for title in ("class", "worst case", "no attack", "samples")
    ]
    note = f"The weakest 20 of {len(rows)} classes." if len(rows) > 20 else ""
    return Table("Accuracy (%) by class, weakest first", head, shown, note, narrow=True)
