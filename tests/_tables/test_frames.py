"""One interface for arrays, pandas and polars."""

import numpy as np
import pandas as pd
import pytest

from sklearn_robust._tables._frames import is_frame, open_source

FRAME = pd.DataFrame(
    {
        "f": [1.5, np.nan, 3],
        "i": pd.array([1, None, 3], dtype="Int64"),
        "b": [True, False, True],
        "s": ["a", None, "b"],
        "big": np.array([2**60, 2**60 + 1, 0]),
        "o": np.array([1, 2.5, None], dtype=object),
    }
)
KINDS = ["number", "integer", "boolean", "other", "other", "number"]


def sources():
    yield FRAME, KINDS
    try:
        import polars
    except ImportError:
        return
    columns = {name: FRAME[name].tolist() for name in "fbs"}
    columns |= {"i": [1, None, 3], "big": FRAME.big.tolist(), "o": [1, 2.5, None]}
    yield polars.DataFrame(columns, strict=False)[list(FRAME.columns)], KINDS


@pytest.mark.parametrize(("X", "kinds"), list(sources()), ids=lambda v: type(v).__module__)
def test_columns_come_back(X, kinds):
    source = open_source(X)
    assert is_frame(X) and source.names == list(FRAME.columns)
    assert [source.kind(place) for place in range(6)] == kinds
    columns = []
    for place, kind in enumerate(kinds):
        if kind == "other":
            codes, values = source.factorize(place, ["c"] if place == 3 else [])
            columns.append(source.take(values, codes))
            assert place != 3 or "c" in list(values)
        else:
            columns.append(source.cast(place, source.floats(place)))
    again = source.build(columns, slice(None))
    assert again.equals(X) or again.drop(columns="o").equals(X.drop(columns="o"))


def test_arrays_of_objects_texts_and_numbers():
    rows = np.array([[1, "a", 2.5], [2, "b", None]], dtype=object)
    source = open_source(rows)
    assert [source.kind(place) for place in range(3)] == ["integer", "other", "number"]
    codes, values = source.factorize(1, ["c"])
    assert codes.tolist() == [0, 1] and values.tolist() == ["a", "b", "c"]
    assert np.isnan(source.floats(2)[1]) and source.dtype(0) is None
    assert source.cast(0, np.array([1.0, 2.0])).tolist() == [1, 2]
    assert open_source(np.eye(2)).kind(0) == "number"
    assert not is_frame(rows)
