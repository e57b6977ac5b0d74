"""
Four directions from an image to the decision boundary
======================================================

An image may be far from the boundary in nearly every direction, and close to it in the few
directions that attacks take. The decision function shows the difference, and the cross-entropy
hides it [1]_.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import BIM
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import boundary_distance
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import DecisionSurfaceDisplay

X, y = load_digits_images()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=500, random_state=0, stratify=y)
net = NaturalNet(MLP, max_epochs=20, random_state=0).fit(X_train, y_train)

# %%
# One image, four directions
# --------------------------
# Each column is a plane through the same image. The vertical direction is random in the first
# column. In the others it is the first step of an attack: up the cross-entropy, down the
# cross-entropy of the least likely class, and down the decision function S (C&W). The upper row
# shows the cross-entropy, which is flat where the network is confident. The lower row shows S,
# which is zero on the boundary. Arrows give the distances to the boundary along both axes. Each row
# has one colour scale.
#
# The image is the one with the median distance to the boundary.
distance = boundary_distance(net, X_test, y_test, norm="linf", max_distance=1)[:, 0]
index = int(np.argsort(distance)[len(distance) // 2])
directions = {"random": "random", "cross-entropy": "ce", "least likely": "ce_ll", "C&W": "cw"}
displays = []
for name, direction in directions.items():
    display = DecisionSurfaceDisplay.from_estimator(
        net, X_test, y_test, index=index, direction=direction, radius=0.4, random_state=0, name=name
    )
    plt.close(display.figure_)  # all are drawn together below
    displays.append(display)

figure, axes = plt.subplots(2, 4, figsize=(13, 6.2), layout="compressed")
DecisionSurfaceDisplay.plot_together(displays, response="loss", axes=axes[0], xlabel="")
DecisionSurfaceDisplay.plot_together(displays, axes=axes[1])
for name, ax in zip(directions, axes.T, strict=True):
    ax[1].set(title="", xlabel="random")
    for panel in ax:
        panel.set_ylabel(name)

# %%
# All images
# ----------
# The same holds for the whole test set: a better direction has a shorter median distance to the
# boundary.
kinds = ["random", "ce_ll", "ce", "cw"]
distances = boundary_distance(
    net, X_test, y_test, directions=kinds, norm="linf", max_distance=1, random_state=0
)
medians = dict(zip(kinds, np.median(distances, axis=0), strict=True))
for kind, median in medians.items():
    print(f"{kind:7s} {median:.3f}")
assert medians["random"] > 2 * medians["ce_ll"]
assert medians["ce_ll"] > 1.2 * max(medians["ce"], medians["cw"])

# %%
# The path of an attack
# ---------------------
# An attack with many small steps does not stay in the plane of its first step. The picture
# projects its points onto the plane and fills them with the colour of their true S. The legend
# says how far they are from the plane.
display = DecisionSurfaceDisplay.from_estimator(
    net, X_test, y_test, index=index, radius=0.25, random_state=0,
    trajectory=BIM(eps=0.2, step_size=0.02, max_iter=12, loss="margin"),
)  # fmt: skip
assert (np.diff(display.trajectory.margin) < 0).mean() > 0.8
assert display.trajectory.margin[-1] < 0

# %%
# References
# ----------
# .. [1] F. Yu, C. Liu, Y. Wang, L. Zhao and X. Chen, "Interpreting adversarial robustness: a view
#    from decision surface in input space", arXiv 1810.00144, Fig. 4.
