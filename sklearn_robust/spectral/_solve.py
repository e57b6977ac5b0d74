"""Choice of the method for a layer's singular values, and its spectrum by that method."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .._validation import check_choice
from ._fourier import circular_spectrum, covering_grid, periodic_grid
from ._krylov import fits, quadrature, top_values
from ._maps import Convolution, Dense, Diagonal, LinearMap, side_by_side
from ._spectrum import Spectrum

__all__ = ["METHODS", "automatic", "largest_bound", "spectrum_of"]

METHODS = ("auto", "fft", "exact", "lanczos", "reshape")

QUICK = 1024  # rows of a dense matrix that costs a fraction of a second
SMALL = 2048  # rows of a dense matrix that costs a few seconds


def spectrum_of(
    linear_map: LinearMap, method: str = "auto", max_grid: int | None = None
) -> Spectrum:
    """Spectrum of a layer by one of the METHODS."""
    check_choice("method", method, METHODS)
    if isinstance(linear_map, Diagonal):
        copies = torch.full((len(linear_map.factors),), float(linear_map.copies))
        return Spectrum(linear_map.factors.abs(), copies.double(), linear_map.n_inputs, "exact")
    if isinstance(linear_map, Dense):
        values = torch.linalg.svdvals(linear_map.matrix)
        copies = torch.full((len(values),), float(linear_map.copies), dtype=torch.float64)
        return Spectrum(values, copies, linear_map.n_inputs, "exact")
    method = automatic(linear_map) if method == "auto" else method
    return _SOLVERS[method](linear_map, max_grid)


def automatic(conv: Convolution) -> str:
    """Choose the exact method where it is cheap, else one that keeps the true padding."""
    if conv.is_torus:
        return "fft"
    small, large = sorted(conv.dims)
    tiny = any(map(int.__lt__, conv.size, conv.receptive_field)) and large <= SMALL
    return "exact" if tiny or small * small * large <= QUICK**3 else "lanczos"


def _fft(conv: Convolution, max_grid: int | None) -> Spectrum:
    values, weights, grid = circular_spectrum(conv, max_grid=max_grid)
    full = periodic_grid(conv)
    notes = []
    if not conv.is_torus:
        padding = "circular padding of another width" if conv.mode == "circular" else conv.mode
        notes.append(f"torus in place of {padding if any(map(any, conv.padding)) else 'a rim'}")
    if tuple(n * s for n, s in zip(full, conv.stride, strict=True)) != conv.size:
        notes.append("of a size that the stride divides")
    if grid != full:
        notes.append(f"grid {side_by_side(grid)}: max a little low, min high")
    return Spectrum(values, weights, conv.n_inputs, "fft", "; ".join(notes))


def _exact(conv: Convolution, max_grid: int | None) -> Spectrum:
    if not fits(conv):
        n_out, n_in = conv.dims
        size = n_out * n_in * conv.weight.element_size() / 2**30
        raise ValueError(
            f"method='exact' would decompose a dense matrix of {n_out} x {n_in} entries "
            f"({size:.3g} GiB): use method='fft' for the whole spectrum on a torus, or "
            "method='lanczos' for the largest singular values with the true padding."
        )
    values = torch.linalg.svdvals(conv.dense())
    return Spectrum(values, torch.ones(len(values)).double(), conv.n_inputs, "exact")


def _lanczos(conv: Convolution, max_grid: int | None) -> Spectrum:
    if min(conv.dims) < 3:
        return _exact(conv, max_grid)
    values, weights = quadrature(conv)
    largest = float(top_values(conv, 1)[0])
    note = "moments estimated by stochastic quadrature; min is unknown"
    return Spectrum(values, weights, conv.n_inputs, "lanczos", note, largest, extremes=False)


def _reshape(conv: Convolution, max_grid: int | None) -> Spectrum:
    groups = conv.weight.reshape(conv.groups, conv.weight.shape[0] // conv.groups, -1)
    values = torch.linalg.svdvals(groups).flatten()
    note = "of the kernel as a matrix, which is not the layer's operator"
    ones = torch.ones(len(values)).double()
    return Spectrum(values, ones, conv.weight[0].numel(), "reshape", note)


_SOLVERS: dict[str, Callable[[Convolution, int | None], Spectrum]] = {
    "fft": _fft,
    "exact": _exact,
    "lanczos": _lanczos,
    "reshape": _reshape,
}


def largest_bound(linear_map: LinearMap) -> float:
    """Upper bound of the largest singular value, for certificates."""
    if not isinstance(linear_map, Convolution):
        return float(spectrum_of(linear_map).values.max())
    grid, factor = covering_grid(linear_map)
    return factor * float(circular_spectrum(linear_map, grid)[0].max())
