"""Singular values of a convolution on a torus, whose opposite edges are joined."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from ._maps import Convolution

__all__ = ["circular_spectrum", "covering_grid", "periodic_grid"]

_CHUNK = 1 << 24  # complex numbers decomposed together


def periodic_grid(conv: Convolution) -> tuple[int, ...]:
    """Count the output pixels of the convolution on a torus, along each axis.

    The input has ``stride`` times as many; that differs from the layer's own size where the
    stride does not divide it.
    """
    axes = zip(conv.size, conv.stride, conv.out_size, strict=True)
    return tuple(n // s if n % s == 0 else out for n, s, out in axes)


def covering_grid(conv: Convolution) -> tuple[tuple[int, ...], float]:
    """Grid of a torus that holds all of the convolution, and how much it may exceed its values.

    The convolution is a submatrix of the one on that torus, times a matrix that repeats rows or
    pixels: its norm is the root of how often at most, and the product of those is the factor.
    """
    axes = [_covering_axis(conv, axis) for axis in range(len(conv.size))]
    grid, repeats = zip(*axes, strict=True)
    return tuple(grid), math.sqrt(math.prod(repeats))


def _covering_axis(conv: Convolution, axis: int) -> tuple[int, int]:
    n, field, s = conv.size[axis], conv.receptive_field[axis], conv.stride[axis]
    if conv.mode == "circular" and n % s == 0:
        return n // s, math.ceil(conv.out_size[axis] * s / n)  # once around, and on from the start
    pad = 0 if conv.mode == "zeros" else sum(conv.padding[axis])
    repeats = math.ceil((n + pad) / n) if conv.mode == "circular" else 1 + pad
    return math.ceil((n + pad + field - 1) / s), repeats


def capped_grid(conv: Convolution, grid: tuple[int, ...], max_grid: int | None) -> tuple[int, ...]:
    """Smaller grid with the same mean of the second and of the fourth powers.

    ``n`` output pixels sum the second powers exactly from n >= k on and the fourth powers from
    n >= 2 k - 1 on, k being the number of output pixels that the kernel covers.
    """
    if max_grid is None:
        return grid
    axes = zip(grid, conv.receptive_field, conv.stride, strict=True)
    return tuple(min(n, max(max_grid, 2 * math.ceil(field / s) - 1)) for n, field, s in axes)


def circular_spectrum(
    conv: Convolution, grid: tuple[int, ...] | None = None, max_grid: int | None = None
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Distinct singular values and multiplicities of the convolution on a torus.

    Fourier modes of the output block-diagonalise it (Sedghi, Gupta, Long, 2019): at each frequency
    there is one small matrix, whose columns are the input channels and, for a stride, the phases
    of the input pixels. Real kernels have the same values at opposite frequencies.

    Parameters
    ----------
    conv : Convolution
        The layer; its padding has no effect, since a shift is orthogonal.
    grid : tuple, optional
        Output pixels along each axis; None means those of the layer.
    max_grid : int, optional
        Cap of the grid, for statistics.

    Returns
    -------
    values : tensor of shape (n_values,)
        Singular values.
    weights : float64 tensor of shape (n_values,)
        Multiplicities; together they count all singular values on ``grid``.
    grid : tuple
        The grid that was used.
    """
    full = periodic_grid(conv) if grid is None else grid
    grid = capped_grid(conv, full, max_grid)
    taps, phases = _split_taps(conv)
    frequency, weight = _half_frequencies(grid, taps)
    weight = weight * (math.prod(full) / math.prod(grid))
    n_out, n_in = conv.weight.shape[:2]
    groups, n_out = conv.groups, n_out // conv.groups
    kernel = conv.weight.reshape(groups, n_out, n_in, -1).permute(3, 0, 1, 2).flatten(1)
    blocks = [torch.nonzero(phases == p).flatten() for p in phases.unique()]
    shape = (groups, n_out, n_in * len(blocks))
    turn = 2 * math.pi * (frequency.double() / torch.tensor(grid).double()) @ taps.double().T
    wave = torch.polar(torch.ones_like(turn), turn).to(kernel.device)
    step = max(1, _CHUNK // math.prod(shape))
    parts = []
    for part in wave.split(step):
        response = _response(part, kernel, blocks, (groups, n_out, n_in))
        parts.append(torch.linalg.svdvals(response.reshape(-1, *shape)))
    values = torch.cat(parts)  # (n_frequencies, groups, min(n_out, n_in * n_blocks))
    # Phases without a tap are columns of zeros: left out above, counted here.
    n_zeros = min(n_out, n_in * math.prod(conv.stride)) - values.shape[2]
    values = torch.nn.functional.pad(values, (0, n_zeros))
    weights = weight.repeat_interleave(values[0].numel())
    return values.flatten(), weights, grid


def _split_taps(conv: Convolution) -> tuple[Tensor, Tensor]:
    """Position of each tap in output pixels, (n_taps, n_axes), and the number of its phase."""
    places = list(itertools.product(*map(range, conv.kernel)))
    pixels = torch.tensor(places) * torch.tensor(conv.dilation)
    stride = torch.tensor(conv.stride)
    phases = torch.zeros(len(pixels), dtype=torch.long)
    for axis, s in enumerate(conv.stride):
        phases = phases * s + pixels[:, axis] % s
    return pixels // stride, phases


def _half_frequencies(grid: tuple[int, ...], taps: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies without their opposites, (n, n_axes) int64, and how many each stands for."""
    # Along an axis on which no tap lies, every frequency gives the same matrix.
    moving = [n if int(taps[:, axis].max()) > 0 else 1 for axis, n in enumerate(grid)]
    frequency = torch.cartesian_prod(*map(torch.arange, moving)).reshape(-1, len(grid))
    number = torch.arange(len(frequency)).reshape(moving)
    opposite = number
    for axis, n in enumerate(moving):
        opposite = opposite.index_select(axis, -torch.arange(n) % n)
    first = number.flatten() <= opposite.flatten()
    weight = torch.where(number.flatten() == opposite.flatten(), 1.0, 2.0)[first]
    return frequency[first], weight.double() * (math.prod(grid) / math.prod(moving))


def _response(wave: Tensor, kernel: Tensor, blocks: list[Tensor], shape: tuple[int, ...]) -> Tensor:
    """Matrices (n, groups, n_out, n_in, n_blocks) of some frequencies."""
    parts = []
    for taps in blocks:
        w = kernel[taps]
        wave_part = wave[:, taps.to(wave.device)]
        real, imaginary = (part.to(w.dtype) @ w for part in (wave_part.real, wave_part.imag))
        parts.append(torch.complex(real, imaginary).reshape(-1, *shape))
    return parts[0][..., None] if len(parts) == 1 else torch.stack(parts, -1)
