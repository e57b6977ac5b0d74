"""The base of all displays, and what they share: axes, names of estimators, parameters."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from .._docstrings import fill_docstring
from ..differentiable import Model, open_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "Display",
    "axes_for",
    "check_index",
    "label_of",
    "name_of_function",
    "named",
    "opened",
    "panels",
    "pyplot_for",
    "shared_docs",
]

# Parameters that several displays share, for shared_docs.
_SHARED_DOCS = {
    "estimator": """\
estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
    Model to look at.""",
    "estimators": """\
estimators : dict of str to classifier, or sequence of classifiers
    Models to compare, with their names.""",
    "X": """\
X : array-like of shape (n_samples, ...)
    Samples.""",
    "y": """\
y : array-like of shape (n_samples,)
    True labels.""",
    "batch_size": """\
batch_size : int, default=None
    Number of samples computed together; None chooses one that fits the cache.""",
    "title": """\
name : str, default=None
    Title; None is the class of the estimator.""",
    "plain_title": """\
name : str, default=None
    Title.""",
    "label": """\
name : str, default=None
    Name in the legend; None is the class of the estimator.""",
    "ax": """\
ax : matplotlib Axes, default=None
    Axes to draw on; None makes a new figure.""",
    "axis_labels": """\
xlabel, ylabel : str, default=None
    Labels of the axes; None describes what is drawn.""",
    "plot_options": """\
**plot_options
    Passed to :meth:`plot`.""",
    "plot_dict": """\
plot_options : dict, default=None
    Passed to :meth:`plot`.""",
    "axes_attributes": """\
ax_ : matplotlib Axes
    Axes with the drawing.
figure_ : matplotlib Figure
    Figure of these axes.""",
}

_T = TypeVar("_T")


def shared_docs(thing: _T) -> _T:
    """Replace lines such as ``%(ax)s`` in the docstring of a display or of its method."""
    return fill_docstring(thing, _SHARED_DOCS)


class Display:
    """Base of displays: arrays kept on an object, and drawn on request.

    A display of your own has three methods. ``__init__`` keeps the arrays, ``from_estimator`` (a
    class method) computes them and ends in ``.plot(ax=ax)``, and ``draw`` draws them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the drawing, known after :meth:`plot`.
    figure_ : matplotlib Figure
        Figure of these axes.

    See Also
    --------
    MarginDisplay : A display of this kind.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import decision_margin
    >>> from sklearn_robust.plotting import Display
    >>> class SortedMarginDisplay(Display):
    ...     def __init__(self, *, margins, name=None):
    ...         self.margins, self.name = margins, name
    ...
    ...     @classmethod
    ...     def from_estimator(cls, estimator, X, y, *, ax=None, **plot_options):
    ...         margins = np.sort(decision_margin(estimator, X, y))
    ...         return cls(margins=margins, name=str(estimator)).plot(ax=ax, **plot_options)
    ...
    ...     def draw(self, ax, **kwargs):
    ...         ax.plot(self.margins, **kwargs)
    ...         ax.set(xlabel="rank", ylabel="margin of the logits", title=self.name)
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> display = SortedMarginDisplay.from_estimator(model, X, y, color="k")
    >>> display.ax_.get_ylabel()
    'margin of the logits'
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Make the axes and draw the arrays on them.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs
            Passed to :meth:`draw`.

        Returns
        -------
        display : Display
            Itself, with ``ax_`` and ``figure_``.
        """
        if type(self).draw is Display.draw:
            raise TypeError(
                f"{type(self).__name__} does not say how to draw: define draw(self, ax, **kwargs)."
            )
        self.draw(self.open_axes(ax), **kwargs)
        return self

    def draw(self, ax: Axes, **kwargs: Any) -> None:
        """Draw the arrays on given axes.

        A display of your own defines this method, or :meth:`plot` if its axes are special.

        Parameters
        ----------
        ax : matplotlib Axes
            Axes to draw on.
        **kwargs
            Options given to :meth:`plot`.
        """
        self.plot(ax=ax, **kwargs)

    def open_axes(self, ax: Axes | None = None, projection: str | None = None) -> Any:
        """Keep the axes to draw on as ``ax_``, and their figure as ``figure_``.

        :meth:`plot` calls it; a display that overrides ``plot`` calls it itself.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        projection : str, default=None
            Projection that the axes need, such as "3d".

        Returns
        -------
        ax : matplotlib Axes
            Axes to draw on.
        """
        self.ax_ = axes_for(ax, self, projection)
        self.figure_ = self.ax_.figure
        return self.ax_


def pyplot_for(owner: object) -> Any:
    """Import ``matplotlib.pyplot``, or raise an error that names the display which needs it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{type(owner).__name__} draws with matplotlib, which is not installed: type "
            "pip install matplotlib."
        ) from error
    return pyplot


def axes_for(ax: Axes | None, owner: object, projection: str | None = None) -> Any:
    """Return the axes to draw on: the given ones, or those of a new figure."""
    pyplot = pyplot_for(owner)
    if ax is None:
        if projection is None:
            return pyplot.subplots(layout="compressed")[1]
        return pyplot.subplots(layout="constrained", subplot_kw={"projection": projection})[1]
    if projection is not None and ax.name != projection:
        raise ValueError(
            f"plot_method='surface' needs axes in three dimensions, but ax is {ax.name}: make them "
            "with pyplot.subplots(subplot_kw={'projection': '3d'}), or leave ax out."
        )
    return ax


def panels(
    ax: Axes | None, owner: object, n_rows: int, n_columns: int, size: float = 1.5
) -> tuple[Axes, NDArray[Any]]:
    """Return the axes around a grid of new ones, and the new ones, (n_rows, n_columns)."""
    pyplot = pyplot_for(owner)
    if ax is None:
        figsize = (size * n_columns + 0.8, size * n_rows + 0.3)
        ax = pyplot.subplots(figsize=figsize, layout="constrained")[1]
    ax.set_axis_off()
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            "ax has no place in a grid: make it with pyplot.subplots, or leave it out."
        )
    inner = spec.subgridspec(n_rows, n_columns)
    made = [
        [ax.figure.add_subplot(inner[row, column]) for column in range(n_columns)]
        for row in range(n_rows)
    ]
    return ax, np.array(made, dtype=object)


def named(estimators: Mapping[Any, Any] | Iterable[Any]) -> dict[str, Any]:
    """Return a dict of names and estimators from one, or from a sequence of estimators."""
    single = isinstance(estimators, BaseEstimator | nn.Module)  # some of them can be iterated over
    scalar = isinstance(estimators, np.ndarray) and estimators.ndim == 0
    if single or scalar or not isinstance(estimators, Iterable):
        kind = type(estimators).__name__
        raise TypeError(
            f"estimators is one {kind}; give a dict of names and fitted estimators, "
            f"{{{kind!r}: ...}}, or call from_estimator."
        )
    if isinstance(estimators, Mapping):
        pairs = {str(name): estimator for name, estimator in estimators.items()}
    else:
        estimators = list(estimators)
        if any(isinstance(one, (str, bytes)) for one in estimators):
            raise TypeError("estimators holds texts; give fitted estimators, [model, other].")
        pairs = dict(zip(_numbered(list(map(label_of, estimators))), estimators, strict=True))
    if not pairs:
        raise ValueError("estimators is empty; give a dict of names and fitted estimators.")
    return pairs


def _numbered(names: Sequence[str]) -> list[str]:
    """Names with a number where one comes several times."""
    return [
        name + f" {names[: place + 1].count(name)}" * (names.count(name) > 1)
        for place, name in enumerate(names)
    ]


def label_of(estimator: Any, name: str | None = None) -> str:
    """Return the name that was given, or the class of the estimator."""
    if isinstance(estimator, Model):
        estimator = estimator.estimator
    return name or type(estimator).__name__


def name_of_function(function: str | Callable[..., Any], default: str) -> str:
    """Name of a function, or the default where it has none, as a partial."""
    if isinstance(function, str):
        return function
    return function.__name__ if isinstance(function, FunctionType) else default


def opened(estimators: Mapping[str, Any]) -> dict[str, Model]:
    """Open each of several estimators once."""
    return {name: open_model(estimator) for name, estimator in estimators.items()}


def check_index(index: Any, n_samples: int) -> int:
    """Return the position of a sample; negative ones are counted from the end."""
    if not isinstance(index, numbers.Integral) or isinstance(index, bool):
        raise ValueError(f"index is {index!r}; give the position of one sample, such as 0.")
    place = int(index)
    if not -n_samples <= place < n_samples:
        raise ValueError(f"index is {index}, but X has {n_samples} samples, 0 to {n_samples - 1}.")
    return place % n_samples
