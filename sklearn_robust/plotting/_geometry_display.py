"""How many steps of an attack samples withstand, and what that makes of their weights."""

import numpy as np
import torch

from .. import _validation as check
from ..differentiable import open_model
from ..nets import GAIRATNet
from ..nets._engine.schedules import value_in
from ..nets._reweighting import log_weights
from ._display import axes_for, named
from ._geometry_drawing import draw_cloud, draw_mesh, draw_weights
from ._kappa import attack_of, count_steps, plane

__all__ = ["GeometryDisplay"]


class GeometryDisplay:
    """Steps of an attack that samples withstand: kappa, GAIRAT's distance to the boundary.

    Make it with :meth:`from_estimator` (samples of two classes in the plane of a model's outputs),
    :meth:`from_history` (how kappa was distributed in each epoch) or :meth:`from_weights` (the
    weight that kappa means); :meth:`plot` draws it again.

    Parameters
    ----------
    kind : {"projection", "history", "weights"}
        What to draw.
    max_iter : int
        Steps of the attack, the largest kappa.
    kappa : array of shape (n_samples,), default=None
        For "projection".
    points : array of shape (n_samples, 2), default=None
        For "projection": logits along their two main directions.
    labels : array of shape (n_samples,), default=None
        For "projection": true labels, two different ones.
    counts : array of shape (n_epochs, max_iter + 1), default=None
        For "history": number of samples of each kappa in each epoch.
    begin : int, default=None
        For "history": first epoch with weights.
    weights : dict of str to array of shape (max_iter + 1,), default=None
        For "weights": weight of each kappa, before it is normalised.
    name : str, default=None
        Title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the drawing.
    figure_ : matplotlib Figure
        Its figure.
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
        kind,
        max_iter,
        kappa=None,
        points=None,
        labels=None,
        counts=None,
        begin=None,
        weights=None,
        name=None,
    ):
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
    def from_estimator(
        cls, estimator, X, y, *, classes=None, attack=None, name=None, ax=None, **plot_options
    ):
        """Attack the samples of two classes, count kappa, and draw it in the plane of the logits.

        A step counts until the sample is taken for any other class, of the two or not.

        Parameters
        ----------
        estimator : fitted classifier
            Any with a gradient.
        X : array-like of shape (n_samples, ...)
            Samples; those of other classes are left out.
        y : array-like of shape (n_samples,)
            True labels.
        classes : pair of labels, default=None
            Which classes; None takes the first two.
        attack : attack, default=None
            One run of gradient steps. None takes the one that the net was trained with, else PGD.
        name : str, default=None
            Title; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : GeometryDisplay
            With kappa and the points, and drawn.
        """
        X, y = check.check_samples(X, of=estimator), np.asarray(y)
        attack = attack_of(estimator, attack, X)
        view = attack.logits_of(open_model(estimator))
        codes = check.encode_labels(y, view.classes_, view.name)
        pair = view.classes_[:2] if classes is None else np.asarray(classes)
        if len(pair) != 2 or not np.isin(pair, view.classes_).all():
            raise ValueError(f"classes is {classes!r}; give two of {view.classes_.tolist()}.")
        rows = np.isin(y, pair)
        if rows.sum() < 3:
            raise ValueError(f"X has {rows.sum()} samples of {pair.tolist()}; give at least three.")
        kappa, logits = count_steps(view, attack, X[rows], codes[rows])
        return cls(
            kind="projection",
            max_iter=attack.max_iter,
            kappa=kappa,
            points=plane(logits, y[rows] == pair[0]),
            labels=y[rows],
            name=name or type(estimator).__name__,
        ).plot(ax=ax, **plot_options)

    @classmethod
    def from_history(cls, net, *, name=None, ax=None, **plot_options):
        """Draw how kappa was distributed over the training samples in each epoch.

        Parameters
        ----------
        net : fitted GAIRATNet
            ``lam=np.inf`` makes it count in min-max training.
        name : str, default=None
            Title; None is the class of the net.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : GeometryDisplay
            With the counts, and drawn.
        """
        rows = [epoch for epoch in net.history or () if "kappa_counts" in epoch]
        counts = [epoch["kappa_counts"] for epoch in rows]
        if not counts or len({len(row) for row in counts}) > 1:
            raise ValueError(
                f"the history of this {type(net).__name__} holds no kappa, or that of attacks of "
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
    def from_weights(cls, nets, *, max_iter=10, name=None, ax=None, **plot_options):
        """Draw the weight that each kappa has in GAIRAT nets, fitted or not.

        Parameters
        ----------
        nets : GAIRATNet, sequence of them, or dict of str to GAIRATNet
            Whose ``weight_fn`` and ``lam``; of a schedule, that of the last epoch.
        max_iter : int, default=10
            Steps of the attack.
        name : str, default=None
            Title.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : GeometryDisplay
            With the weights, and drawn.
        """
        check.check_count("max_iter", max_iter)
        kappa = torch.arange(max_iter + 1, dtype=torch.float64)
        weights = {}
        for label, net in named(nets if hasattr(nets, "__iter__") else [nets]).items():
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

    def plot(self, *, ax=None, xlabel=None, ylabel=None, **kwargs):
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        xlabel, ylabel : str, default=None
            Labels of the axes.
        **kwargs
            Passed to ``ax.scatter``, ``ax.pcolormesh`` or ``ax.plot``.

        Returns
        -------
        display : GeometryDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        kinds = {"projection": draw_cloud, "history": draw_mesh, "weights": draw_weights}
        check.check_choice("kind", self.kind, kinds)
        self.ax_ = axes_for(ax, self)
        self.figure_ = self.ax_.figure
        self.artists_, labels = kinds[self.kind](self, self.ax_, kwargs)
        self.ax_.set(
            xlabel=labels[0] if xlabel is None else xlabel,
            ylabel=labels[1] if ylabel is None else ylabel,
            title=self.name,
        )
        return self
