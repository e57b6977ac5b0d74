"""Samples beside the gradient of the decision function at them."""

from textwrap import fill

import numpy as np

from .. import _validation as check
from ..metrics._jacobian import input_jacobian
from ..metrics._probe import Probe
from ._display import named, panels

__all__ = ["JacobianDisplay"]


class JacobianDisplay:
    """Images beside their input Jacobians.

    Make it with :meth:`from_estimator`; :meth:`plot` draws it again.

    Parameters
    ----------
    images : array of shape (n_samples, H, W) or (n_samples, H, W, 3)
        Samples as images.
    jacobians : dict of str to array of shape (n_samples, H, W)
        Gradients by the names of their estimators; those of colours are added up.
    labels : array of shape (n_samples,)
        True labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes around all panels.
    axes_ : array of matplotlib Axes, (n_rows, n_samples)
        Images above, then one row of gradients for each estimator.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn_robust.metrics.input_jacobian : The numbers.

    Notes
    -----
    Robust networks have gradients that show the object (paper 001, Figs. 8 and 10), others look
    like noise. Where a gradient is blue, more brightness helps the true class; where it is red,
    it harms.

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

    def __init__(self, *, images, jacobians, labels):
        self.images = images
        self.jacobians = jacobians
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        indices=6,
        of="margin",
        image_shape=None,
        batch_size=None,
        name=None,
        ax=None,
        **plot_options,
    ):
        """Compute the gradients at some samples and draw them.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
            What to look at.
        X : array-like of shape (n_samples, ...)
            Samples: images (H, W) or (C, H, W), or rows of features with ``image_shape``.
        y : array-like of shape (n_samples,)
            True labels.
        indices : int or sequence of int, default=6
            Which samples: the first so many, or these.
        of : {"margin", "loss", "smooth_margin"} or callable, default="margin"
            What to differentiate.
        image_shape : tuple, default=None
            (H, W) or (C, H, W); None is the shape of a sample.
        batch_size : int, default=None
            Samples computed together; None fits the cache.
        name : str, default=None
            Name of the row of gradients; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Whose place the panels take; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : JacobianDisplay
            With the arrays, and drawn.

        Raises
        ------
        ValueError
            If a sample cannot be drawn as an image.
        """
        estimators = {name or type(estimator).__name__: estimator}
        options = {"indices": indices, "of": of, "image_shape": image_shape}
        display = cls._compute(estimators, X, y, batch_size=batch_size, **options)
        return display.plot(ax=ax, **plot_options)

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X,
        y,
        *,
        indices=6,
        of="margin",
        image_shape=None,
        batch_size=None,
        ax=None,
        **plot_options,
    ):
        """Compute the gradients of several estimators and draw a row for each.

        Parameters
        ----------
        estimators : dict of str to classifier, or sequence of classifiers
            What to compare, with the names of their rows.
        X, y, indices, of, image_shape, batch_size, ax, **plot_options
            As for :meth:`from_estimator`.

        Returns
        -------
        display : JacobianDisplay
            With the arrays, and drawn.
        """
        options = {"indices": indices, "of": of, "image_shape": image_shape}
        display = cls._compute(named(estimators), X, y, batch_size=batch_size, **options)
        return display.plot(ax=ax, **plot_options)

    @classmethod
    def _compute(cls, estimators, X, y, *, indices, of, image_shape, batch_size):
        probe = Probe(next(iter(estimators.values())), X, y)
        rows = _rows(indices, len(probe.X))
        X, y = probe.X[rows], np.asarray(y)[rows]
        images = as_images(X, image_shape)
        jacobians = {}
        for name, estimator in estimators.items():
            J = input_jacobian(estimator, X, y, of=of, batch_size=batch_size)
            J = as_images(J, image_shape)
            jacobians[name] = J.sum(-1) if J.ndim == 4 else J
        return cls(images=images, jacobians=jacobians, labels=y)

    def plot(self, *, ax=None, scale="each", cmap="RdBu", image_cmap="gray", size=1.3):
        """Draw the arrays.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Whose place the panels take; None makes a figure.
        scale : {"each", "row", "all"}, default="each"
            Which gradients share one colour scale, always symmetric around zero: "each" its own,
            which shows its form, a row, or all, which shows their sizes.
        cmap, image_cmap : str
            Colours of gradients and of grey images.
        size : float, default=1.3
            Width of a panel in inches.

        Returns
        -------
        display : JacobianDisplay
            Itself, with ``ax_``, ``axes_`` and ``figure_``.
        """
        check.check_choice("scale", scale, ("each", "row", "all"))
        n = len(self.images)
        self.ax_, self.axes_ = panels(ax, self, 1 + len(self.jacobians), n, size)
        self.figure_ = self.ax_.figure
        for axis, image, label in zip(self.axes_[0], self.images, self.labels, strict=True):
            axis.imshow(image, cmap=image_cmap)
            axis.set_title(str(label))
        top = max(abs(J).max() for J in self.jacobians.values())
        for axes, (name, J) in zip(self.axes_[1:], self.jacobians.items(), strict=True):
            limits = {"each": abs(J).max(axis=(1, 2)), "row": np.full(n, abs(J).max())}
            for axis, gradient, limit in zip(
                axes, J, limits.get(scale, np.full(n, top)), strict=True
            ):
                limit = limit or 1.0
                axis.imshow(gradient, cmap=cmap, vmin=-limit, vmax=limit)
            _name_row(axes[0], name)
        for axis in self.axes_.flat:
            axis.set(xticks=[], yticks=[])
        return self


def _name_row(axis, name):
    """Write a name beside its row, or along it where no layout would make room for it."""
    if axis.figure.get_layout_engine() is not None:
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    else:
        axis.set_ylabel(fill(name, 18), fontsize="x-small")


def _rows(indices, n_samples):
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


def as_images(X, image_shape=None):
    """Return samples as images (n, H, W) or (n, H, W, 3), or say why they are none."""
    shape = tuple(X.shape[1:] if image_shape is None else image_shape)
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
