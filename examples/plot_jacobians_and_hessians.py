"""
Gradient and curvature of natural and robust networks
=====================================================

The first two derivatives of the decision function tell how much a small perturbation can change
it. A robust network has small gradients and little curvature, and a natural network large ones
[1]_. This example then measures over seven networks whether these numbers predict robust accuracy.
"""

# %%
# Hessians need a network with curvature. The logits of ReLU networks are piecewise linear, so that
# their Hessian is zero. The networks here have the smooth activation SiLU.
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import WorstCase
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import robustness_indicator, taylor_radius
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import HessianSpectrumDisplay, JacobianDisplay

X, y = load_digits_images()
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1000, test_size=200, random_state=0, stratify=y
)
shared = {"module": MLP, "module__activation": nn.SiLU, "module__hidden": (64, 64)}
shared |= {"max_epochs": 15, "random_state": 0}
natural = NaturalNet(**shared).fit(X_train, y_train)
robust = MinMaxNet(attack__eps=0.1, attack__max_iter=5, **shared).fit(X_train, y_train)
nets = {"natural": natural, "min-max": robust}

# %%
# Two networks
# ------------
# The output gives the paper's two numbers, the mean magnitude of the gradient's entries and of the
# Hessian's eigenvalues, with the share of zeros in the gradient and the mean margin:
found = {
    name: robustness_indicator(net, X_test, y_test, random_state=0) for name, net in nets.items()
}
for name, numbers in found.items():
    print(
        f"{name:8s} mean |J| {numbers.jacobian:.2f}  mean |lambda| {numbers.curvature:.2f}  "
        f"zeros of J {numbers.jacobian_sparsity:.1%}  margin {numbers.margin:.1f}"
    )
assert found["min-max"].jacobian < found["natural"].jacobian / 1.5
assert found["min-max"].curvature < found["natural"].curvature

# %%
# The spectra of both networks over 100 images:
HessianSpectrumDisplay.from_estimators(nets, X_test[:100], y_test[:100])

# %%
# The next picture shows the gradients as images. Blue marks pixels where more ink would help the
# true class, red those where it would harm. Each image has its own scale, so that shapes can be
# compared:
JacobianDisplay.from_estimators(nets, X_test, y_test)

# %%
# Do the numbers predict robustness?
# ----------------------------------
# The output gives the worst-case accuracy of seven networks, from natural to strongly regularised,
# over three losses at ``eps=0.08``:
candidates = {"natural": natural, "min-max 0.1": robust}
candidates["min-max 0.05"] = MinMaxNet(attack__eps=0.05, attack__max_iter=5, **shared)
for lam in (0.003, 0.01, 0.03, 0.1):
    candidates[f"Jacobian {lam:g}"] = JacobianRegNet(lam=lam, **shared)
for name in list(candidates)[2:]:
    candidates[name].fit(X_train, y_train)

attack = WorstCase(eps=0.08, random_state=0)
score, columns = [], {"-mean |J|": [], "-mean |λ|": [], "median Taylor radius": []}
for name, net in candidates.items():
    numbers = robustness_indicator(net, X_test, y_test, n_samples=50, random_state=0)
    score.append(robust_score(net, X_test, y_test, attack=attack))
    radius = np.median(taylor_radius(net, X_test, y_test))
    for column, value in zip(columns, (-numbers.jacobian, -numbers.curvature, radius), strict=True):
        columns[column].append(value)
    print(f"{name:13s} robust accuracy {score[-1]:.3f}  mean |J| {numbers.jacobian:.3f}")

# %%
# The rank correlation of an indicator with robust accuracy is 1 if both order the networks alike:
looks = {"natural": ("#767676", "o"), "min-max": ("#E69F00", "s"), "Jacobian": ("#0072B2", "^")}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained", sharey=True)
ranks = {}
for ax, (column, values) in zip(axes, columns.items(), strict=True):
    ranks[column] = spearmanr(values, score).statistic
    for family, (color, marker) in looks.items():
        points = [
            p
            for p, name in zip(zip(values, score, strict=True), candidates, strict=True)
            if name.startswith(family)
        ]
        ax.plot(*zip(*points, strict=True), marker, color=color, ms=8, label=family)
    ax.set(xlabel=column, title=f"rank correlation {ranks[column]:.2f}")
    ax.locator_params(axis="x", nbins=5)
axes[0].set_ylabel("robust accuracy")
axes[0].legend(frameon=False, loc="lower right")
print({column: round(float(rank), 2) for column, rank in ranks.items()})

# %%
# All correlations are positive but weak: the indicators separate the natural network from the
# others, and say little about the order of those. The network with the smallest gradient is not
# the most robust one. A penalty that is too strong makes a network that hardly uses its input, and
# its indicators are the best of all. Report indicators beside a robust score, and refit by the
# score.
assert min(ranks.values()) > 0.2
assert np.argmax(columns["-mean |J|"]) != np.argmax(score)

# %%
# References
# ----------
# .. [1] F. Yu, C. Liu, Y. Wang, L. Zhao and X. Chen, "Interpreting adversarial robustness: a view
#    from decision surface in input space", arXiv 1810.00144, sections 3 and 4.3.
