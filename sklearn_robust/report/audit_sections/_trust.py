"""Whether the number can be trusted."""

from __future__ import annotations

from .._audit_report import AuditReport
from .._blocks import Points, Section, Text

__all__ = ["trust"]


def trust(report: AuditReport) -> Section:
    """Section with the verdict, and each sign against the number."""
    signs = report.plain["verdict"]["signs"]
    if report.trusted:
        text = (
            "**Yes, as far as these checks can tell.** No sign of gradient masking was found: "
            "gradients exist and predict what small steps do, losses and restarts agree, noise is "
            "no substitute for the attack, and accuracy falls when the ball grows. A stronger "
            "attack may still lower the number; it cannot raise it."
        )
        return Section("trust", "Can I trust it?", [Text(text)])
    if not report.plain["model"]["differentiable"]:
        text = (
            "**Only as an upper bound.** No gradient reaches the input of this model, so that the "
            "attack saw its scores alone. The true robust accuracy may be far lower."
        )
    else:
        text = (
            "**No.** These signs are typical of models whose gradient misleads attacks, so that "
            "the true robust accuracy may be far lower:"
        )
    points = [f"**{name}**: {sign}." for name, sign in signs.items()]
    return Section("trust", "Can I trust it?", [Text(text), Points(points)])
