"""Robust accuracy over the epochs, on training samples and on new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from .. import _validation as check
from ._display import Display, shared_docs
from ._intervals import binomial_band
from ._style import line_style, percent_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RobustOverfittingDisplay"]

_SIDES = {"train": "training samples", "test": "samples held out"}


@shared_docs
class RobustOverfittingDisplay(Display):
    """Robust accuracy of every epoch, on training samples and on samples held out.

    :meth:`from_net` makes it; :meth:`plot` draws it again.

    Parameters
    ----------
    accuracy : dict of str to array of shape (n_epochs,)
        Robust accuracies, "train" and "test".
    n_samples : dict of str to int
        Numbers of samples that they were measured on.
    name : str, default=None
        Title.

    Attributes
    ----------
    %(axes_attributes)s
    lines_ : list of matplotlib Line2D
        The two accuracies.
    bands_ : list of matplotlib collections
        Their intervals over the samples.
    best_epoch_ : int
        First epoch that is best on the samples held out; the first is 1.

    See Also
    --------
    sklearn_robust.callbacks.RobustHistory : Records the accuracies.

    Notes
    -----
    The best epoch is the best of many, so its accuracy is optimistic: score on samples that neither
    trained nor chose.

    References
    ----------
    Rice, Wong, Kolter, "Overfitting in adversarially robust deep learning", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import MinMaxNet
    >>> from sklearn_robust.callbacks import RobustHistory
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.plotting import RobustOverfittingDisplay
    >>> X, y = load_moons(200, random_state=0)
    >>> net = MinMaxNet(callbacks=[RobustHistory()], lr=0.01, max_epochs=3, random_state=0)
    >>> display = RobustOverfittingDisplay.from_net(net.set_params(attack__eps=0.02).fit(X, y))
    >>> len(display.accuracy["test"]), display.n_samples["test"]
    (3, 40)
    """

    def __init__(
        self,
        *,
        accuracy: Mapping[str, NDArray[np.float64]],
        n_samples: Mapping[str, int],
        name: str | None = None,
    ) -> None:
        self.accuracy = accuracy
        self.n_samples = n_samples
        self.name = name

    @classmethod
    @shared_docs
    def from_net(
        cls, net: Any, *, name: str | None = None, ax: Axes | None = None, **plot_options: Any
    ) -> Self:
        """Read the record of a net that was trained with ``RobustHistory`` and draw it.

        Parameters
        ----------
        net : fitted net, or Pipeline that ends in one
            With the record in its history.
        %(plain_title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : RobustOverfittingDisplay
            With the arrays, and drawn.

        Raises
        ------
        ValueError
            If the net has no such record.
        """
        check.validate(locals())
        last = net.steps[-1][1] if isinstance(net, Pipeline) else net
        rows = [row for row in vars(last).get("history_", ()) if "robust_test_acc" in row]
        if not rows:
            raise ValueError(
                f"{type(last).__name__} has no record of robust accuracy: train it with "
                "callbacks=[RobustHistory()] of sklearn_robust.callbacks."
            )
        accuracy = {side: np.array([row[f"robust_{side}_acc"] for row in rows]) for side in _SIDES}
        n_samples = {side: int(rows[-1][f"robust_{side}_n"]) for side in _SIDES}
        return cls(accuracy=accuracy, n_samples=n_samples, name=name).plot(ax=ax, **plot_options)

    @shared_docs
    def plot(
        self, *, ax: Axes | None = None, confidence: float | None = 0.95, **kwargs: Any
    ) -> Self:
        """Draw both accuracies over the epochs.

        Parameters
        ----------
        %(ax)s
        confidence : float or None, default=0.95
            Level of the bands, Wilson intervals over the samples; None draws none.
        **kwargs
            Passed to ``Axes.plot``.

        Returns
        -------
        display : RobustOverfittingDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        if confidence is not None:
            check.check_number("confidence", confidence, high=1, strict=True)
        ax = self.open_axes(ax)
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        for number, (side, label) in enumerate(_SIDES.items(), 1):
            curve, look = np.asarray(self.accuracy[side]), line_style(number)
            epochs = np.arange(1, len(curve) + 1)
            if confidence is not None:
                ends = binomial_band(curve, self.n_samples[side], confidence)
                self.bands_.append(
                    ax.fill_between(epochs, *ends, color=look["color"], alpha=0.15, lw=0)
                )
            self.lines_ += ax.plot(epochs, curve, label=label, markevery=0.1, **look | kwargs)
        self.best_epoch_ = 1 + int(np.argmax(self.accuracy["test"]))
        ax.axvline(
            self.best_epoch_, color="0.5", lw=1, ls=":", label=f"best, epoch {self.best_epoch_}"
        )
        percent_axis(ax, "robust accuracy (%)")
        ax.set(xlabel="epoch", title=self.name)
        ax.locator_params(axis="x", integer=True)
        ax.legend(frameon=False)
        return self
