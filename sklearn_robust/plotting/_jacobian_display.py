"""Images beside the gradient of the decision function at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from ..metrics._indicator_input import IndicatorInput
from ..metrics._jacobian import input_jacobian
from ._display import Display, label_of, named, opened, panels, shared_docs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["JacobianDisplay"]

_CHANNELS = ("red", "green", "blue")


class JacobianDisplay(Display):
    """Images beside their input Jacobians.

    :meth:`from_estimator` and :meth:`from_estimators` make it; :meth:`plot` draws it again.

    Parameters
    ----------
    images : array of shape (n_samples, H, W) or (n_samples, H, W, 3)
        Samples as images.
    jacobians : dict of str to array of shape (n_samples, H, W) or (n_samples, H, W, 3)
        Gradients by the names of their estimators; those of colour images have a row of panels for
        each channel, because gradients of opposite signs cancel in a sum.
    labels : array of shape (n_samples,)
        True labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes around all panels.
    axes_ : array of matplotlib Axes, (n_rows, n_samples)
        Images above, then one row of gradients for each estimator and colour channel.
    figure_ : matplotlib Figure
        Figure of these axes.

    See Also
    --------
    sklearn_robust.metrics.input_jacobian : The numbers.

    Notes
    -----
    The gradients of robust networks tend to show the object, those of others look like noise
    (Figs. 8 and 10 of the paper below). More brightness helps the true class where a gradient is
    blue, and harms it where the gradient is red. The number below a panel is the largest magnitude
    of its scale, in logits per unit of X; rows that share a scale have a colour bar in its place.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.plotting import JacobianDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X / 16, y)
    >>> display = JacobianDisplay.from_estimator(model, X / 16, y, image_shape=(8, 8))
    >>> display.axes_.shape
    (2, 6)
    """

    def __init__(
        self,
        *,
        images: NDArray[Any],
        jacobians: Mapping[str, NDArray[Any]],
        labels: Sequence[Any] | NDArray[Any],
    ) -> None:
        self.images = images
        self.jacobians = jacobians
        self.labels = labels

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        indices: int | ArrayLike = 6,
        of: str | Callable[..., Any] = "margin",
        image_shape: tuple[int, ...] | None = None,
        batch_size: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Compute the gradients at some samples and draw them.

        Parameters
        ----------
        %(estimator)s
        X : array-like of shape (n_samples, ...)
            Samples: images (H, W) or (C, H, W), or rows of features with ``image_shape``.
        %(y)s
        indices : int or sequence of int, default=6
            Number of samples to take from the beginning, or their positions.
        of : {"margin", "loss", "smooth_margin"} or callable, default="margin"
            Function to differentiate.
        image_shape : tuple, default=None
            (H, W) or (C, H, W); None is the shape of a sample.
        %(batch_size)s
        name : str, default=None
            Label of the row of gradients; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Axes whose place the panels take; None makes a new figure.
        %(plot_options)s

        Returns
        -------
        display : JacobianDisplay
            With the arrays, and drawn.

        Raises
        ------
        ValueError
            If a sample cannot be drawn as an image.
        """
        check.validate(locals())
        estimators = {label_of(estimator, name): estimator}
        options: dict[str, Any] = {"indices": indices, "of": of, "image_shape": image_shape}
        display = cls._compute(estimators, X, y, batch_size=batch_size, **options)
        return display.plot(ax=ax, **plot_options)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        indices: int | ArrayLike = 6,
        of: str | Callable[..., Any] = "margin",
        image_shape: tuple[int, ...] | None = None,
        batch_size: int | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Compute the gradients of several estimators and draw a row for each.

        Parameters
        ----------
        estimators : dict of str to classifier, or sequence of classifiers
            Models to compare, with the names of their rows.
        X, y, indices, of, image_shape, batch_size, ax, **plot_options
            As for :meth:`from_estimator`.

        Returns
        -------
        display : JacobianDisplay
            With the arrays, and drawn.
        """
        check.validate(locals())
        options: dict[str, Any] = {"indices": indices, "of": of, "image_shape": image_shape}
        display = cls._compute(named(estimators), X, y, batch_size=batch_size, **options)
        return display.plot(ax=ax, **plot_options)

    @classmethod
    def _compute(
        cls,
        estimators: Mapping[str, Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        indices: Any,
        of: str | Callable[..., Any],
        image_shape: tuple[int, ...] | None,
        batch_size: int | None,
    ) -> Self:
        models = opened(estimators)
        probe = IndicatorInput(next(iter(models.values())), X, y)
        rows = _rows(indices, len(probe.X))
        images, labels = as_images(probe.X[rows], image_shape), np.asarray(y)[rows]
        jacobians = {}
        for name, model in models.items():
            J = input_jacobian(model, probe.X[rows], labels, of=of, batch_size=batch_size)
            jacobians[name] = as_images(J, image_shape)
        return cls(images=images, jacobians=jacobians, labels=labels)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        scale: str = "each",
        cmap: str = "RdBu",
        image_cmap: str = "gray",
        size: float = 1.3,
        **kwargs: Any,
    ) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes whose place the panels take; None makes a new figure.
        scale : {"each", "row", "all"}, default="each"
            Colour scales, symmetric around zero: one for each gradient, which shows its form, one
            for each row, or one for all gradients, which shows their sizes.
        cmap, image_cmap : str
            Colours of gradients and of grey images.
        size : float, default=1.3
            Width of a panel in inches.
        **kwargs
            Passed to ``Axes.imshow`` of the gradients.

        Returns
        -------
        display : JacobianDisplay
            Itself, with ``ax_``, ``axes_`` and ``figure_``.
        """
        check.check_choice("scale", scale, ("each", "row", "all"))
        n, rows = len(self.images), self.rows_of_gradients()
        self.ax_, self.axes_ = panels(ax, self, 1 + len(rows), n, size)
        self.figure_ = self.ax_.figure
        for axis, image, label in zip(self.axes_[0], self.images, self.labels, strict=True):
            axis.imshow(image, cmap=image_cmap)
            axis.set_title(str(label))
        limits = self._limits(scale)
        for axes, (name, key, J) in zip(self.axes_[1:], rows, strict=True):
            for axis, gradient, limit in zip(axes, J, limits[key], strict=True):
                look = {"cmap": cmap, "vmin": -limit, "vmax": limit} | kwargs
                picture = axis.imshow(gradient, **look)
                if scale == "each":
                    axis.set_xlabel(f"±{limit:.2g}", fontsize=8.5, labelpad=1)
            if scale == "row":
                self.figure_.colorbar(picture, ax=list(axes), label="gradient", shrink=0.9)
            _name_row(axes[0], name)
        if scale == "all":
            self.figure_.colorbar(picture, ax=list(self.axes_[1:].flat), label="gradient")
        for axis in self.axes_.flat:
            axis.set(xticks=[], yticks=[])
        return self

    def rows_of_gradients(self) -> list[tuple[str, str, NDArray[Any]]]:
        """Name, estimator and gradients (n_samples, H, W) of each row of panels."""
        rows = []
        for name, J in self.jacobians.items():
            if J.ndim == 3:
                rows.append((name, name, J))
                continue
            rows += [(f"{name}, {c}", name, J[..., k]) for k, c in enumerate(_CHANNELS)]
        return rows

    def _limits(self, scale: str) -> dict[str, NDArray[Any]]:
        """Return the ends of the colour scales, shared by the channels of an estimator."""
        top = max(abs(J).max() for J in self.jacobians.values())
        limits = {}
        for name, J in self.jacobians.items():
            each = abs(J).reshape(len(J), -1).max(1)
            own = {"each": each, "row": np.full(len(J), each.max())}
            limit = own.get(scale, np.full(len(J), top))
            limits[name] = np.where(limit > 0, limit, 1.0)
        return limits


def _name_row(axis: Axes, name: str) -> None:
    """Write a name beside its row, or along it where no layout would make room for it."""
    if axis.figure.get_layout_engine() is not None:
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    else:
        axis.set_ylabel(fill(name, 18), fontsize=8)


def _rows(indices: Any, n_samples: int) -> NDArray[np.intp]:
    """Positions of the samples to draw."""
    if np.ndim(indices) == 0:
        return np.arange(min(check.check_count("indices", indices), n_samples))
    rows = np.asarray(indices)
    if not rows.size or rows.dtype.kind not in "iu" or not np.all(abs(rows + 0.5) <= n_samples):
        raise ValueError(
            f"indices is {indices!r}; give a number of samples, or their positions from 0 to "
            f"{n_samples - 1}."
        )
    return rows


def as_images(X: NDArray[Any], image_shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return samples as images (n, H, W) or (n, H, W, 3), or raise if they cannot be drawn."""
    shape = X.shape[1:]
    if image_shape is not None:
        shape = check.check_shape("image_shape", image_shape)
    good = len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))
    if not good or np.prod(shape) != X[0].size:
        raise ValueError(
            f"A sample of shape {X.shape[1:]} cannot be drawn with image_shape={image_shape}: give "
            f"image_shape=(H, W), (1, H, W) or (3, H, W) with {X[0].size} numbers in all."
        )
    images = X.reshape(len(X), *shape)
    if len(shape) == 2:
        return images
    return images[:, 0] if shape[0] == 1 else np.moveaxis(images, 1, -1)
