"""
What a ball around every sample does to hypotheses
==================================================

Many lines separate the training data. Robustness keeps only those that cut no ball around a
sample, and these lines agree better with each other on new data.

This page draws the first picture of Wen, Li and Jia, "Towards understanding the regularization of
adversarial robustness on neural networks", ICML 2020, with real classifiers.
"""

# %%
# Lines without a training error
# ------------------------------
# A perceptron stops at the first line without a training error, so that each seed gives a different
# line.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Perceptron

from sklearn_robust.spectral import margin_report

rng = np.random.default_rng(1)
centres = np.array([[0.3, 0.35], [0.7, 0.65]])
y = np.repeat([0, 1], 9)
X = (centres[y] + rng.uniform(-0.2, 0.2, (18, 2))).astype(np.float32)
y_new = rng.integers(0, 2, 2000)
X_new = centres[y_new] + rng.uniform(-0.25, 0.25, (2000, 2))

lines = []
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # a few seeds find no such line
    for seed in range(40):
        start = np.random.default_rng(seed).normal(size=3)
        line = Perceptron(eta0=0.1, max_iter=200, tol=None, random_state=seed)
        line.fit(X, y, coef_init=start[:2], intercept_init=start[2:])
        if line.score(X, y) == 1:
            lines.append(line)

# %%
# The smallest margin decides
# ---------------------------
# The smallest margin of a line is its distance to the nearest sample. A line is removed if this
# distance is smaller than the radius ``eps`` of the balls.
smallest = np.array([margin_report(line, X, y, kinds="feature").feature.min() for line in lines])
answers = np.array([line.predict(X_new) for line in lines])


def disagreement(chosen):
    """Share of new samples on which two of the lines answer differently."""
    share = answers[chosen].mean(0)
    n = chosen.sum()
    return float((2 * share * (1 - share)).mean() * n / (n - 1))


def draw_line(ax, line, **look):
    (a, b), c = line.coef_[0], line.intercept_[0]
    ax.axline((0.5, -(0.5 * a + c) / b), slope=-a / b, **look)


radii = [0.0, 0.02, 0.05]
figure, axes = plt.subplots(1, 3, figsize=(10, 4.2), layout="constrained", sharey=True)
left, disagreements = [], []
for ax, eps in zip(axes, radii, strict=True):
    kept = smallest > eps
    left.append(int(kept.sum()))
    disagreements.append(disagreement(kept))
    for line, good in zip(lines, kept, strict=True):
        look = {"color": "#0072B2"} if good else {"color": "#D55E00", "linestyle": ":"}
        look["label"] = "line that is kept" if good else "line that is removed"
        draw_line(ax, line, linewidth=1, alpha=0.7 if good else 0.5, zorder=1, **look)
    for label, marker, color in ((0, "o", "#767676"), (1, "s", "#009E73")):
        points = X[y == label]
        ax.scatter(*points.T, s=18, marker=marker, color=color, zorder=3, label=f"class {label}")
        for point in points:
            ax.add_patch(plt.Circle(point, eps, color=color, alpha=0.35, linewidth=0, zorder=2))
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="first feature")
    ax.set_title(f"eps = {eps:g}: {left[-1]} of {len(lines)} lines")

axes[0].set_ylabel("second feature")
handles, labels = axes[-1].get_legend_handles_labels()
entries = dict(zip(labels, handles, strict=True))  # one for each label
names = sorted(entries)
figure.legend([entries[name] for name in names], names, loc="outside lower center", ncols=4)

# %%
# With larger balls fewer lines are left, and they disagree less.
for eps, n, share in zip(radii, left, disagreements, strict=True):
    print(f"eps = {eps:4g}: {n:3d} lines, which disagree on {100 * share:4.1f} % of new samples")
assert left[0] == len(lines) > left[1] > left[2] > 2
assert disagreements[0] > disagreements[1] > disagreements[2]
plt.show()
