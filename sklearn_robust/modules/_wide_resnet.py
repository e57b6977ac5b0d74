"""Wide residual networks for small images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from .._validation import check_count
from ._residual import ResidualNet


class WideResNet(ResidualNet):
    """Wide residual network, WRN-depth-widen_factor, for images of about 32 x 32 pixels [1]_.

    Three stages of pre-activation blocks with 16, 32 and 64 times ``widen_factor`` filters.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image, (H, W) or (C, H, W).
    n_classes : int
        Number of logits.
    depth : int, default=28
        Number of layers: 6 b + 4 for b blocks in each stage (16, 22, 28, 34, ...) as in [1]_,
        or 6 b + 2 (14, 20, 26, 32, ...) if, as in [2]_, the three projections of the shortcuts
        are not counted. So 32 and 34 name the same network.
    widen_factor : int, default=10
        Multiplies the number of filters.
    activation : type, default=torch.nn.ReLU
        Class of the activation layers, or any function that builds one.

    Attributes
    ----------
    features : torch.nn.Sequential
        From images ``(n, *input_shape)`` to the averages (n, 64 * widen_factor).
    classifier : torch.nn.Linear
        From there to the logits (n, n_classes).

    Raises
    ------
    ValueError
        If ``input_shape`` is not that of an image, or no number of blocks gives ``depth``.

    See Also
    --------
    PreActResNet18 : A third of the parameters of WRN-28-10.

    Notes
    -----
    The images need no normalisation beforehand: ``eps`` is in the units of the pixels. Where
    [2]_ pads the shortcuts with zeros, they are projected here, as in [1]_.

    References
    ----------
    .. [1] S. Zagoruyko and N. Komodakis, "Wide residual networks", BMVC 2016.
    .. [2] A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu, "Towards deep
       learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.modules import WideResNet
    >>> net = WideResNet((3, 32, 32), 10, depth=10, widen_factor=1)
    >>> net(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        depth: int = 28,
        widen_factor: int = 10,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        check_count("depth", depth, high=10**4)
        check_count("widen_factor", widen_factor, high=10**4)
        n_blocks, rest = divmod(depth - 2, 6)
        if n_blocks < 1 or rest not in (0, 2):
            raise ValueError(
                f"depth is {depth}; give 6 b + 4 or 6 b + 2 for some number b of blocks in "
                f"each stage, such as 28, 32 or 34."
            )
        super().__init__(
            input_shape,
            n_classes,
            stem=16,
            channels=tuple(width * widen_factor for width in (16, 32, 64)),
            n_blocks=n_blocks,
            activation=activation,
        )
