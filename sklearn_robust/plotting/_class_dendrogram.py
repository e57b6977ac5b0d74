"""Trees of the classes that a network considers similar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from ..clustering import ClassClustering, class_weight_matrix
from ..clustering._weights import class_labels
from ..differentiable import open_model
from ._dendrogram_drawing import color_scale, heat_map, make_room, trees
from ._display import Display, named, panels, pyplot_for, shared_docs
from ._style import DIVERGING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["ClassDendrogramDisplay"]


class ClassDendrogramDisplay(Display):
    """Cosines between classes' weights as heat maps, with dendrograms at their sides.

    :meth:`from_estimator`, :meth:`from_estimators` and :meth:`from_weights` make it; :meth:`plot`
    draws it again.

    Parameters
    ----------
    correlation : array of shape (n_estimators, n_classes, n_classes)
        Cosines between the weights of the classes.
    linkage_matrix : array of shape (n_estimators, n_classes - 1, 4)
        Trees, in the format of ``scipy.cluster.hierarchy``.
    labels : array of shape (n_estimators, n_classes)
        Cluster of each class, for the frames.
    classes : list of length n_classes
        Names of the classes.
    names : list of length n_estimators
        Names of the estimators.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the heat map; with several estimators the axes around them.
    axes_ : array of shape (n_estimators,) of matplotlib Axes
        Heat maps.
    dendrogram_axes_ : array of shape (n_estimators, 2) of matplotlib Axes
        Trees on top and on the left of each.
    figure_ : matplotlib Figure
        Figure of these axes.
    images_ : list of matplotlib AxesImage
        Drawn matrices.
    colorbar_ : matplotlib Colorbar or None
        Scale that the matrices share.

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

    def __init__(
        self,
        correlation: NDArray[np.float64],
        linkage_matrix: NDArray[np.float64],
        labels: NDArray[Any],
        *,
        classes: Sequence[Any],
        names: Sequence[str],
    ) -> None:
        self.correlation = correlation
        self.linkage_matrix = linkage_matrix
        self.labels = labels
        self.classes = classes
        self.names = names

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Cluster the classes of one network and draw them.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline, or torch.nn.Module
            Network of at least three classes.
        X : array-like of shape (n_samples, ...), default=None
            As for :func:`~sklearn_robust.clustering.class_weight_matrix`.
        %(title)s
        **kwargs
            As for :meth:`from_estimators`.

        Returns
        -------
        display : ClassDendrogramDisplay
            With ``ax_`` and ``figure_``.
        """
        check.validate(locals())
        names = named([estimator]) if name is None else {name: estimator}
        return cls.from_estimators(names, X, **kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike | None = None,
        *,
        method: str = "linearized",
        batch_norm: str = "fold",
        input_shape: tuple[int, ...] | None = None,
        classes: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Self:
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
            Names of the classes; None takes their labels.
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
        params: dict[str, Any] = {
            "method": method,
            "batch_norm": batch_norm,
            "input_shape": input_shape,
        }
        weights: dict[str, NDArray[Any]] = {}
        labels: dict[str, NDArray[Any]] = {}
        for name, estimator in named(estimators).items():
            model = open_model(estimator)
            weights[name] = class_weight_matrix(model, X, **params)
            labels[name] = class_labels(model, len(weights[name]))
        first = next(iter(labels))
        for name, own in labels.items():
            if not np.array_equal(own, labels[first]):
                raise ValueError(
                    f"{name} has the classes {own[:10].tolist()}, but {first} has "
                    f"{labels[first][:10].tolist()}: give networks of the same classes."
                )
        names = labels[first].tolist() if classes is None else classes
        return cls.from_weights(weights, classes=names, **kwargs)

    @classmethod
    @shared_docs
    def from_weights(
        cls,
        weights: ArrayLike | Mapping[str, ArrayLike],
        *,
        classes: Sequence[Any] | None = None,
        n_clusters: int | None = 2,
        distance_threshold: float | None = None,
        linkage: str = "average",
        metric: str = "cosine",
        center: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Cluster classes by given weights and draw them.

        Parameters
        ----------
        weights : array of shape (n_classes, n_inputs), or dict of str to such arrays
            Weights of the classes, of one network or of several.
        classes : list of length n_classes, default=None
            Names of the classes; None numbers them.
        n_clusters : int or None, default=2
            Number of clusters to frame; None when ``distance_threshold`` decides.
        distance_threshold : float, default=None
            As for :class:`~sklearn_robust.clustering.ClassClustering`.
        linkage : str, default="average"
            As for :class:`~sklearn_robust.clustering.ClassClustering`.
        metric : {"cosine", "euclidean"}, default="cosine"
            Distance that the trees are built from; the heat maps always show cosines.
        center : {None, "classes", "features"}, default=None
            As for :class:`~sklearn_robust.clustering.ClassClustering`.
        %(ax)s
        **kwargs
            As for :meth:`plot`.

        Returns
        -------
        display : ClassDendrogramDisplay
            With ``ax_`` and ``figure_``.
        """
        weights_of = weights if isinstance(weights, Mapping) else {"": weights}
        params: dict[str, Any] = {
            "center": center,
            "distance_threshold": distance_threshold,
            "linkage": linkage,
            "metric": metric,
        }
        made = [ClassClustering(n_clusters, **params).fit(W) for W in weights_of.values()]
        sizes = {len(clustering.labels_) for clustering in made}
        wanted = "a list of the classes' names, or None"
        names = list(
            range(min(sizes)) if classes is None else check.check_names("classes", classes, wanted)
        )
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
            names=list(weights_of),
        ).plot(ax=ax, **kwargs)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        cmap: str | Colormap = DIVERGING,
        colorbar: bool = True,
        frames: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, whose place several heat maps share; None makes a new figure.
        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours from -1 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.
        frames : bool, default=True
            Whether to frame the clusters.
        **kwargs
            Passed to ``Axes.imshow`` of the heat maps.

        Returns
        -------
        display : ClassDendrogramDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        self._open_heat_maps(ax)
        top = 1.05 * self.linkage_matrix[:, -1, 2].max()
        look = {"cmap": cmap, "vmin": -1, "vmax": 1} | kwargs
        self.images_, made = [], []
        for number, axis in enumerate(self.axes_):
            make_room(axis)
            tree, labels = self.linkage_matrix[number], self.labels[number] if frames else None
            image = heat_map(axis, self.correlation[number], tree, labels, self.classes, look)
            self.images_.append(image)
            made.append(trees(axis, tree, top))
            made[-1][0].set_title(self.names[number])
        self.dendrogram_axes_ = np.array(made, dtype=object)
        self.colorbar_ = color_scale(self.images_, colorbar)
        return self

    def _open_heat_maps(self, ax: Axes | None) -> None:
        """Make one pair of axes for each heat map, with room for all labels."""
        size = min(max(4.5, 0.13 * len(self.classes)), 13)  # inches
        if len(self.names) == 1:
            if ax is None and size > 4.5:
                ax = pyplot_for(self).subplots(figsize=(1.3 * size, size), layout="compressed")[1]
            self.axes_ = np.array([self.open_axes(ax)], dtype=object)
        else:
            self.ax_, made = panels(ax, self, 1, len(self.names), size=size)
            self.axes_ = made[0]
            self.figure_ = self.ax_.figure
