"""What displays share: axes to draw on, names of estimators, one scale for several."""

import numbers

import numpy as np

__all__ = ["axes_for", "check_index", "named", "panels", "pyplot_for"]


def pyplot_for(owner):
    """Import ``matplotlib.pyplot``, or say who needs it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{type(owner).__name__} draws with matplotlib, which is not installed: type "
            "pip install matplotlib."
        ) from error
    return pyplot


def axes_for(ax, owner, projection=None):
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


def panels(ax, owner, n_rows, n_columns, size=1.5):
    """Return the axes around a grid of new ones, and those, (n_rows, n_columns)."""
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


def named(estimators):
    """Return a dict of names and estimators from one, or from a sequence of estimators."""
    if hasattr(estimators, "fit") or hasattr(estimators, "forward"):  # some can be iterated over
        kind = type(estimators).__name__
        raise TypeError(
            f"estimators is one {kind}; give a dict of names and fitted estimators, "
            f"{{{kind!r}: ...}}, or call from_estimator."
        )
    if hasattr(estimators, "items"):
        pairs = {str(name): estimator for name, estimator in estimators.items()}
    else:
        classes = [type(estimator).__name__ for estimator in estimators]
        pairs = {}
        for name, estimator in zip(classes, estimators, strict=True):
            number = f" {sum(key.startswith(name) for key in pairs) + 1}"
            pairs[name + number * (classes.count(name) > 1)] = estimator
    if not pairs:
        raise ValueError("estimators is empty; give a dict of names and fitted estimators.")
    return pairs


def check_index(index, n_samples):
    """Return the position of a sample, negative ones counted from the end."""
    if not isinstance(index, numbers.Integral) or isinstance(index, bool):
        raise ValueError(f"index is {index!r}; give the number of one sample.")
    if not -n_samples <= index < n_samples:
        raise ValueError(f"index is {index}, but X has {n_samples} samples, 0 to {n_samples - 1}.")
    return int(index) % n_samples
