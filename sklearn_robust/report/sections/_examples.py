"""Images before and after the attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...plotting._style import DIVERGING, MUTED, PALETTE, make_figure, shown_radius
from .._blocks import Figure, Section
from .._results import Results
from ._format import count, strength

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["examples"]


def examples(results: Results) -> Section | None:
    """Section with adversarial images, their perturbations and the prediction of each net."""
    found = results.get("examples")
    if found is None:
        return None
    figure = Figure("examples", lambda: _draw(results), _caption(found), _alt(found))
    return Section("examples", "What the attacks look like", [figure])


def _caption(found: dict[str, Any]) -> str:
    return (
        f"{count(len(found['rows']), 'test sample').capitalize()} of different classes under the "
        f"worst-case attack at {strength(found['eps'])}: the attacked image, and beside it the "
        "change (the mean over colour channels, if there are several). Below is the predicted "
        "class with its probability; ✗ and a frame mark an error. Every net classifies these "
        "samples correctly without an attack. They are the first in the test part on which the "
        "nets differ under attack, so they show differences, not how often differences occur."
    )


def _alt(found: dict[str, Any]) -> str:
    rows = [
        f"{name} errs on {sum(net['fooled'])} of {len(net['fooled'])}"
        for name, net in found["nets"].items()
    ]
    return "Attacked images and their perturbations for each net: " + "; ".join(rows) + "."


def _draw(results: Results) -> MplFigure:
    found, arrays = results["examples"], results.arrays
    names, n = list(found["nets"]), len(found["rows"])
    figure, axes = _make_axes(len(names) + 1, n)
    clean = arrays["examples/clean"]
    for place in range(n):
        axes[0, place, 1].set_visible(False)
        _show_image(axes[0, place, 0], clean[place])
        axes[0, place, 0].set_xlabel(f"true: {found['labels'][place]}", fontsize=9)
        for (image, change), name in zip(axes[1:, place], names, strict=True):
            x_adv = arrays[f"examples/{name}"][place]
            _show_image(image, x_adv)
            shown = _show_change(change, x_adv - clean[place], found["eps"])
            _name_prediction(image, found["nets"][name], place)
    for axis, title in zip(axes[1, 0], ("attacked", "change"), strict=True):
        axis.set_title(title, fontsize=8.5, color=MUTED, weight="normal", loc="center")
    for axis, name in zip(axes[:, 0, 0], ["no attack", *names], strict=True):
        axis.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8, weight="bold")
    _add_color_bar(figure, axes, shown, found["eps"])
    return figure


def _make_axes(n_rows: int, n_samples: int) -> tuple[Any, Any]:
    """Axes (n_rows, n_samples, 2), the two of a sample close to each other."""
    ratios = [1, 1, 0.15] * n_samples
    figure, axes = make_figure(
        9, 0.3 + 1.12 * n_rows, nrows=n_rows, ncols=len(ratios), width_ratios=ratios, squeeze=False
    )
    axes = axes.reshape(n_rows, n_samples, 3)
    for axis in axes[..., 2].flat:
        axis.set_visible(False)
    for axis in axes[..., :2].flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        for side in axis.spines.values():
            side.set(visible=True, color=MUTED, linewidth=0.5)
    return figure, axes[..., :2]


def _show_image(axis: Any, x: NDArray[Any]) -> None:
    """Draw an image (H, W) or (C, H, W) with values in any range."""
    x = np.moveaxis(x, 0, -1) if x.ndim == 3 else x
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 1.0)
    x = (x - low) / (high - low)
    axis.imshow(x.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="none")


def _show_change(axis: Any, change: NDArray[Any], eps: float) -> Any:
    change = change.mean(0) if change.ndim == 3 else change
    return axis.imshow(change, cmap=DIVERGING, vmin=-eps, vmax=eps, interpolation="none")


def _name_prediction(axis: Any, net: dict[str, Any], place: int) -> None:
    wrong = net["fooled"][place]
    text = f"{'✗' if wrong else '✓'} {net['predicted'][place]} ({net['confidence'][place]:.0%})"
    weight = "bold" if wrong else "normal"
    axis.set_xlabel(text, fontsize=8.5, labelpad=3, weight=weight)
    if wrong:
        for side in axis.spines.values():
            side.set(color=PALETTE[4], linewidth=2.2)


def _add_color_bar(figure: Any, axes: Any, shown: Any, eps: float) -> None:
    bar = figure.colorbar(
        shown, ax=axes[:, -1, 1], location="right", shrink=0.5, aspect=25, ticks=[-eps, 0, eps]
    )
    bar.ax.set_yticklabels([f"−{shown_radius(eps)}", "0", f"+{shown_radius(eps)}"])
    bar.set_label("change of a value")
    bar.outline.set_visible(False)
