"""Which columns of a table the part of an estimator sees that is being built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._tables import Table

__all__ = ["Reader", "at_columns", "behind", "current_names", "current_reader", "reading"]


@dataclass(frozen=True)
class Reader:
    """Columns of a table that a part of an estimator reads as they are.

    Attributes
    ----------
    table : Table
        The table.
    still : bool array of shape (n_columns,)
        Columns of the table that no attack moves.
    places : int array
        Columns that the part sees, by their places in the table.
    """

    table: Table
    still: NDArray[np.bool_]
    places: NDArray[np.int64]

    @property
    def all_still(self) -> bool:
        """Whether none of the columns moves."""
        return bool(self.still[self.places].all())

    @property
    def all_codes(self) -> bool:
        """Whether all columns hold codes."""
        return bool(self.table.still[self.places].all())


_READER: ContextVar[Reader | None] = ContextVar("reader", default=None)


def current_reader() -> Reader | None:
    """Reader of the part that is being built; None behind a step that made other features."""
    return _READER.get()


def current_names() -> list[Any]:
    """Names of the columns that the part being built sees; none behind other features."""
    reader = current_reader()
    return [] if reader is None else [reader.table.names[place] for place in reader.places]


@contextmanager
def reading(reader: Reader | None) -> Iterator[None]:
    """Context in which modules are built for that reader."""
    token = _READER.set(reader)
    try:
        yield
    finally:
        _READER.reset(token)


def at_columns(index: Any) -> Any:
    """Context of a part that sees some of the columns."""
    reader = current_reader()
    index = np.asarray(index)
    return reading(None if reader is None else replace(reader, places=reader.places[index]))


def behind() -> Any:
    """Context of a part that sees what another one made."""
    return reading(None)
