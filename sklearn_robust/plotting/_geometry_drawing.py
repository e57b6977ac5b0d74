"""Drawings of kappa: clouds, epochs and weights; each returns its artists and the axis labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_cloud", "draw_mesh", "draw_weights"]

STEPS = "kappa (steps withstood)"

Drawing = tuple[list[Any], tuple[str, str]]  # artists, labels of the axes


def draw_cloud(display: Any, ax: Axes, options: dict[str, Any]) -> Drawing:
    """Draw samples of two classes by shape, coloured by kappa; the smallest kappa lies on top."""
    artists: list[Any] = []
    for number, label in enumerate(np.unique(display.labels)):
        rows = np.flatnonzero(display.labels == label)
        rows = rows[np.argsort(-display.kappa[rows], kind="stable")]
        look: dict[str, Any] = {
            "c": display.kappa[rows],
            "vmin": 0,
            "vmax": display.max_iter,
            "marker": "o^"[number],
            "label": f"class {label}",
            "cmap": "viridis",
            "s": 22,
            "linewidths": 0.4,
            "edgecolors": "0.35",
            **options,
        }
        x, y = display.points[rows].T
        cloud = ax.scatter(x, y, **look)
        artists.append(cloud)
    ax.figure.colorbar(artists[0], ax=ax, label=STEPS)
    legend = ax.legend()
    handles: list[Any] = legend.legend_handles
    for handle in handles:
        handle.set_array(None)
        handle.set_facecolor("0.6")
    return artists, ("first main direction of the logits", "second main direction of the logits")


def draw_mesh(display: Any, ax: Axes, options: dict[str, Any]) -> Drawing:
    """Draw the share of each kappa in each epoch, with mean and median."""
    from matplotlib.colors import PowerNorm

    counts, steps = display.counts, np.arange(display.max_iter + 1)
    shares = counts / counts.sum(1, keepdims=True)
    epochs = np.arange(1, len(counts) + 1)
    look = {"cmap": "Blues", "norm": PowerNorm(0.5, 0, 1), **options}  # small shares count too
    edges = np.arange(0.5, len(counts) + 1), np.arange(-0.5, display.max_iter + 1)
    mesh = ax.pcolormesh(*edges, shares.T, **look)
    ax.figure.colorbar(mesh, ax=ax, label="share of the samples")
    median = (2 * counts.cumsum(1) >= counts.sum(1, keepdims=True)).argmax(1)
    lines = [
        ax.plot(epochs, values, label=label, **line_style(number))[0]
        for number, label, values in ((4, "mean", shares @ steps), (1, "median", median))
    ]
    if display.begin is not None:
        ax.axvline(display.begin - 0.5, color="black", linestyle=":", label="weights begin")
    ax.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    ax.locator_params(integer=True, min_n_ticks=1)
    ax.grid(False)
    ax.legend()
    return [mesh, *lines], ("epoch", STEPS)


def draw_weights(display: Any, ax: Axes, options: dict[str, Any]) -> Drawing:
    """Draw the weight of each kappa, one line for each function."""
    steps = np.arange(display.max_iter + 1)
    lines = [
        ax.plot(steps, values, **{**line_style(number), "label": label, **options})[0]
        for number, (label, values) in enumerate(display.weights.items())
    ]
    ax.locator_params(axis="x", integer=True)
    ax.set_ylim(bottom=min(0, *ax.get_ylim()))
    ax.legend()
    return lines, (STEPS, "weight, before it is normalised")
