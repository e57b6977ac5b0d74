"""Trees as arrays, and exact searches over them; attacks and certificates stand on it."""

from ._distance import tree_distances
from ._searcher import Ball, Decision, TreeSearcher
from ._veritas import has_veritas

__all__ = ["Ball", "Decision", "TreeSearcher", "has_veritas", "tree_distances"]
