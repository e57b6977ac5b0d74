"""Pages on robustness: an audit of one model, and a comparison of nets."""

from ._audit_report import AuditReport
from ._compare import compare
from ._evaluate import evaluate
from ._robustness_page import robustness_page
from ._settings import DEFAULT_NETS, NETS, BadInput, Settings

__all__ = [
    "AuditReport",
    "BadInput",
    "DEFAULT_NETS",
    "NETS",
    "Settings",
    "compare",
    "evaluate",
    "robustness_page",
]
