"""The sections of a report, in their order; a new one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable

from .._blocks import Section
from .._results import Results
from ._accuracy import accuracy
from ._clusters import clusters
from ._curves import curves
from ._examples import examples
from ._limits import limits
from ._regions import regions
from ._regularization import regularization
from ._summary import summary
from ._surfaces import surfaces
from ._training import training
from ._trust import trust

__all__ = ["SECTIONS"]

# Each takes the Results and returns a Section, or None where it has nothing to show.
SECTIONS: list[Callable[[Results], Section | None]] = [
    summary,
    accuracy,
    curves,
    trust,
    examples,
    regions,
    surfaces,
    regularization,
    clusters,
    training,
    limits,
]
