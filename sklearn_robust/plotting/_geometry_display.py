"""Numbers of attack steps that samples stay correct for, and the weights that follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from ..differentiable import open_model
from ..nets import GAIRATNet
from ..nets._engine.schedules import value_in
from ..nets._reweighting import log_weights
from ._display import Display, label_of, named, shared_docs
from ._geometry_drawing import draw_cloud, draw_mesh, draw_weights
from ._kappa import attack_of, count_steps, plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GeometryDisplay"]


@shared_docs
class GeometryDisplay(Display):
    """Number of attack steps that samples withstand (kappa), which sets their GAIRAT weights.

    :meth:`from_estimator` draws samples of two classes in the plane of a model's outputs,
    :meth:`from_history` the distribution of kappa in each epoch, and :meth:`from_weights` the
    weight of each kappa; :meth:`plot` draws it again.

    Parameters
    ----------
    kind : {"projection", "history", "weights"}
        Kind of drawing.
    max_iter : int
        Number of attack steps, the largest kappa.
    kappa : array of shape (n_samples,), default=None
        For "projection": kappa of each sample.
    points : array of shape (n_samples, 2), default=None
        For "projection": logits along their two principal directions.
    labels : array of shape (n_samples,), default=None
        For "projection": true labels, two different ones.
    counts : array of shape (n_epochs, max_iter + 1), default=None
        For "history": number of samples of each kappa in each epoch.
    begin : int, default=None
        For "history": first epoch with weights.
    weights : dict of str to array of shape (max_iter + 1,), default=None
        For "weights": weight of each kappa, before normalisation.
    name : str, default=None
        Title.

    Attributes
    ----------
    %(axes_attributes)s
    artists_ : list of matplotlib artists
        Clouds of the two classes; or mesh and lines of mean and median; or lines of the weights.

    See Also
    --------
    sklearn_robust.nets.GAIRATNet : Weights samples by kappa.
    MarginDisplay : Other distances to the boundary.

    References
    ----------
    Zhang et al., "Geometry-aware instance-reweighted adversarial training", ICLR 2021.

    Examples
    --------
    >>> from sklearn_robust import GAIRATNet
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.plotting import GeometryDisplay
    >>> X, y = load_moons(200, random_state=0)
    >>> net = GAIRATNet(attack__eps=0.05, lr=0.01, max_epochs=6, random_state=0).fit(X, y)
    >>> GeometryDisplay.from_history(net).counts.sum(axis=1)
    array([200, 200, 200, 200, 200, 200])
    >>> display = GeometryDisplay.from_estimator(net, X, y)
    >>> bool((display.kappa <= 10).all())
    True
    """

    def __init__(
        self,
        *,
        kind: str,
        max_iter: int,
        kappa: NDArray[Any] | None = None,
        points: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
        counts: NDArray[Any] | None = None,
        begin: int | None = None,
        weights: Mapping[str, NDArray[Any]] | None = None,
        name: str | None = None,
    ) -> None:
        self.kind = kind
        self.max_iter = max_iter
        self.kappa = kappa
        self.points = points
        self.labels = labels
        self.counts = counts
        self.begin = begin
        self.weights = weights
        self.name = name

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        classes: Sequence[Any] | None = None,
        attack: Any = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Attack the samples of two classes, count kappa, and draw it in the plane of the logits.

        Steps count until the sample is predicted as any other class, one of the two or not.

        Parameters
        ----------
        estimator : fitted classifier
            Any classifier with a gradient.
        X : array-like of shape (n_samples, ...)
            Samples; those of other classes are left out.
        %(y)s
        classes : pair of labels, default=None
            Two classes to draw; None takes the first two.
        attack : attack, default=None
            Attack with one run of gradient steps. None takes the attack that the net was trained
            with, or PGD if there is none.
        %(title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : GeometryDisplay
            With kappa and the points, and drawn.
        """
        check.validate(
            locals(), attack=check.optional(_check_attack), classes=check.optional(_check_pair)
        )
        model = open_model(estimator)
        samples, labels = check.check_samples(X, of=model.estimator), np.atleast_1d(np.asarray(y))
        if len(samples) != len(labels):
            raise ValueError(f"X has {len(samples)} samples and y has {len(labels)} labels.")
        attack = attack_of(model.estimator, attack, samples)
        logits_of = attack.logits_of(model)
        codes = check.encode_labels(labels, logits_of.classes_, model.name)
        known = logits_of.classes_
        pair = known[:2] if classes is None else np.asarray(tuple(classes))
        if len(pair) != 2 or not np.isin(pair, known).all():
            raise ValueError(f"classes is {classes!r}; give two of {known.tolist()}.")
        rows = np.isin(labels, pair)
        if rows.sum() < 3:
            raise ValueError(f"X has {rows.sum()} samples of {pair.tolist()}; give at least three.")
        kappa, logits = count_steps(logits_of, attack, samples[rows], codes[rows])
        return cls(
            kind="projection",
            max_iter=attack.max_iter,
            kappa=kappa,
            points=plane(logits, labels[rows] == pair[0]),
            labels=labels[rows],
            name=label_of(estimator, name),
        ).plot(ax=ax, **plot_options)

    @classmethod
    @shared_docs
    def from_history(
        cls,
        net: GAIRATNet,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the distribution of kappa over the training samples in each epoch.

        Parameters
        ----------
        net : fitted GAIRATNet
            Net that counted kappa; ``lam=np.inf`` counts it in plain min-max training.
        name : str, default=None
            Title; None is the class of the net.
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : GeometryDisplay
            With the counts, and drawn.
        """
        rows = [epoch for epoch in net.history or () if "kappa_counts" in epoch]
        counts = [epoch["kappa_counts"] for epoch in rows]
        if not counts or len({len(row) for row in counts}) > 1:
            raise ValueError(
                f"the history of this {type(net).__name__} holds no kappa, or kappa of attacks of "
                "several lengths: fit a GAIRATNet, with lam=np.inf for min-max training."
            )
        late = [number for number, epoch in enumerate(rows, 1) if epoch["weighted"]]
        return cls(
            kind="history",
            max_iter=len(counts[0]) - 1,
            counts=np.array(counts),
            begin=late[0] if late else None,
            name=name or type(net).__name__,
        ).plot(ax=ax, **plot_options)

    @classmethod
    @shared_docs
    def from_weights(
        cls,
        nets: GAIRATNet | Mapping[Any, GAIRATNet] | Iterable[GAIRATNet],
        *,
        max_iter: int = 10,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the weight that each kappa has in GAIRAT nets, fitted or not.

        Parameters
        ----------
        nets : GAIRATNet, sequence of them, or dict of str to GAIRATNet
            Nets whose ``weight_fn`` and ``lam`` to draw; a schedule counts with its last epoch.
        max_iter : int, default=10
            Number of attack steps.
        %(plain_title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : GeometryDisplay
            With the weights, and drawn.
        """
        check.check_count("max_iter", max_iter)
        kappa = torch.arange(max_iter + 1, dtype=torch.float64)
        weights = {}
        for label, net in named(nets if isinstance(nets, Iterable) else [nets]).items():
            if not isinstance(net, GAIRATNet):
                raise ValueError(f"{label} has no weights: give instances of GAIRATNet.")
            if net.weight_fn == "margin":
                raise ValueError(f"{label} weighs by margins, not by kappa: leave it out.")
            lam = value_in(net.max_epochs, net.lam)
            logs = log_weights(net.weight_fn, kappa, max_iter, lam)
            weights[label] = (torch.zeros_like(logs) if lam == np.inf else logs).exp().numpy()
        return cls(kind="weights", max_iter=max_iter, weights=weights, name=name).plot(
            ax=ax, **plot_options
        )

    @shared_docs
    def plot(
        self,
        *,
        ax: Axes | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        %(ax)s
        %(axis_labels)s
        **kwargs
            Passed to ``ax.scatter``, ``ax.pcolormesh`` or ``ax.plot``.

        Returns
        -------
        display : GeometryDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        kinds = {"projection": draw_cloud, "history": draw_mesh, "weights": draw_weights}
        check.check_choice("kind", self.kind, kinds)
        ax = self.open_axes(ax)
        self.artists_, labels = kinds[self.kind](self, ax, kwargs)
        ax.set(
            xlabel=labels[0] if xlabel is None else xlabel,
            ylabel=labels[1] if ylabel is None else ylabel,
            title=self.name,
        )
        return self


def _check_attack(name: str, value: Any) -> None:
    check.check_attack(value)


def _check_pair(name: str, value: Any) -> None:
    if isinstance(value, Iterator):
        raise ValueError(f"{name} is {check.shown(value)}; give a pair of labels, or None.")
    check.check_names(name, value, "a pair of labels, or None")
