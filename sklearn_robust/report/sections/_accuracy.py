"""The tables of the papers: rows are nets, columns are attacks."""

from __future__ import annotations

from collections.abc import Iterable

from ...plotting._style import shown_radius
from .._attack import ATTACKS, WORST
from .._blocks import Cell, Section, Table
from .._results import Results
from ._format import percent

__all__ = ["accuracy"]


def accuracy(results: Results) -> Section | None:
    """Accuracy of every net under every attack, at the strengths that were asked for."""
    names, eps = results.trained, results["eps"]
    columns = [("natural", None)] + [(attack, radius) for attack in ATTACKS for radius in eps]
    values = {name: [_value(results, name, *column) for column in columns] for name in names}
    best = [_best(values[name][place] for name in names) for place in range(len(columns))]
    rows = [[name, *map(_cell, values[name], best)] for name in names]
    radii, unit = _headings(eps)
    head = [("net", []), ("natural", []), *((attack, radii) for attack in ATTACKS)]
    table = Table(_caption(results, unit), head, rows, _note(results))
    return Section("accuracy", "Accuracy under attack", [table])


def _headings(eps: list[float]) -> tuple[list[str], str]:
    """Strengths as short headings, and the unit they are in."""
    radii = [shown_radius(radius) for radius in eps]
    if all(radius.endswith("/255") for radius in radii):
        return [radius.removesuffix("/255") for radius in radii], "eps (of 255)"
    return radii, "eps"


def _value(results: Results, name: str, attack: str, eps: float | None) -> float | None:
    if eps is None:
        return results["nets"][name]["natural"]
    return results.accuracy(name, attack, eps)


def _best(column: Iterable[float | None]) -> float | None:
    found = [value for value in column if value is not None]
    return max(found) if len(found) > 1 else None


def _cell(value: float | None, best: float | None) -> Cell:
    if value is None:
        return Cell("–")
    return Cell(percent(value, ""), share=value, best=value == best)


def _caption(results: Results, unit: str) -> str:
    data = results["data"]
    samples = f"{data['n_test']:,} test samples of {data['title']}"
    return f"Accuracy (%) on {samples}, by attack and {unit}"


def _note(results: Results) -> str:
    return (
        f"eps is the greatest change of any value of a sample ({results['norm']} norm), in the "
        "units of the data. FGSM takes one step; BIM and C&W (the margin loss inside the same "
        f"ball) take 10, each a quarter of eps. The {WORST} counts a sample only if none of these "
        "and no PGD with 40 steps on cross-entropy, margin or scaled cross-entropy changes its "
        "class, at this strength or any smaller one. **Bold** is best in its column."
    )
