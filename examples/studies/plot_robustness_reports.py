"""
How far to trust a robust accuracy
==================================

This page shows reports on handwritten digits: of a support vector machine with a scaler and
without, a forest, a net trained against attacks, and a net whose gradient is masked. The last one
looks robust to any attack that follows a gradient, and the report says why not to believe it.

The signs of gradient masking are those of Athalye, Carlini and Wagner, "Obfuscated gradients give
a false sense of security", ICML 2018.
"""

# %%
# A pipeline
# ----------
# The differentiable model of the pipeline maps raw pixels to the votes of the machine, so that
# ``eps`` is in the units of the pixels, which lie between 0 and 1. The scaler enlarges pixels that
# hardly vary, so that a small change of these is a large change to the machine. No check trips: the
# number is low, and there is no sign that it should be even lower.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_robust import MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import PGD, Square, WorstCase
from sklearn_robust.metrics import robustness_report

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
X, y, X_test, y_test = X[:1000], y[:1000], X[1000:1100], y[1000:1100]
attack = WorstCase(eps=0.1, random_state=0)

pipeline = make_pipeline(StandardScaler(), SVC()).fit(X, y)
report = robustness_report(pipeline, X_test, y_test, attack=attack)
print(report)
assert "No sign of gradient masking" in report

# %%
# Without the scaler the same machine is far more robust.
plain = SVC().fit(X, y)
print(robustness_report(plain, X_test, y_test, attack=attack))
scores = [robust_score(model, X_test, y_test, attack=attack) for model in (pipeline, plain)]
assert scores[1] > scores[0] + 0.2

# %%
# A forest
# --------
# A forest has no gradient. Square, which needs only scores, gives an upper bound of robust
# accuracy, and the report says so.
forest = RandomForestClassifier(50, random_state=0).fit(X, y)
square = Square(eps=0.1, max_iter=300, random_state=0)
report = robustness_report(forest, X_test, y_test, attack=square)
print(report)
assert "upper bound" in report

# %%
# A net trained against attacks
# -----------------------------
robust = MinMaxNet(attack__eps=0.1, max_epochs=20, random_state=0).fit(X, y)
print(robustness_report(robust, X_test, y_test, attack=attack))


# %%
# A net with a masked gradient
# ----------------------------
# The module rounds pixels to five grey levels before a natural net uses them. The gradient of
# rounding is zero, so that a gradient attack cannot move.
class Rounded(torch.nn.Module):
    """A module that rounds its input to five grey levels."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner((x * 4).round() / 4)


natural = NaturalNet(max_epochs=20, random_state=0).fit(X, y)
masked = NaturalNet.from_module(Rounded(natural.module_), classes=natural.classes_)
print(robustness_report(masked, X_test, y_test, attack=attack))

# %%
# A black-box attack finds what gradient attacks miss
# ---------------------------------------------------
# PGD does not lower the accuracy of the masked net at any eps. Square, which needs no gradient,
# does.
attacks = {"PGD": PGD(max_iter=20, random_state=0), "Square": Square(max_iter=300, random_state=0)}
nets = {"natural": natural, "masked": masked, "trained against attacks": robust}
radii = np.array([0.05, 0.1, 0.2])
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
left = {}
for axis, (title, search) in zip(axes, attacks.items(), strict=True):
    for (name, net), style in zip(nets.items(), ("o-", "s--", "^:"), strict=True):
        accuracy = [net.score(X_test, y_test)]
        for eps in radii:
            result = search.set_params(eps=eps).evaluate(net, X_test, y_test)
            accuracy.append((~result.fooled).mean())
        left[title, name] = accuracy
        axis.plot([0, *radii], accuracy, style, label=name)
    axis.set(title=title, xlabel="eps", ylim=(0, 1.02))
axes[0].set_ylabel("accuracy")
axes[0].legend(loc="lower left")
plt.show()

# %%
# The assertions check the claims: the masked net is far more accurate under PGD than under Square,
# and the other nets are less accurate under PGD than under Square.
assert left["PGD", "masked"][2] == left["PGD", "masked"][0]
assert left["Square", "masked"][2] < left["PGD", "masked"][2] - 0.2
for name in ("natural", "trained against attacks"):
    assert left["PGD", name][2] <= left["Square", name][2] + 0.02

trusted = {
    name: robustness_report(net, X_test, y_test, attack=attack, output_dict=True)["trusted"]
    for name, net in nets.items()
}
assert trusted == {"natural": True, "masked": False, "trained against attacks": True}
