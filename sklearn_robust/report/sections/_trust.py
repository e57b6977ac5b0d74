"""Signs that an attack failed, which would make a net look better than it is."""

from .._attack import PAPER_ATTACKS, WORST
from .._blocks import Cell, Section, Table, Text
from ._words import percent, strength

__all__ = ["trust"]

_TOLERANCE = 0.02


def trust(results):
    """For every net, what would give away a flattered number."""
    if not results.attacked:
        return None
    eps = results["verdict_eps"]
    signs = {name: _signs(results, name, eps) for name in results.attacked}
    rows = [
        [
            name,
            percent(min(results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS), ""),
            percent(results.accuracy(name, WORST, eps), ""),
            percent(_flattery(results, name, eps), ""),
            percent(results.curve(name)[-1], ""),
            Cell("; ".join(signs[name]) or "none", words=True),
        ]
        for name in results.attacked
    ]
    head = [
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
    return Section("trust", "Can these numbers be trusted?", [Text(_sentence(signs)), table])


def _flattery(results, name, eps):
    strongest = min(results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS)
    return strongest - results.accuracy(name, WORST, eps)


def _signs(results, name, eps):
    found = []
    fgsm, bim, margin = (results.accuracy(name, attack, eps) for attack in PAPER_ATTACKS)
    if fgsm < min(bim, margin) - _TOLERANCE:
        found.append("one step beats ten")
    if results.curve(name)[-1] > 1 / len(results["data"]["classes"]) + _TOLERANCE:
        found.append("above guessing at the greatest eps")
    if abs(bim - margin) > 5 * _TOLERANCE:
        found.append("cross-entropy and margin disagree")
    return found


def _sentence(signs):
    suspects = [name for name, found in signs.items() if found]
    if not suspects:
        return "No net shows a sign that its gradient misleads the attacks."
    return (
        f"Look twice at {', '.join(suspects)}: what the last column names is how nets behave whose "
        "gradient misleads an attack, and their true accuracy may be lower still."
    )


def _note():
    return (
        "Warning signs: one step (FGSM) leaves at least two points less than ten steps; accuracy "
        "above guessing when every value may change by the greatest eps of the curves; ten points "
        "between the losses cross-entropy (BIM) and margin (C&W)."
    )
