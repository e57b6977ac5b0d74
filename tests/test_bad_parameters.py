"""Every bad value of every parameter ends in a sentence, or is rightly accepted."""

import matplotlib
import pytest

from tests.bad_values import FAST, ROOMS, VALUES, counts, sweep

matplotlib.use("Agg")

SLOW_ROOMS = ("attacks", "plotting", "metrics", "nets")  # more than a few seconds each


def unclear(rows):
    """Rows that ended in a raw error or never."""
    return ["{1}.{2}={3}: {4} {5}".format(*row) for row in rows if row[4] in ("raw", "hang")]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Paths among the bad values are made in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in SLOW_ROOMS])
def test_a_bad_value_is_answered_in_a_sentence(room):
    rows = sweep(ROOMS[room](), FAST)
    assert unclear(rows) == []


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_all_bad_values_are_answered_in_a_sentence(room):
    rows = sweep(ROOMS[room](), tuple(VALUES))
    found = counts(rows)
    print(room, dict(found))
    assert unclear(rows) == []
    assert found["foreign"] <= 0.03 * len(rows), found
