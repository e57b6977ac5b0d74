"""What eps means in the units of the data."""

from __future__ import annotations

import numpy as np

from ...metrics._suggest_eps import describe_eps, is_image
from .._audit_report import AuditReport
from .._blocks import Details, Points, Section, Table, Text
from ..sections._format import number, percent

__all__ = ["meaning"]

_MOST_ROWS = 40


def meaning(report: AuditReport) -> Section:
    """Section that translates eps."""
    found = report.meaning
    points = [point for point in (_pixels(report), _share(report), *_ceiling(report)) if point]
    blocks = [Text(_intro(report)), Points(points)]
    shape = report.plain["data"]["sample_shape"]
    if not is_image(tuple(shape)) and len(shape) == 1 and np.size(found.spread) > 0:
        blocks.append(Details("eps for each feature", [_table(report)]))
    return Section("meaning", "What does eps mean here?", blocks)


def _intro(report: AuditReport) -> str:
    how = {
        "linf": "every value of a sample may change by at most eps",
        "l2": "the change of a sample may be at most eps long (l2 norm)",
        "l1": "the changes of all values of a sample may add up to at most eps (l1 norm)",
    }[report.plain["threat"]["norm"]]
    chosen = " It was chosen here, since none was given." if report.typed.get("suggested") else ""
    return f"{report.eps_text}: {how}, in the units of the data.{chosen}"


def _pixels(report: AuditReport) -> str:
    levels = report.meaning.grey_levels
    return "" if levels is None else f"It is **{number(levels)} of 255 grey levels** of each pixel."


def _share(report: AuditReport) -> str:
    share = report.meaning.share
    share = share[np.isfinite(share) & (share > 0)]
    if not share.size or report.meaning.grey_levels is not None:
        return ""
    low, middle, high = np.quantile(share, (0, 0.5, 1))
    if high - low < 1e-6 * high:
        return f"It is **{percent(middle)} of the standard deviation** of each feature."
    return (
        f"It is **{percent(middle)} of the standard deviation** of the median feature, "
        f"{percent(low)} of the widest and {percent(high)} of the narrowest."
    )


def _ceiling(report: AuditReport) -> list[str]:
    found = report.meaning
    if found.nearest is None:
        return []
    apart = found.nearest.min()
    limit = f"{number(apart / 2)} times eps"
    if np.ndim(found.ceiling) == 0:
        limit += f" ({describe_eps(found.ceiling)})"
    text = (
        f"The two nearest samples of different classes are {number(apart)} eps apart: above "
        f"{limit}, half of that distance, no classifier is robust to both"
    )
    if found.best_possible < 1:
        return [
            f"{text}. At this eps **no classifier can keep more than "
            f"{percent(found.best_possible)}** of the samples."
        ]
    return [f"{text}. This eps is below it."]


def _table(report: AuditReport) -> Table:
    found = report.meaning
    names = report.feature_names or [f"feature {k}" for k in range(len(found.spread))]
    eps = np.broadcast_to(found.eps, found.spread.shape)
    order = np.argsort(-np.where(np.isfinite(found.share), found.share, 0), kind="stable")
    rows = [
        [
            names[k],
            number(float(eps[k])),
            number(float(found.spread[k])),
            percent(float(found.share[k])) if np.isfinite(found.share[k]) else "constant",
        ]
        for k in order[:_MOST_ROWS]
    ]
    note = f"The first {_MOST_ROWS} of {len(names)}." if len(names) > _MOST_ROWS else ""
    head: list[tuple[str, list[str]]] = [
        (title, []) for title in ("feature", "eps", "standard deviation", "share")
    ]
    return Table("eps and the spread of each feature", head, rows, note, narrow=True)
