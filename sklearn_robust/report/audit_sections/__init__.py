"""The sections of the page of an audit, in their order; a new one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable

from .._audit_report import AuditReport
from .._blocks import Section
from ._answer import answer
from ._details import details
from ._meaning import meaning
from ._next_steps import next_steps
from ._trust import trust
from ._why import why

__all__ = ["AUDIT_SECTIONS"]

AUDIT_SECTIONS: list[Callable[[AuditReport], Section]] = [
    answer,
    meaning,
    trust,
    next_steps,
    why,
    details,
]
