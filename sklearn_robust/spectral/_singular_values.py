"""Singular values of one layer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray

from .. import _validation as check
from ._krylov import fits, top_values
from ._maps import Convolution, check_finite
from ._solve import METHODS, SMALL, automatic, spectrum_of
from ._torch_layers import map_of

__all__ = ["conv_singular_values"]


def conv_singular_values(
    layer: torch.nn.Module,
    input_shape: Sequence[int] | None = None,
    *,
    method: str = "auto",
    k: int | None = None,
) -> NDArray[Any]:
    """Singular values of a convolutional or fully connected layer as a linear operator.

    Parameters
    ----------
    layer : torch.nn.Linear, Conv1d, Conv2d, Conv3d or a transposed convolution
        With any stride, dilation, groups and padding. It is only read.
    input_shape : tuple, optional
        Shape of one sample, (C, H, W) for images. A Linear layer needs none.
    method : {"auto", "fft", "exact", "lanczos", "reshape"}, default="auto"
        "fft" treats the image as a torus, which is exact for a ``padding_mode="circular"``
        that keeps the image's size, or divides it by the stride, and close for other padding if
        the image is much larger than the kernel. "exact" decomposes the dense matrix with the
        true padding. "lanczos" finds the largest values with the true padding. "reshape" takes
        the kernel as a matrix (n_out, n_in * kernel size): a different quantity. "auto" is "fft"
        where that is exact, "exact" for matrices of up to 2048 rows and columns (and larger ones
        for other padding than zeros), "lanczos" beyond if ``k`` is given, and else "fft", with a
        warning.
    k : int, optional
        Number of largest values to return; None means all, and up to 6 for "lanczos".

    Returns
    -------
    values : array of shape (n_singular_values,)
        In descending order, each as often as it occurs, in the precision of the weights. There
        are min(n_inputs, n_outputs) of them; of "fft" as many as its torus has.

    Raises
    ------
    TypeError
        If the layer has no fixed matrix.
    ValueError
        If ``input_shape`` does not fit the layer, or the dense matrix would be too large.

    Warns
    -----
    UserWarning
        If "auto" takes the values of a torus in place of those of the layer.

    See Also
    --------
    layer_spectra : Statistics of all layers of a model.

    Notes
    -----
    On a torus the convolution is diagonalised by Fourier modes [1]_: its singular values are those
    of the matrices ``K(f) = sum_a K_a exp(2 pi i f a)`` over all frequencies f. Half of them
    suffice for a real kernel, and a stride makes further columns of the phases of the pixels.
    With zero padding the largest value is lower (by 1 to 22 % for 3 x 3 kernels on 16 to 4
    pixels) and the smallest one much lower.

    References
    ----------
    .. [1] H. Sedghi, V. Gupta and P. Long, "The singular values of convolutional layers",
       ICLR 2019.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.spectral import conv_singular_values
    >>> layer = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    >>> _ = torch.nn.init.dirac_(layer.weight)
    >>> conv_singular_values(layer, (1, 2, 2))
    array([1., 1., 1., 1.], dtype=float32)
    """
    check.check_choice("method", method, METHODS)
    linear_map = map_of(layer, input_shape)
    check_finite(linear_map, type(layer).__name__)
    if k is not None:
        k = check.check_count("k", k)
    with torch.no_grad():
        if method == "auto" and isinstance(linear_map, Convolution):
            method = automatic(linear_map)
            if method == "lanczos" and (k is None or k >= min(linear_map.dims)):
                method = _for_all_values(linear_map)
        if method == "lanczos" and isinstance(linear_map, Convolution):
            top = max(1, min(6, min(linear_map.dims) - 1)) if k is None else k
            return top_values(linear_map, top).to(linear_map.weight.dtype).numpy()
        values = spectrum_of(linear_map, method).expanded().cpu().numpy()
    if k is not None and k > len(values):
        raise ValueError(f"k is {k}, but the layer has only {len(values)} singular values.")
    return values[:k]


def _for_all_values(conv: Convolution) -> str:
    """Choose the method for all values of a large layer that is not on a torus."""
    n_out, n_in = conv.dims
    if fits(conv) and (conv.mode != "zeros" or max(n_out, n_in) <= SMALL):
        return "exact"
    warnings.warn(
        f"The matrix of this layer has {n_out} x {n_in} entries: its singular values are those of "
        "a torus, the largest a few percent too high and the smallest much too high. Type "
        "method='exact' for the true ones, method='lanczos' with k for the largest, or "
        "method='fft' to do without this warning.",
        stacklevel=3,
    )
    return "fft"
