"""Random numbers that belong to their user: forked torch state, and noise tied to rows."""

import math
import numbers
import os
import secrets
import threading
from contextlib import contextmanager
from functools import cached_property

import torch
from sklearn.utils import check_random_state

__all__ = ["RowNoise", "StreamNoise", "rng_lock", "seed_of", "torch_seed"]

_GOLDEN = -7046029254386353131  # 2^64 / golden ratio, as a signed 64-bit integer
_MIX = (-4658895280553007687, -7723592293110705685)  # multipliers of splitmix64


def seed_of(random_state):
    """Integer seed of a scikit-learn ``random_state``; an integer gives itself every time.

    None is another seed every time, from the system: the global generators are not touched.
    """
    if random_state is None:
        return secrets.randbelow(2**31 - 1)
    if isinstance(random_state, numbers.Integral):
        check_random_state(random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def torch_seed(seed, device="cpu"):
    """Seed torch's generators inside, and give them back as they were.

    The generators belong to the whole process, so one thread is inside at a time.
    """
    device = torch.device(device)
    cuda = [device.index or 0] if device.type == "cuda" else []
    with rng_lock(), torch.random.fork_rng(devices=cuda):
        if cuda:
            torch.manual_seed(seed)
        else:  # the other way would queue a call, and a trace of it, for a GPU never used
            torch.default_generator.manual_seed(seed)
        yield


def rng_lock():
    """Context that one thread of a process is in at a time; its own calls may nest."""
    return _TURN


def _new_turn():
    global _TURN
    _TURN = threading.RLock()


_new_turn()
if hasattr(os, "register_at_fork"):  # a process that is forked meanwhile begins with a free one
    os.register_at_fork(after_in_child=_new_turn)


def _shift(v, bits):
    """Logical right shift of signed 64-bit integers."""
    return (v >> bits) & ((1 << (64 - bits)) - 1)


def _scramble(v):
    """Finaliser of splitmix64: a bijection of 64-bit integers that looks random."""
    v = (v ^ _shift(v, 30)) * _MIX[0]
    v = (v ^ _shift(v, 27)) * _MIX[1]
    return v ^ _shift(v, 31)


class _Noise:
    """Uniform numbers in (0, 1), and what follows from them."""

    def uniform(self, x, stream):
        raise NotImplementedError

    def normal(self, x, stream):
        """Draw normal numbers of mean 0 and variance 1, shape of ``x``."""
        u = self.uniform(x, stream).double()
        return (math.sqrt(2) * torch.erfinv(2 * u - 1)).to(x.dtype)

    def scalar(self, x, stream):
        """One uniform number a row, shape (n, 1, ..., 1)."""
        rows = x.flatten(1)[:, :1].reshape(-1, *[1] * (x.ndim - 1))
        return self.uniform(rows, stream)


class RowNoise(_Noise):
    """Noise that is a function of the seed and the row's own values.

    Splitting or reordering the rows changes no row's noise, so a verdict does not depend on
    batch size, batch order or the number of processes.

    Parameters
    ----------
    seed : int
        Seed.
    x : tensor of shape (n, ...)
        The clean rows that key the noise.
    """

    def __init__(self, seed, x):
        self._source = seed, x

    @cached_property
    def key(self):
        """Number of each row, (n,) int64; not asked for by attacks that draw nothing."""
        seed, x = self._source
        offset = torch.tensor(seed, dtype=torch.int64, device=x.device)
        start = _scramble(offset * _MIX[0] + 1)
        bits = x.detach().float().flatten(1).contiguous().view(torch.int32).long()
        weights = _scramble(start + torch.arange(bits.shape[1], device=x.device) * _GOLDEN) | 1
        return _scramble((bits * weights).sum(1) + start)

    def __getitem__(self, rows):
        """Noise of some of the rows."""
        picked = object.__new__(RowNoise)
        picked.key = self.key[rows]
        return picked

    def spawn(self, number):
        """Other noise for the same rows."""
        other = object.__new__(RowNoise)
        step = torch.full_like(self.key, number) * _GOLDEN
        other.key = _scramble(self.key + step)
        return other

    def uniform(self, x, stream):
        """Uniform numbers in (0, 1), shape of ``x``; another ``stream``, other numbers."""
        n_values = x[0].numel() if len(x) else 0
        column = torch.arange(n_values, device=x.device) + (stream << 32)
        state = _scramble(self.key[:, None] + (column + 1) * _GOLDEN)
        u = (_shift(state, 41).double() + 0.5) / (1 << 23)  # float32 holds each exactly
        return u.to(x.dtype).reshape(x.shape)


class StreamNoise(_Noise):
    """Noise drawn in turn from one ``torch.Generator``: the quicker kind, for training."""

    def __init__(self, generator):
        self.generator = generator

    def __getitem__(self, rows):
        """Noise of some of the rows: the stream serves all alike."""
        return self

    def spawn(self, number):
        """Other noise: the stream never repeats."""
        return self

    def uniform(self, x, stream):
        """Uniform numbers in (0, 1), shape of ``x``."""
        u = torch.rand(x.shape, generator=self.generator, dtype=x.dtype, device=x.device)
        return u.clamp_min_(torch.finfo(x.dtype).eps / 4)

    def state_dict(self):
        """State of the stream, as modules give theirs."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state):
        """Go on where a stream was."""
        self.generator.set_state(state["generator"])
