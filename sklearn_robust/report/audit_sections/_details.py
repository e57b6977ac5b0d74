"""Everything else, folded away: attacks, limits, and how to repeat the audit."""

from __future__ import annotations

from .._audit_report import AuditReport
from .._blocks import Cell, Code, Details, Points, Section, Table, Text
from ..sections._format import percent

__all__ = ["details"]


def details(report: AuditReport) -> Section:
    """Section with folded details."""
    return Section(
        "details",
        "Details",
        [
            Details("Accuracy under each attack", [_attacks(report)]),
            Details("What these numbers do not say", [_limits(report)]),
            Details("How to repeat this", _repeat(report)),
        ],
    )


def _attacks(report: AuditReport) -> Table:
    found = report.plain["accuracy"]["by_attack"]
    rows = [
        [name, percent(share, ""), Cell(_kind(report.kinds[name]), words=True)]
        for name, share in found.items()
    ]
    head: list[tuple[str, list[str]]] = [(t, []) for t in ("attack", "accuracy", "kind")]
    note = "The worst case counts a sample as robust only if every attack fails."
    return Table("Accuracy (%) under each attack alone", head, rows, note, narrow=True)


def _kind(kind: str) -> str:
    if kind == "black box":
        return "black box: sees scores alone, an upper bound"
    return "white box: sees gradients"


def _limits(report: AuditReport) -> Points:
    threat = report.plain["threat"]
    box = threat["bounds"]
    where = "may take any value" if box is None else f"stay within {_range(box)}"
    features = "" if threat["mask"] is None else " Only the features of the mask may change."
    return Points(
        [
            "A finite attack finds an **upper bound** of robust accuracy.",
            f"One threat: {report.eps_text}, and values {where}.{features} Other changes, such as "
            "rotations, blur or missing values, were not tried.",
            f"One set of {report.plain['data']['n_samples']:,} samples. What holds here may not "
            "hold for data of another source.",
        ]
    )


def _range(box: list[object]) -> str:
    low, high = box
    return "limits for each feature" if isinstance(low, list) else f"{low} to {high}"


def _repeat(report: AuditReport) -> list[object]:
    plain = report.plain
    blocks: list[object] = []
    if plain["command"]:
        blocks += [Text("This line repeats the audit:"), Code(plain["command"])]
    versions = ", ".join(f"{name} {version}" for name, version in plain["versions"].items())
    return [
        *blocks,
        Text(
            f"Attack: `{plain['attack']}`. Data: {plain['data']['title']}, SHA-256 "
            f"`{plain['data']['sha256']}`. Versions: {versions}. Seed: {plain['seed']}."
        ),
        Text(
            "Beside this page are `evidence.json` (all numbers, and which samples were robust) "
            "and `model_card.md`."
        ),
    ]
