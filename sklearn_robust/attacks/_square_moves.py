"""Where Square looks next: random windows of images, random groups of tabular features.

Samples are seen as (n, n_channels, n_places): the pixels of an image, or the features of a
row as places of a single channel. A move proposes new values for the same few places in all
channels.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import torch

from .._norms import Noise
from ._batch import AttackBatch

__all__ = ["CornerMoves", "MassMoves", "Places", "window_share"]

_BLOCK = 64  # moves whose random numbers are drawn at a time

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # in ten-thousandths of the queries


def window_share(p_init: float, query: int, n_queries: int) -> float:
    """Share of the places that a move changes: ``p_init``, halved at fixed times."""
    return p_init / 2 ** bisect_left(_HALVINGS, query * 10_000 // n_queries)


class Places:
    """The places of a sample: a grid for images, a list for anything else.

    Parameters
    ----------
    shape : tuple
        Of one sample: (channels, height, width) or (height, width) of an image; others are
        taken for lists of features.
    free : bool tensor
        Features that may move, broadcastable to a sample.
    """

    def __init__(self, shape: Sequence[int], free: torch.Tensor) -> None:
        self.shape = tuple(shape)
        self.grid = self.shape[-2:] if len(self.shape) in (2, 3) else None
        self.n_channels = self.shape[0] if len(self.shape) == 3 else 1
        self.n_places = math.prod(self.shape) // max(self.n_channels, 1)
        self.patience = math.inf
        self.free = torch.nonzero(self.flat(free.expand(self.shape)[None])[0].any(0)).flatten()
        if self.grid is None:  # single features have all been tried many times
            self.patience = 20 * (len(self.free) + 1)

    def flat(self, x: torch.Tensor) -> torch.Tensor:
        """Rearrange (n, *shape) as (n, n_channels, n_places)."""
        return x.reshape(-1, self.n_channels, self.n_places)

    def side(self, share: float, least: int) -> int:
        """Return the edge of a window (images), or the size of a group."""
        if self.grid is None:
            return min(max(round(share * self.n_places), 1), max(len(self.free), 1))
        side = max(round(math.sqrt(share * self.n_places)), least)
        return min(side + (least > 1 and side % 2 == 0), *self.grid)

    def n_draws(self, side: int) -> int:
        """Return the number of random numbers that ``pick`` needs for one sample."""
        if self.grid is not None:
            return 2
        return 1 if side == 1 else len(self.free)

    def pick(self, side: int, u: torch.Tensor) -> torch.Tensor:
        """Places of one window per sample, (n, n_channels, n_picked), by uniform numbers ``u``."""
        if self.grid is None:
            if side == 1:
                where = self.free[(u * len(self.free)).long()]
            else:
                where = self.free[u.topk(side, dim=1).indices]
        else:
            height, width = self.grid
            top = (u[:, 0] * (height - side + 1)).long()
            left = (u[:, 1] * (width - side + 1)).long()
            step = torch.arange(side, device=u.device)
            window = (step[:, None] * width + step).flatten()
            where = (top * width + left)[:, None] + window
        return where[:, None].expand(-1, self.n_channels, -1)


def draws(noise: Noise, like: torch.Tensor, shape: Sequence[int], stream: int) -> torch.Tensor:
    """Uniform numbers in (0, 1) for each row of ``like``, (n, *shape)."""
    return noise.uniform(like.new_empty(len(like), *shape), stream)


def signs(u: torch.Tensor) -> torch.Tensor:
    """Signs -1 or 1 by uniform numbers."""
    return (2 * u - 1).sign()


class Moves:
    """What the two kinds of moves share: the batch, and random numbers for many moves ahead."""

    def __init__(self, batch: AttackBatch, places: Places) -> None:
        self.batch, self.places = batch, places
        self.ahead: torch.Tensor | None = None

    def keep(self, rows: torch.Tensor) -> None:
        """Forget the other samples."""
        if self.ahead is not None:
            self.ahead = self.ahead[rows]

    def draws(self, noise, x, n_values, stream):
        """Uniform numbers of the move number ``stream``, (n, n_values)."""
        if self.places.grid is None:  # their number changes from move to move
            return draws(noise, x, (n_values,), stream)
        block, place = divmod(stream, _BLOCK)
        if self.ahead is None or place == 0:
            self.ahead = draws(noise, x, (_BLOCK, n_values), block + (1 << 20))
        return self.ahead[:, place]


class CornerMoves(Moves):
    """Moves between the corners of a linf ball and the box: each place goes to low or high."""

    least_side = 1

    def start(self, x: torch.Tensor, noise: Noise, stream: int) -> torch.Tensor:
        """First points: vertical stripes of images, random corners otherwise."""
        places = self.places
        self.bounds(x)
        if places.grid is None:
            up = draws(noise, x, (1, places.n_places), stream) > 0.5
        else:
            up = draws(noise, x, (places.n_channels, 1, places.grid[1]), stream) > 0.5
            up = places.flat(up.expand(-1, -1, *places.grid))
        return torch.where(up, self.high, self.low)

    def bounds(self, x: torch.Tensor) -> None:
        """Remember the corners that the samples ``x`` may go to."""
        flat, box, eps = self.places.flat, self.batch.box, self.batch.ball.eps
        self.low, self.high = flat(box.clamp(x - eps)), flat(box.clamp(x + eps))

    def keep(self, rows: torch.Tensor) -> None:
        """Forget the other samples."""
        super().keep(rows)
        self.low, self.high = self.low[rows], self.high[rows]

    def propose(
        self, x: torch.Tensor, best: torch.Tensor, side: int, noise: Noise, stream: int
    ) -> torch.Tensor:
        """Next points, where a window of ``best`` goes to one corner in each channel."""
        places = self.places
        n_picks = places.n_draws(side)
        # In a window all places of a channel go together, in a group each goes its own way.
        shape = (places.n_channels, 1) if places.grid else (1, side)
        n_signs = math.prod(shape)
        u = self.draws(noise, x, n_picks + 2 * n_signs, stream)
        where = places.pick(side, u[:, :n_picks])
        up = u[:, n_picks : n_picks + n_signs].reshape(-1, *shape) > 0.5
        low, high, now = (v.gather(2, where) for v in (self.low, self.high, best))
        new = torch.where(up, high, low)
        same = (new == now).flatten(1).all(1)[:, None, None]  # a wasted query: the other corner
        new = torch.where(same, torch.where(up, low, high), new)
        if places.grid is None and stream % 2:  # what is not smooth may give way inside the ball
            new = low + u[:, -n_signs:].reshape(-1, *shape) * (high - low)
        return best.scatter(2, where, new)


class MassMoves(Moves):
    """Moves that carry the perturbation of one window over to another (l2 and l1)."""

    least_side = 3

    def __init__(self, batch: AttackBatch, places: Places) -> None:
        super().__init__(batch, places)
        self.order = batch.ball.order
        # Twice too large in l1: the projection then makes the first points sparse.
        self.full_size = 1.0 if self.order == 2 else 2.0

    def start(self, x: torch.Tensor, noise: Noise, stream: int) -> torch.Tensor:
        """First points: a pattern of bumps all over the image, or random signs."""
        places = self.places
        if places.grid is None:
            field = signs(draws(noise, x, (1, places.n_places), stream))
            return self.settle(x, field, self.full_size)
        tile = max(min(places.grid) // 5, 1)
        tiles = [-(-edge // tile) for edge in places.grid]
        field = signs(draws(noise, x, (places.n_channels, *tiles), stream))
        field = field.repeat_interleave(tile, 2).repeat_interleave(tile, 3)
        field = field * bumps(tile, self.order).to(x).repeat(*tiles)
        height, width = places.grid
        return self.settle(x, places.flat(field[:, :, :height, :width]), self.full_size)

    def settle(self, x: torch.Tensor, u: torch.Tensor, size: float | None = None) -> torch.Tensor:
        """Find points of ball and box for the relative perturbations ``u``."""
        ball = self.batch.ball
        if size is not None:
            u = u * (size / self.mass(u).sum(1, keepdim=True).clamp_min(1e-24) ** (1 / self.order))
        d = ball.only_free(ball.eps * u.reshape(x.shape))
        return self.places.flat(ball.confine(d, x, self.batch.box))

    def mass(self, u: torch.Tensor) -> torch.Tensor:
        """Return the sum of |u|^p over the places, (n, n_channels, 1)."""
        return (u.abs() ** self.order).sum(2, keepdim=True)

    def propose(
        self, x: torch.Tensor, best: torch.Tensor, side: int, noise: Noise, stream: int
    ) -> torch.Tensor:
        """Next points: one window is emptied, another takes its mass and a new bump."""
        places, n_picks = self.places, self.places.n_draws(side)
        n_signs = side if places.grid is None else 1 + places.n_channels
        r = self.draws(noise, x, 2 * n_picks + n_signs, stream)
        here, there = (places.pick(side, part) for part in r[:, : 2 * n_picks].chunk(2, dim=1))
        u = places.flat((best.reshape(x.shape) - x) * self.batch.ball.inverse)
        emptied = u.scatter(2, there, 0).scatter(2, here, 0)
        free = (1 - self.mass(u).sum(1, keepdim=True)).clamp_min(0) / u.shape[1]
        amount = free + (self.mass(u) - self.mass(emptied)).clamp_min(0)
        new = self.normal(self.bump(side, signs(r[:, 2 * n_picks :])))
        new = new + self.normal(u.gather(2, here))
        new = self.normal(new) * amount ** (1 / self.order)
        size = 1.0 if self.order == 2 else None
        return self.settle(x, emptied.scatter(2, here, new), size)

    def normal(self, v: torch.Tensor) -> torch.Tensor:
        """Scale each channel to mass 1."""
        return v / self.mass(v).clamp_min(1e-24) ** (1 / self.order)

    def bump(self, side: int, signs: torch.Tensor) -> torch.Tensor:
        """Shape the new perturbation of a window by random signs, before scaling."""
        if self.places.grid is None:
            return signs[:, None]
        profile = bumps(side, self.order).to(signs)
        standing = signs[:, :1, None] > 0
        profile = torch.where(standing, profile.flatten(), profile.T.flatten())
        return profile * signs[:, 1:, None]


@lru_cache(maxsize=64)
def bumps(side: int, order: float) -> torch.Tensor:
    """Two opposite bumps side by side, (side, side)."""
    upper, lower = bump(side // 2, side, order), bump(side - side // 2, side, order)
    return torch.cat([upper, -lower])


def bump(height: int, width: int, order: float) -> torch.Tensor:
    """Bump of norm 1 that falls off with the distance from its centre, faster in l1."""
    rows = (torch.arange(height) - height // 2).abs()
    columns = (torch.arange(width) - width // 2).abs()
    distance = torch.maximum(rows[:, None], columns[None])
    n = max(height, width) // 2 + 1
    tail = (torch.arange(1.0, n + 1) ** (-4 if order == 1 else -2)).flip(0)
    field = tail.cumsum(0).flip(0)[distance]
    return field / torch.linalg.vector_norm(field, order).clamp_min(1e-30)
