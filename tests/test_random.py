"""Random numbers belong to their user: nothing global moves, and a row keeps its noise."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sklearn_robust._random import RowNoise, StreamNoise, seed_of, torch_seed
from tests.cases import generators_untouched


def stream(seed=0):
    return StreamNoise(torch.Generator().manual_seed(seed))


SOURCES = {"row": lambda x: RowNoise(0, x), "stream": lambda x: stream()}


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, np.int64(7), np.uint8(7)], ids=repr)
def test_an_integer_is_its_own_seed(seed):
    assert seed_of(seed) == seed
    assert type(seed_of(seed)) is int


def test_a_generator_gives_another_seed_every_time():
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    assert [seed_of(ours) for _ in range(3)] == [seed_of(theirs) for _ in range(3)]
    assert len({seed_of(ours) for _ in range(20)}) == 20


def test_without_a_random_state_every_seed_is_new_and_nothing_global_moves():
    with generators_untouched():
        assert len({seed_of(None) for _ in range(20)}) == 20


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "seed"], ids=repr)
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match="random_state is .*; give an integer from 0"):
        seed_of(seed)


def test_a_seeded_block_gives_the_same_numbers_and_the_generator_back():
    with generators_untouched():
        with torch_seed(5):
            first = torch.rand(4)
        with pytest.raises(KeyError), torch_seed(5):
            second = torch.rand(4)
            raise KeyError
    assert torch.equal(first, second)


rows = st.lists(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3),
    min_size=2,
    max_size=6,
    unique_by=tuple,
)


@given(rows=rows, seed=st.integers(0, 2**32 - 1), number=st.integers(0, 99), data=st.data())
def test_the_noise_of_a_row_does_not_know_its_neighbours_or_its_place(rows, seed, number, data):
    x = torch.tensor(rows)
    whole = RowNoise(seed, x).uniform(x, number)
    order = torch.tensor(data.draw(st.permutations(range(len(x)))))
    assert torch.equal(RowNoise(seed, x[order]).uniform(x[order], number), whole[order])
    assert torch.equal(RowNoise(seed, x)[order].uniform(x[order], number), whole[order])
    assert torch.equal(RowNoise(seed, x[:1]).uniform(x[:1], number), whole[:1])


def test_another_seed_stream_spawn_or_row_gives_other_noise():
    x = torch.rand(4, 500)
    noise = RowNoise(0, x)
    drawn = [
        noise.uniform(x, 0),
        noise.uniform(x, 1),
        noise.spawn(0).uniform(x, 0),
        noise.spawn(1).uniform(x, 0),
        RowNoise(1, x).uniform(x, 0),
        RowNoise(0, x + 1e-6).uniform(x, 0),
    ]
    everything = torch.cat(drawn).double()
    correlation = torch.corrcoef(everything) - torch.eye(len(everything))
    assert correlation.abs().max() < 0.25
    assert len(torch.unique(everything)) > 0.99 * everything.numel()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("source", SOURCES)
def test_uniform_numbers_are_uniform_and_never_0_or_1(source, dtype):
    x = torch.rand(200, 10, 10, dtype=dtype)
    noise = SOURCES[source](x)
    u = noise.uniform(x, 0)
    assert u.shape == x.shape and u.dtype == dtype
    assert 0 < u.min() and u.max() < 1
    assert stats.kstest(u.double().flatten().numpy(), "uniform").pvalue > 0.01
    # No feature, and no row, is better off than another.
    assert (u.mean(0) - 0.5).abs().max() < 5 * math.sqrt(1 / 12 / 200)
    assert (u.flatten(1).mean(1) - 0.5).abs().max() < 5 * math.sqrt(1 / 12 / 100)


@pytest.mark.parametrize("source", SOURCES)
def test_normal_numbers_are_normal_and_finite(source):
    x = torch.rand(200, 100)
    v = SOURCES[source](x).normal(x, 3)
    assert v.isfinite().all()
    assert stats.kstest(v.double().flatten().numpy(), "norm").pvalue > 0.01


@pytest.mark.parametrize("source", SOURCES)
def test_a_scalar_is_one_number_a_row(source):
    x = torch.rand(5, 2, 3)
    u = SOURCES[source](x).scalar(x, 0)
    assert u.shape == (5, 1, 1)
    assert len(torch.unique(u)) == 5


def test_a_stream_is_its_generator_and_never_repeats():
    x = torch.rand(3, 4)
    ours, theirs = stream(2), stream(2)
    with generators_untouched():
        first, second = ours.uniform(x, 0), ours.uniform(x, 0)
    assert torch.equal(first, theirs.uniform(x, 9))
    assert not torch.equal(first, second)
    assert ours[torch.tensor([0])] is ours and ours.spawn(1) is ours


def test_no_rows_have_no_noise():
    x = torch.zeros(0, 3)
    assert RowNoise(0, x).uniform(x, 0).shape == (0, 3)
