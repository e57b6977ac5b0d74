"""Comparison of nets: train them, attack them, and write the results on one page."""

from ._compare import compare
from ._evaluate import evaluate
from ._settings import DEFAULT_NETS, NETS, BadInput, Settings

__all__ = ["DEFAULT_NETS", "NETS", "BadInput", "Settings", "compare", "evaluate"]
