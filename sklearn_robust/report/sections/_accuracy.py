"""The tables of the papers: rows are nets, columns are attacks."""

from __future__ import annotations

from collections.abc import Iterable

from ...metrics._report_text import verdict_of
from ...plotting._style import shown_radius
from .._attack import ATTACKS, PROVEN, WORST
from .._blocks import Cell, Section, Table, Text
from .._results import Results
from ._format import percent

__all__ = ["accuracy"]

_SIDES = ("at least", "at most", "so it is")


def accuracy(results: Results) -> Section | None:
    """Accuracy of every net under every attack, at the strengths that were asked for."""
    names, eps = results.judged, results["eps"]
    columns = [("natural", None)] + [(attack, radius) for attack in ATTACKS for radius in eps]
    values = {name: [_value(results, name, *column) for column in columns] for name in names}
    ranked = [name for name in names if not results.is_bound(name)]
    best = [_best(values[name][place] for name in ranked) for place in range(len(columns))]
    bound = {name: [name not in ranked] * len(columns) for name in names}
    rows = [[name, *map(_cell, values[name], best, bound[name])] for name in names]
    radii, unit = _headings(eps)
    head = [("net", []), ("natural", []), *((attack, radii) for attack in ATTACKS)]
    table = Table(_caption(results, unit), head, rows, _note(results))
    return Section("accuracy", "Accuracy under attack", [table, _both_sides(results)])


def _both_sides(results: Results) -> Table | Text:
    """Table of what is proven and what the attacks left, or how to get one."""
    names = [name for name in results.judged if results.curve(name, PROVEN)]
    if not names:
        return Text(
            "Nothing is **proven** here: each number is an upper bound. `--certify` proves a lower "
            "bound too, which takes a second of computing for each sample and strength of a net "
            "of convolutions, and far less for models with a cheap proof."
        )
    radii, unit = _headings(results["eps"])
    rows = [[name, *_sides(results, name)] for name in names]
    head = [("model", []), *((f"{unit} = {radius}", list(_SIDES)) for radius in radii)]
    note = (
        "At least: share of the samples that are proven to keep their class. At most: the worst "
        "case, which no attack lowered."
    )
    return Table("Accuracy (%) from both sides", head, rows, note)


def _sides(results: Results, name: str) -> list[Cell]:
    cells = []
    for eps in results["eps"]:
        lower, upper = (results.accuracy(name, side, eps) for side in (PROVEN, WORST))
        known = lower is not None and upper is not None
        verdict = Cell(verdict_of(lower, upper) if known else "–", words=True)
        cells += [Cell(percent(lower, "")), Cell(percent(upper, "")), verdict]
    return cells


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


def _cell(value: float | None, best: float | None, bound: bool) -> Cell:
    if value is None:
        return Cell("–")
    if bound:
        return Cell(f"≤ {percent(value, '')}")
    return Cell(percent(value, ""), share=value, best=value == best)


def _caption(results: Results, unit: str) -> str:
    data = results["data"]
    samples = f"{data['n_test']:,} test samples of {data['title']}"
    return f"Accuracy (%) on {samples}, by attack and {unit}"


def _note(results: Results) -> str:
    bounds = [name for name in results.judged if results.is_bound(name)]
    searched = f" {', '.join(bounds)}: upper bounds, searched by scores alone." if bounds else ""
    return (
        f"eps is the greatest change of any value of a sample ({results['norm']} norm), in the "
        "units of the data. FGSM takes one step; BIM and C&W (the margin loss inside the same "
        f"ball) take 10, each a quarter of eps. The {WORST} counts a sample only if none of these "
        "and no PGD with 40 steps on cross-entropy, margin or scaled cross-entropy changes its "
        "class, at this strength or any smaller one. **Bold** is best in its column." + searched
    )
