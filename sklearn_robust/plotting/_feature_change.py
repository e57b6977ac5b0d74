"""Changes of the features of each layer."""

from .. import _validation as check
from ..spectral import feature_change_report
from ._display import axes_for, named
from ._layer_lines import draw_over_layers, shared_layers
from ._style import INK

__all__ = ["FeatureChangeDisplay"]

KINDS = {
    "relative": "relative change of the features",
    "mean": "change of the features (l2)",
    "gain": "gain of the change in the input",
    "local_gain": "gain over the layer before",
    "anisotropy": "change: attack / noise",
}


class FeatureChangeDisplay:
    """Change of the features over the layers, under attack and under noise of the same length.

    Make it with :meth:`from_estimator` or :meth:`from_estimators`; :meth:`plot` draws it again.

    Parameters
    ----------
    reports : dict of str to Bunch
        What :func:`sklearn_robust.spectral.feature_change_report` returned for each model.
    kind : str, default="relative"
        What :meth:`plot` draws unless told otherwise.
    name : str, default=None
        Title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the drawing.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        For each model its change under attack and, dashed, under noise.

    See Also
    --------
    LayerSpectrumDisplay : What each layer could do to a change.

    References
    ----------
    Wen, Li, Jia, "Towards understanding the regularization of adversarial robustness on neural
    networks", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.plotting import FeatureChangeDisplay
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(max_epochs=1, random_state=0).fit(X, y)
    >>> display = FeatureChangeDisplay.from_estimator(net, X, y)
    >>> [line.get_label() for line in display.lines_]
    ['NaturalNet, attack', 'NaturalNet, noise']
    """

    def __init__(self, *, reports, kind="relative", name=None):
        self.reports = reports
        self.kind = kind
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, name=None, **options):
        """Measure the changes in one model and draw them.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline or torch.nn.Module
            What to look at.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,), optional
            True labels; without them the predicted labels are attacked.
        name : str, default=None
            Label; None is the class of the estimator.
        **options
            As for :meth:`from_estimators`.

        Returns
        -------
        display : FeatureChangeDisplay
            With the changes, and drawn.
        """
        return cls.from_estimators({name or type(estimator).__name__: estimator}, X, y, **options)

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X,
        y=None,
        *,
        attack=None,
        n_directions=8,
        layers=None,
        random_state=0,
        kind="relative",
        name=None,
        ax=None,
        **plot_options,
    ):
        """Measure the changes in several models of one architecture and draw them.

        Parameters
        ----------
        estimators : dict of str to classifier, or sequence of classifiers
            What to compare.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,), optional
            True labels; without them the predicted labels are attacked.
        attack : attack, default=None
            As for :func:`sklearn_robust.spectral.feature_change_report`, like the next three; the
            same for all models.
        n_directions : int, default=8
            Number of random perturbations of each sample.
        layers : list of str, optional
            Names of modules.
        random_state : int, RandomState or None, default=0
            Seed of the directions.
        kind : str, default="relative"
            As for :meth:`plot`.
        name : str, default=None
            Title.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : FeatureChangeDisplay
            With the changes, and drawn.
        """
        check.check_choice("kind", kind, KINDS)
        options = {"attack": attack, "n_directions": n_directions, "layers": layers}
        reports = {
            label: feature_change_report(model, X, y, random_state=random_state, **options)
            for label, model in named(estimators).items()
        }
        return cls(reports=reports, kind=kind, name=name).plot(ax=ax, **plot_options)

    def plot(self, *, kind=None, ax=None, xlabel=None, ylabel=None, **kwargs):
        """Draw the changes over the layers.

        Parameters
        ----------
        kind : {"relative", "mean", "gain", "local_gain", "anisotropy"}, default=None
            Which column of the report; "anisotropy" is the ratio of the change under attack to
            that under noise. None is what the display was made for.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        xlabel, ylabel : str, default=None
            Labels of the axes.
        **kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        display : FeatureChangeDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        kind = check.check_choice("kind", kind or self.kind, KINDS)
        layers = shared_layers(self.reports)
        self.ax_ = ax = axes_for(ax, self)
        self.figure_ = ax.figure
        curves = []
        for number, (label, report) in enumerate(self.reports.items()):
            if kind == "anisotropy":
                curves.append((label, number, report.anisotropy, kwargs))
                continue
            faint = {"linestyle": "--", "markerfacecolor": "none", **kwargs}
            curves.append((f"{label}, attack", number, report[f"adversarial_{kind}"], kwargs))
            curves.append((f"{label}, noise", number, report[f"random_{kind}"], faint))
        self.lines_ = draw_over_layers(ax, layers, curves)
        if kind == "anisotropy":
            ax.axhline(1, color=INK, linewidth=0.8, linestyle=":", label="same in all directions")
        ax.set(
            xlabel="layer" if xlabel is None else xlabel,
            ylabel=KINDS[kind] if ylabel is None else ylabel,
            title=self.name,
        )
        ax.set_ylim(bottom=0)
        ax.legend()
        return self
