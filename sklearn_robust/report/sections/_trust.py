"""Signs that an attack failed, which would make a net look more robust than it is."""

from __future__ import annotations

from .._attack import PAPER_ATTACKS, WORST
from .._blocks import Cell, Section, Table, Text
from .._results import Results
from ._format import percent, strength

__all__ = ["trust"]

_TOLERANCE = 0.02


def trust(results: Results) -> Section | None:
    """Section with the signs, for every net, that its accuracy is overstated."""
    if not results.attacked:
        return None
    eps = results["summary_eps"]
    if not results.white_box:
        return None
    signs = {name: _signs(results, name, eps) for name in results.white_box}
    rows = [
        [
            name,
            percent(min(results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS), ""),
            percent(results.accuracy(name, WORST, eps), ""),
            percent(_overstated(results, name, eps), ""),
            percent(results.curve(name)[-1], ""),
            Cell("; ".join(signs[name]) or "none", words=True),
        ]
        for name in results.white_box
    ]
    head: list[tuple[str, list[str]]] = [
        (title, [])
        for title in (
            "net",
            "strongest single attack",
            "worst case",
            "overstated by (points)",
            f"at {strength(results['radii'][-1])}",
            "warning signs",
        )
    ]
    caption = (
        f"Accuracy (%) at {strength(eps)} under the strongest single attack and in the worst case"
    )
    table = Table(caption, head, rows, _note())
    blocks = [Text(text) for text in (_sentence(signs), _by_scores(results)) if text]
    return Section("trust", "Can these numbers be trusted?", [*blocks, table])


def _by_scores(results: Results) -> str:
    """Name the models whose worst case is only an upper bound."""
    names = [name for name in results.attacked if results.is_bound(name)]
    if not names:
        return ""
    return (
        f"No gradient reaches the input of {' and '.join(names)}, so that only scores were "
        "searched: the worst case is an **upper bound**, and no sign of a failed attack can be "
        "looked for."
    )


def _overstated(results: Results, name: str, eps: float) -> float:
    strongest = min(results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS)
    return strongest - results.accuracy(name, WORST, eps)


def _signs(results: Results, name: str, eps: float) -> list[str]:
    found = []
    fgsm, bim, margin = (results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS)
    if fgsm < min(bim, margin) - _TOLERANCE:
        found.append("one step beats ten")
    if results.curve(name)[-1] > 1 / len(results["data"]["classes"]) + _TOLERANCE:
        found.append("above guessing at the greatest eps")
    if abs(bim - margin) > 5 * _TOLERANCE:
        found.append("cross-entropy and margin disagree")
    return found


def _sentence(signs: dict[str, list[str]]) -> str:
    suspects = [name for name, found in signs.items() if found]
    if not suspects:
        return "No net shows a sign that its gradient misleads the attacks."
    return (
        f"Look twice at {', '.join(suspects)}: the signs in the last column are typical of nets "
        "whose gradient misleads an attack, and their true accuracy may be lower still."
    )


def _note() -> str:
    return (
        "Warning signs: one step (FGSM) leaves at least two points less than ten steps; accuracy "
        "above guessing when every value may change by the greatest eps of the curves; ten points "
        "between the losses cross-entropy (BIM) and margin (C&W)."
    )
