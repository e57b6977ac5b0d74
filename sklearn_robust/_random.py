"""Random numbers that leave the global generators alone: forked torch state, noise per row."""

from __future__ import annotations

import math
import numbers
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from ._parameters import check_seed

__all__ = ["Noise", "RowNoise", "StreamNoise", "rng_lock", "seed_of", "torch_seed"]

_GOLDEN = -7046029254386353131  # 2^64 / golden ratio, as a signed 64-bit integer
_MIX = (-4658895280553007687, -7723592293110705685)  # multipliers of splitmix64
_LOW_33, _LOW_34, _LOW_37 = ((1 << n_bits) - 1 for n_bits in (33, 34, 37))


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Integer seed of a scikit-learn ``random_state``; an integer is its own seed.

    None gives a new seed on every call, drawn from the system: the global generators are not
    touched.
    """
    if random_state is None:
        return secrets.randbelow(2**31 - 1)
    check_seed("random_state", random_state)
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def torch_seed(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's generators inside the context, and restore their state afterwards.

    The generators belong to the whole process, so one thread is inside at a time.
    """
    device = torch.device(device)
    cuda = [device.index or 0] if device.type == "cuda" else []
    with rng_lock(), torch.random.fork_rng(devices=cuda):
        if cuda:
            torch.manual_seed(seed)
        else:  # torch.manual_seed would queue a call, with its traceback, for a GPU never used
            torch.default_generator.manual_seed(seed)
        yield


_LOCK = threading.RLock()


def rng_lock() -> AbstractContextManager[Any]:
    """Context that one thread of a process is in at a time; calls of one thread may nest."""
    return _LOCK


def _renew_lock() -> None:
    global _LOCK
    _LOCK = threading.RLock()


if sys.platform != "win32":  # a process forked while the lock is held starts with a free one
    os.register_at_fork(after_in_child=_renew_lock)


def _shift(v: Tensor, bits: int) -> Tensor:
    """Logical right shift of signed 64-bit integers."""
    return (v >> bits) & ((1 << (64 - bits)) - 1)


def _scramble(v: Tensor) -> Tensor:
    """Finaliser of splitmix64: a bijection of 64-bit integers that looks random."""
    v = (v ^ (v >> 30 & _LOW_34)) * _MIX[0]  # logical shifts, as of _shift
    v = (v ^ (v >> 27 & _LOW_37)) * _MIX[1]
    return v ^ (v >> 31 & _LOW_33)


class Noise:
    """Source of uniform numbers in (0, 1), and of what follows from them."""

    def __getitem__(self, rows: Tensor | slice) -> Noise:
        """Noise of some of the rows."""
        raise NotImplementedError

    def spawn(self, number: int) -> Noise:
        """Other noise for the same rows."""
        raise NotImplementedError

    def uniform(self, x: Tensor, stream: int) -> Tensor:
        """Uniform numbers in (0, 1), shape of ``x``."""
        raise NotImplementedError

    def normal(self, x: Tensor, stream: int) -> Tensor:
        """Numbers of a normal distribution of mean 0 and variance 1, shape of ``x``."""
        u = self.uniform(x, stream).double()
        return (math.sqrt(2) * torch.erfinv(2 * u - 1)).to(x.dtype)

    def scalar(self, x: Tensor, stream: int) -> Tensor:
        """One uniform number per row, shape (n, 1, ..., 1)."""
        rows = x.flatten(1)[:, :1].reshape(-1, *[1] * (x.ndim - 1))
        return self.uniform(rows, stream)


class RowNoise(Noise):
    """Noise that is a function of the seed and the row's own values.

    Splitting or reordering the rows changes no row's noise, so a verdict does not depend on
    batch size, batch order or the number of processes.

    Parameters
    ----------
    seed : int
        Seed.
    x : tensor of shape (n, ...)
        Clean rows that key the noise.
    """

    def __init__(self, seed: int, x: Tensor) -> None:
        self._source = seed, x

    @cached_property
    def key(self) -> Tensor:
        """Number of each row, (n,) int64; computed when first needed."""
        seed, x = self._source
        offset = torch.tensor(seed, dtype=torch.int64, device=x.device)
        start = _scramble(offset * _MIX[0] + 1)
        bits = x.detach().float().flatten(1).contiguous().view(torch.int32).long()
        weights = _scramble(start + torch.arange(bits.shape[1], device=x.device) * _GOLDEN) | 1
        return _scramble((bits * weights).sum(1) + start)

    def __getitem__(self, rows: Tensor | slice) -> RowNoise:
        """Noise of some of the rows."""
        return self._keyed(self.key[rows])

    def spawn(self, number: int) -> RowNoise:
        """Other noise for the same rows."""
        step = torch.full_like(self.key, number) * _GOLDEN
        return self._keyed(_scramble(self.key + step))

    @staticmethod
    def _keyed(key: Tensor) -> RowNoise:
        noise = object.__new__(RowNoise)
        noise.key = key
        return noise

    def uniform(self, x: Tensor, stream: int) -> Tensor:
        """Uniform numbers in (0, 1), shape of ``x``; each ``stream`` has its own numbers."""
        n_values = x[0].numel() if len(x) else 0
        column = torch.arange(n_values, device=x.device) + (stream << 32)
        state = _scramble(self.key[:, None] + (column + 1) * _GOLDEN)
        u = (_shift(state, 41).double() + 0.5) / (1 << 23)  # float32 holds each exactly
        return u.to(x.dtype).reshape(x.shape)


class StreamNoise(Noise):
    """Noise drawn in turn from one ``torch.Generator``: the faster kind, for training.

    Parameters
    ----------
    generator : torch.Generator
        Source of all numbers, shared by all rows.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __getitem__(self, rows: Tensor | slice) -> StreamNoise:
        """Noise of some of the rows: all rows share the stream."""
        return self

    def spawn(self, number: int) -> StreamNoise:
        """Other noise: the stream never repeats."""
        return self

    def uniform(self, x: Tensor, stream: int) -> Tensor:
        """Uniform numbers in (0, 1), shape of ``x``."""
        u = torch.rand(x.shape, generator=self.generator, dtype=x.dtype, device=x.device)
        return u.clamp_min_(torch.finfo(x.dtype).eps / 4)

    def state_dict(self) -> dict[str, Tensor]:
        """State of the stream."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the state of a stream."""
        self.generator.set_state(state["generator"])
