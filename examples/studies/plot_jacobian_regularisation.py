"""
Training for small gradients flattens the decision surface
==========================================================

A network that is trained with a penalty on the gradient of its decision function uses no
adversarial example. Its decision surface nevertheless becomes flat, and its gradients concentrate
on the digit [1]_. This example also shows why indicators overestimate its robustness.
"""

# %%
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_robust import JacobianRegNet, NaturalNet
from sklearn_robust.attacks import WorstCase
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import boundary_distance, input_jacobian, jacobian_norm, taylor_radius
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import (
    DecisionSurfaceDisplay,
    JacobianDisplay,
    RobustnessCurveDisplay,
)

X, y = load_digits_images()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=300, random_state=0, stratify=y)
shared = {"module": MLP, "max_epochs": 30, "random_state": 0}
nets = {
    "natural": NaturalNet(**shared).fit(X_train, y_train),
    "Jacobian": JacobianRegNet(lam=0.03, **shared).fit(X_train, y_train),
}

# %%
# The surface
# -----------
# The plane goes through the image with the median distance to the natural network's boundary, along
# a random direction and that of a C&W attack:
distance = {
    name: boundary_distance(net, X_test, y_test, norm="linf", max_distance=1)[:, 0]
    for name, net in nets.items()
}
index = int(np.argsort(distance["natural"])[len(X_test) // 2])
displays = DecisionSurfaceDisplay.from_estimators(
    nets, X_test, y_test, index=index, radius=0.3, random_state=0
)

# %%
# The output gives the range of S over the plane, and the median distance to the boundary over all
# test images:
for display in displays:
    print(f"{display.name:9s} range of S {np.ptp(display.margin):5.1f}", end="   ")
    print(f"median distance {np.median(distance[display.name]):.3f}")
assert np.ptp(displays[1].margin) < np.ptp(displays[0].margin) / 2
assert np.median(distance["Jacobian"]) > 1.5 * np.median(distance["natural"])

# %%
# The gradients
# -------------
JacobianDisplay.from_estimators(nets, X_test, y_test, indices=8)

# %%
# The gradients are smaller, and a larger part of them lies on the digit. The output gives the share
# of the gradient's l1 norm on pixels with ink, and the share of pixels that have ink:
ink = X_test > 0.3
on_digit = {}
for name, net in nets.items():
    J = np.abs(input_jacobian(net, X_test, y_test))
    share = (J * ink).sum((1, 2, 3)) / J.sum((1, 2, 3))
    on_digit[name] = share.mean()
    print(f"{name:9s} mean l1 norm {jacobian_norm(net, X_test, y_test).mean():6.1f}", end="   ")
    print(f"share on the digit {on_digit[name]:.2f} (of the pixels: {ink.mean():.2f})")
assert on_digit["Jacobian"] > on_digit["natural"] + 0.05

# %%
# Under attack
# ------------
# The curves show the worst-case accuracy over three losses with 40 steps each:
curves = RobustnessCurveDisplay.from_estimators(
    nets, X_test, y_test, eps=[0, 0.03, 0.06, 0.1, 0.15, 0.2], attack=WorstCase(random_state=0)
)
natural, jacobian = curves.accuracy.values()
assert jacobian[3] > natural[3] + 0.2

# %%
# Why not to trust the gradient alone
# -----------------------------------
# Training made the gradient small at exactly the points where indicators measure it. The share of
# samples whose margin exceeds ``eps`` times the norm of their gradient estimates the robust
# accuracy to first order. For this network the estimate is far too high at large radii.
estimate = {
    name: np.array([(taylor_radius(net, X_test, y_test) > eps).mean() for eps in curves.eps])
    for name, net in nets.items()
}
print("eps       ", *(f"{eps:5.2f}" for eps in curves.eps))
for name in nets:
    print(f"{name:9s} ", *(f"{share:5.2f}" for share in estimate[name]), "  estimated")
    print(f"{name:9s} ", *(f"{share:5.2f}" for share in curves.accuracy[name]), "  measured")
assert estimate["Jacobian"][-1] > jacobian[-1] + 0.1

# %%
# References
# ----------
# .. [1] F. Yu, C. Liu, Y. Wang, L. Zhao and X. Chen, "Interpreting adversarial robustness: a view
#    from decision surface in input space", arXiv 1810.00144, Figs. 9 and 10.
