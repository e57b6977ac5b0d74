"""The moves of Square: windows, places, groups and bumps."""

import pytest
import torch

from sklearn_robust.attacks._square_moves import Places, bumps, window_share


def test_windows_shrink_on_the_schedule_of_the_paper():
    shares = [window_share(0.8, query, 10_000) for query in (0, 10, 11, 51, 201, 501, 8001, 9999)]
    assert shares == [0.8, 0.8, 0.4, 0.2, 0.1, 0.05, 0.8 / 512, 0.8 / 512]
    assert window_share(0.4, 1, 20) == 0.4 / 2**3


def test_places_of_a_window_are_a_square():
    places = Places((2, 5, 7), torch.tensor(True))
    where = places.pick(3, torch.tensor([[0.0, 0.0], [0.999, 0.999], [0.4, 0.5]]))
    assert where.shape == (3, 2, 9)
    assert torch.equal(where[:, 0], where[:, 1])
    for picked in where[:, 0]:
        rows, columns = picked // 7, picked % 7
        assert len(set(rows.tolist())) == len(set(columns.tolist())) == 3
        assert rows.max() - rows.min() == columns.max() - columns.min() == 2
    assert where[0, 0].min() == 0 and where[1, 0].max() == 34


def test_groups_are_distinct_features_that_may_move():
    free = torch.tensor([True, False, True, True, False, True])
    places = Places((6,), free)
    where = places.pick(3, torch.rand(50, places.n_draws(3)))[:, 0]
    assert all(len(set(group.tolist())) == 3 for group in where)
    assert free[where].all()
    assert free[places.pick(1, torch.rand(50, 1))].all()
    assert places.side(1.0, 1) == 4 and places.side(0.01, 1) == 1


@pytest.mark.parametrize("order", [1.0, 2.0])
@pytest.mark.parametrize("side", [1, 3, 7])
def test_a_bump_rises_on_one_side_and_sinks_on_the_other(side, order):
    field = bumps(side, order)
    assert field.shape == (side, side)
    assert (field[: side // 2] > 0).all() and (field[side // 2 :] < 0).all()
