"""Drawings of kappa: clouds, epochs and weights; each returns its artists and the axes' labels."""

import numpy as np

from ._style import line_style

__all__ = ["draw_cloud", "draw_mesh", "draw_weights"]

STEPS = "kappa (steps withstood)"


def draw_cloud(display, ax, options):
    """Draw samples of two classes by shape, coloured by kappa; the fewest steps lie on top."""
    artists = []
    for number, label in enumerate(np.unique(display.labels)):
        rows = np.flatnonzero(display.labels == label)
        rows = rows[np.argsort(-display.kappa[rows], kind="stable")]
        look = {"cmap": "viridis", "s": 22, "linewidths": 0.4, "edgecolors": "0.35", **options}
        cloud = ax.scatter(
            *display.points[rows].T,
            c=display.kappa[rows],
            vmin=0,
            vmax=display.max_iter,
            marker="o^"[number],
            label=f"class {label}",
            **look,
        )
        artists.append(cloud)
    ax.figure.colorbar(artists[0], ax=ax, label=STEPS)
    legend = ax.legend()
    for handle in legend.legend_handles:
        handle.set_array(None)
        handle.set_facecolor("0.6")
    return artists, ("first main direction of the logits", "second main direction of the logits")


def draw_mesh(display, ax, options):
    """Shares of each kappa in each epoch, with their mean and median."""
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
        ax.plot(epochs, values, **line_style(number), label=label)[0]
        for number, label, values in ((4, "mean", shares @ steps), (1, "median", median))
    ]
    if display.begin is not None:
        ax.axvline(display.begin - 0.5, color="black", linestyle=":", label="weights begin")
    ax.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    ax.grid(False)
    ax.legend()
    return [mesh, *lines], ("epoch", STEPS)


def draw_weights(display, ax, options):
    """Weight of each kappa, one line a function."""
    steps = np.arange(display.max_iter + 1)
    lines = [
        ax.plot(steps, values, **{**line_style(number), "label": label, **options})[0]
        for number, (label, values) in enumerate(display.weights.items())
    ]
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(bottom=min(0, *ax.get_ylim()))
    ax.legend()
    return lines, (STEPS, "weight, before it is normalised")
