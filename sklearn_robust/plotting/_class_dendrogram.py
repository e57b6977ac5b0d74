"""Which classes a network takes for relatives."""

import numpy as np
from scipy.cluster.hierarchy import dendrogram

from ..clustering import ClassClustering, class_weight_matrix
from ..differentiable import as_module
from ._display import axes_for, named, panels, pyplot_for
from ._style import DIVERGING, INK, MUTED

__all__ = ["ClassDendrogramDisplay"]

_GAP, _HEIGHT = 0.02, 0.2  # of the dendrograms, in widths of a heat map


class ClassDendrogramDisplay:
    """Cosines between classes' weights as heat maps, with dendrograms at their sides.

    Make it with :meth:`from_estimator`, :meth:`from_estimators` or :meth:`from_weights`;
    :meth:`plot` draws it again.

    Parameters
    ----------
    correlation : array of shape (n_estimators, n_classes, n_classes)
        Cosines between the weights of the classes.
    linkage_matrix : array of shape (n_estimators, n_classes - 1, 4)
        Trees, as ``scipy.cluster.hierarchy`` describes them.
    labels : array of shape (n_estimators, n_classes)
        Clusters, which are framed.
    classes : list of length n_classes
        What to call the classes.
    names : list of length n_estimators
        What to call the estimators.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the heat map; with several estimators the axes around them.
    axes_ : array of shape (n_estimators,) of matplotlib Axes
        Heat maps.
    dendrogram_axes_ : array of shape (n_estimators, 2) of matplotlib Axes
        Trees on top and on the left of each.
    figure_ : matplotlib Figure
        Their figure.
    images_ : list of matplotlib AxesImage
        The drawn matrices.
    colorbar_ : matplotlib Colorbar or None
        The scale that they share.

    See Also
    --------
    sklearn_robust.clustering.LinearizedClustering : The clusters as arrays.

    Notes
    -----
    Rows and columns are in the order of the leaves: neighbours are as similar as the tree allows.
    All heat maps share one scale of colours, from -1 to 1, and all trees one scale of heights.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.datasets import make_hierarchical_blobs
    >>> from sklearn_robust.plotting import ClassDendrogramDisplay
    >>> X, y, _ = make_hierarchical_blobs(random_state=0)
    >>> models = {C: LogisticRegression(C=C, max_iter=500).fit(X, y) for C in (1, 1e-4)}
    >>> display = ClassDendrogramDisplay.from_estimators(models, n_clusters=3)
    >>> display.labels[1]
    array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """

    def __init__(self, correlation, linkage_matrix, labels, *, classes, names):
        self.correlation = correlation
        self.linkage_matrix = linkage_matrix
        self.labels = labels
        self.classes = classes
        self.names = names

    @classmethod
    def from_estimator(cls, estimator, X=None, *, name=None, **kwargs):
        """Cluster the classes of one network and draw them.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline, or torch.nn.Module
            Network of at least three classes.
        X : array-like of shape (n_samples, ...), default=None
            As for :func:`~sklearn_robust.clustering.class_weight_matrix`.
        name : str, default=None
            Title; None is the name of the estimator's class.
        **kwargs
            As for :meth:`from_estimators`.

        Returns
        -------
        display : ClassDendrogramDisplay
            With ``ax_`` and ``figure_``.
        """
        names = named([estimator]) if name is None else {name: estimator}
        return cls.from_estimators(names, X, **kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X=None,
        *,
        method="linearized",
        batch_norm="fold",
        input_shape=None,
        classes=None,
        **kwargs,
    ):
        """Cluster the classes of several networks and draw them side by side.

        Parameters
        ----------
        estimators : dict of str to estimator, or list of estimators
            Fitted networks with the same classes.
        X : array-like of shape (n_samples, ...), default=None
            As for :func:`~sklearn_robust.clustering.class_weight_matrix`.
        method : {"linearized", "mean_jacobian"}, default="linearized"
            As for :func:`~sklearn_robust.clustering.class_weight_matrix`.
        batch_norm : {"fold", "drop"}, default="fold"
            As for :func:`~sklearn_robust.clustering.linearize`.
        input_shape : tuple of int, default=None
            As for :func:`~sklearn_robust.clustering.class_weight_matrix`.
        classes : list of length n_classes, default=None
            What to call the classes; None takes their labels.
        **kwargs
            As for :meth:`from_weights`.

        Returns
        -------
        display : ClassDendrogramDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the networks do not have the same classes.
        """
        params = {"method": method, "batch_norm": batch_norm, "input_shape": input_shape}
        weights, labels = {}, {}
        for name, estimator in named(estimators).items():
            weights[name] = class_weight_matrix(estimator, X, **params)
            numbers = np.arange(len(weights[name]))
            labels[name] = np.asarray(getattr(as_module(estimator), "classes_", numbers))
        first = next(iter(labels))
        for name, own in labels.items():
            if not np.array_equal(own, labels[first]):
                raise ValueError(
                    f"{name} has the classes {own[:10].tolist()}, but {first} has "
                    f"{labels[first][:10].tolist()}: give networks of the same classes."
                )
        classes = labels[first] if classes is None else classes
        return cls.from_weights(weights, classes=classes, **kwargs)

    @classmethod
    def from_weights(
        cls,
        weights,
        *,
        classes=None,
        n_clusters=2,
        linkage="average",
        center=None,
        ax=None,
        **kwargs,
    ):
        """Cluster classes by weights that are known, and draw them.

        Parameters
        ----------
        weights : array of shape (n_classes, n_inputs), or dict of str to such arrays
            Weights of the classes, of one network or of several.
        classes : list of length n_classes, default=None
            What to call the classes; None numbers them.
        n_clusters : int, default=2
            Number of clusters to frame.
        linkage : str, default="average"
            As for :class:`~sklearn_robust.clustering.ClassClustering`.
        center : {None, "classes", "features"}, default=None
            As for :class:`~sklearn_robust.clustering.ClassClustering`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **kwargs
            As for :meth:`plot`.

        Returns
        -------
        display : ClassDendrogramDisplay
            With ``ax_`` and ``figure_``.
        """
        weights = weights if hasattr(weights, "items") else {"": weights}
        made = [
            ClassClustering(n_clusters, linkage=linkage, center=center).fit(W)
            for W in weights.values()
        ]
        sizes = {len(clustering.labels_) for clustering in made}
        names = list(range(min(sizes)) if classes is None else classes)
        if sizes != {len(names)}:
            raise ValueError(
                f"there are weights of {sorted(sizes)} classes and {len(names)} names in classes: "
                "give the same classes throughout, and one name for each."
            )
        return cls(
            np.array([clustering.correlation_ for clustering in made]),
            np.array([clustering.linkage_matrix_ for clustering in made]),
            np.array([clustering.labels_ for clustering in made]),
            classes=names,
            names=list(weights),
        ).plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, cmap=DIVERGING, colorbar=True, frames=True):
        """Draw the arrays.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; several heat maps share its place. None makes a figure.
        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours from -1 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.
        frames : bool, default=True
            Whether to frame the clusters.

        Returns
        -------
        display : ClassDendrogramDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        size = min(max(4.5, 0.13 * len(self.classes)), 13)  # inches, for room for all labels
        if len(self.names) == 1:
            if ax is None and size > 4.5:
                ax = pyplot_for(self).subplots(figsize=(1.3 * size, size), layout="compressed")[1]
            self.ax_ = axes_for(ax, self)
            self.axes_ = np.array([self.ax_], dtype=object)
        else:
            self.ax_, made = panels(ax, self, 1, len(self.names), size=size)
            self.axes_ = made[0]
        self.figure_ = self.ax_.figure
        top = 1.05 * self.linkage_matrix[:, -1, 2].max()
        self.images_, trees = [], []
        for number, axis in enumerate(self.axes_):
            leaves = _tree(self.linkage_matrix[number])["leaves"]
            if frames:
                _frame(axis, self.labels[number][leaves])
            image = _heat_map(axis, self.correlation[number], leaves, self.classes, cmap)
            self.images_.append(image)
            trees.append(_dendrograms(axis, self.linkage_matrix[number], top))
            trees[-1][0].set_title(self.names[number])
        self.dendrogram_axes_ = np.array(trees, dtype=object)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.images_[-1],
                ax=list(self.axes_),
                shrink=1 if len(self.names) == 1 else 0.75,
                label="cosine of the classes' weights",
                ticks=[-1, -0.5, 0, 0.5, 1],
            )
        return self


def _tree(linkage_matrix):
    """Leaves in order, and the brackets of the drawn tree in units of one class."""
    tree = dendrogram(linkage_matrix, no_plot=True)
    return {
        "leaves": tree["leaves"],
        "places": (np.array(tree["icoord"]) - 5) / 10,
        "heights": np.array(tree["dcoord"]),
    }


def _heat_map(axis, correlation, leaves, classes, cmap):
    image = axis.imshow(correlation[np.ix_(leaves, leaves)], cmap=cmap, vmin=-1, vmax=1)
    labels = [str(classes[leaf]) for leaf in leaves]
    upright = max(map(len, labels)) > 2
    axis.set_xticks(range(len(leaves)), labels, rotation=90 if upright else 0)
    axis.set_yticks(range(len(leaves)), labels)
    axis.yaxis.tick_right()
    axis.tick_params(length=0)
    pitch = 72 * min(axis.bbox.size) / axis.figure.dpi / len(leaves)  # points a class
    letters = axis.get_yticklabels() + axis.get_xticklabels()
    for letter in letters:
        letter.set_fontsize(min(letter.get_fontsize(), max(0.7 * pitch, 2)))
    axis.grid(False)
    return image


def _dendrograms(axis, linkage_matrix, top):
    """Draw the tree above a heat map and to its left; they move with it."""
    tree = _tree(linkage_matrix)
    above = axis.inset_axes([0, 1 + _GAP, 1, _HEIGHT], sharex=axis)
    beside = axis.inset_axes([-_GAP - _HEIGHT, 0, _HEIGHT, 1], sharey=axis)
    for places, heights in zip(tree["places"], tree["heights"], strict=True):
        above.plot(places, heights, color=MUTED, linewidth=1.2)
        beside.plot(heights, places, color=MUTED, linewidth=1.2)
    above.set_ylim(0, top)
    beside.set_xlim(top, 0)
    for inset in (above, beside):
        inset.set_axis_off()
    return above, beside


def _frame(axis, labels):
    """Frame runs of equal labels along the diagonal."""
    from matplotlib.patches import Rectangle

    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(labels)], strict=True):
        side = stop - start
        square = Rectangle((start - 0.5, start - 0.5), side, side, fill=False, ec=INK, lw=1.8)
        square.set_clip_on(False)
        axis.add_patch(square)
