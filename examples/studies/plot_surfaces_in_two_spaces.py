"""
Two networks that look alike in parameter space and not in input space
======================================================================

Pictures of the loss over the weights of a network tell how easily it is trained, but little about
how robust it is. Pictures over the input show robustness. This example draws a network trained
naturally and one trained by min-max optimisation in both spaces, with handwritten digits [1]_.
"""

# %%
# Both networks have the same architecture and the same initial weights:
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_robust import MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import boundary_distance
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import DecisionSurfaceDisplay, LossSurfaceDisplay

X, y = load_digits_images()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=500, random_state=0, stratify=y)
shared = {"module": MLP, "max_epochs": 20, "random_state": 0}
nets = {
    "natural": NaturalNet(**shared).fit(X_train, y_train),
    "min-max": MinMaxNet(attack__eps=0.1, attack__max_iter=7, **shared).fit(X_train, y_train),
}
for name, net in nets.items():
    attack = PGD(eps=0.1, max_iter=20, random_state=0)
    robust = robust_score(net, X_test, y_test, attack=attack)
    print(f"{name:8s} accuracy {net.score(X_test, y_test):.3f}, under PGD at 0.1 {robust:.3f}")

# %%
# In parameter space
# ------------------
# The picture shows the mean loss on the training data over two random directions that have, filter
# by filter, the length of the weights. Both networks lie in a smooth bowl:
weights = LossSurfaceDisplay.from_estimators(
    nets, X_train, y_train, grid_resolution=21, random_state=0
)

# %%
# These pictures do not show which of the two can be attacked. The two losses rise and fall together
# over the plane:
responses = [display.response for display in weights]
alike = np.corrcoef(*(np.log(response).ravel() for response in responses))[0, 1]
print(f"correlation of the two surfaces (of log loss): {alike:.3f}")
assert alike > 0.9

# %%
# In input space
# --------------
# The picture shows the decision function around one test image, over a random direction and that
# of a C&W attack. The coordinates are distances in the linf norm: 0.1 changes every pixel by a
# tenth of its range. The image is the one with the median distance to the natural network's
# boundary.
distances = {
    name: boundary_distance(net, X_test, y_test, norm="linf", max_distance=1)[:, 0]
    for name, net in nets.items()
}
index = int(np.argsort(distances["natural"])[len(X_test) // 2])
inputs = DecisionSurfaceDisplay.from_estimators(
    nets, X_test, y_test, index=index, radius=0.3, random_state=0
)

# %%
# Around the natural network's image the decision function falls steeply; around the other's it is
# nearly flat. The median distance to the boundary along the attack's direction, over all test
# images, is
for name, distance in distances.items():
    print(f"{name:8s} {np.median(distance):.3f}")
assert np.median(distances["min-max"]) > 1.5 * np.median(distances["natural"])

# %%
# References
# ----------
# .. [1] F. Yu, C. Liu, Y. Wang, L. Zhao and X. Chen, "Interpreting adversarial robustness: a view
#    from decision surface in input space", arXiv 1810.00144, Figs. 1 to 3.
