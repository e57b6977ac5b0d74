"""Tables: frames and arrays whose columns hold more than plain numbers.

A :class:`Table` says what each column is, as read from X and from the fitted estimator, and maps
X to a matrix of float64 and back. Attacks move the matrix; the estimator is always asked about
what :meth:`Table.decode` makes of it.
"""

from ._by_column import (
    ColumnThreat,
    describe_scales,
    has_columns,
    holds_still,
    moving,
    moving_place,
    resolve,
)
from ._constraints import Constraints, constraints_of, flips_of
from ._encoders import coded_columns, selected_places
from ._frames import is_mixed
from ._table import Column, Table, read_table, wants_table

__all__ = [
    "Column",
    "ColumnThreat",
    "Constraints",
    "Table",
    "coded_columns",
    "constraints_of",
    "describe_scales",
    "flips_of",
    "has_columns",
    "holds_still",
    "is_mixed",
    "moving",
    "moving_place",
    "read_table",
    "resolve",
    "selected_places",
    "wants_table",
]
