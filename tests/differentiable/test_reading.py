"""Which columns of a table a part of an estimator sees while it is built."""

import numpy as np

from sklearn_robust._tables import read_table
from sklearn_robust.differentiable._reading import (
    Reader,
    at_columns,
    behind,
    current_reader,
    reading,
)
from tests._tables.people import FRAME, pipeline


def test_parts_see_some_columns_and_what_is_behind_them_sees_none():
    table = read_table(FRAME, pipeline())
    reader = Reader(table, table.still, np.arange(3))
    assert current_reader() is None and not reader.all_still
    with reading(reader), at_columns([2]):
        part = current_reader()
        assert part.places.tolist() == [2] and part.all_still and part.all_codes
        with behind():
            assert current_reader() is None
    with at_columns([0]):
        assert current_reader() is None
