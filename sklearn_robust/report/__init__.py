"""Train, attack and compare nets, and show what came of it on one page."""

from ._compare import compare
from ._errors import BadInput
from ._evaluate import evaluate
from ._settings import DEFAULT_NETS, NETS, Settings

__all__ = ["DEFAULT_NETS", "NETS", "BadInput", "Settings", "compare", "evaluate"]
