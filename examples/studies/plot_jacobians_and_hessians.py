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
import numpy as np
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet
from sklearn_robust.attacks import WorstCase
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import (
    indicator_study,
    make_indicator_scorer,
    robustness_indicator,
)
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import HessianSpectrumDisplay, IndicatorStudyDisplay, JacobianDisplay

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
# compared; the largest magnitude stands below it:
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

study = indicator_study(
    candidates,
    X_test,
    y_test,
    attack=WorstCase(eps=0.08, random_state=0),
    indicators={
        "-mean |J|": make_indicator_scorer("neg_jacobian_l1", n_samples=50),
        "-mean |λ|": make_indicator_scorer("neg_curvature", n_samples=50),
        "median Taylor radius": make_indicator_scorer("taylor_radius", aggregate="median"),
    },
)
for name, clean, robust in zip(
    study.names, study.clean_accuracy, study.robust_accuracy, strict=True
):
    print(f"{name:14s} accuracy {clean:.3f}, robust accuracy {robust:.3f}")

# %%
# The rank correlation of an indicator with robust accuracy is 1 if both order the networks alike.
# The brackets hold its 95 % interval over draws of the seven networks, and p is the share of all
# their orders that correlate as strongly. Bars are intervals of robust accuracy over the images.
IndicatorStudyDisplay(study=study).plot()
for name, found in study.correlations.items():
    print(
        f"{name:21s} rho {found.rho:+.2f} [{found.low:+.2f}, {found.high:+.2f}], "
        f"p {found.p_value:.2f}, given clean accuracy {found.partial:+.2f}: {found.verdict}"
    )

# %%
# Seven networks are no evidence that the indicators order networks as attacks do: every interval
# holds 0. An interval above 0 would have been evidence. The network with the smallest gradient is
# not the most robust one: a penalty that is too strong makes a network that hardly uses its input,
# and its indicators are the best of all. Report indicators beside a robust score, and refit by the
# score.
assert all(found.low <= 0 <= found.high for found in study.correlations.values())
assert np.argmax(study["values"]["-mean |J|"]) != np.argmax(study.robust_accuracy)

# %%
# References
# ----------
# .. [1] F. Yu, C. Liu, Y. Wang, L. Zhao and X. Chen, "Interpreting adversarial robustness: a view
#    from decision surface in input space", arXiv 1810.00144, sections 3 and 4.3.
