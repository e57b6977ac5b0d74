"""
Why classes cluster when a model is made robust
===============================================

Twelve classes lie in three groups of four siblings. A linear model separates siblings by the
differences between them, and groups by the differences between their centres. Training against
perturbations decides which of these differences the weights use.
"""

# %%
# A perturbation needs half the distance between two siblings to turn one into the other.

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import pdist
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust import MinMaxNet
from sklearn_robust.clustering import ClassClustering, LinearizedClustering
from sklearn_robust.datasets import make_hierarchical_blobs
from sklearn_robust.plotting import ClassDendrogramDisplay

X, y, superclasses = make_hierarchical_blobs(random_state=0)
names = [f"{group}{number}" for group in "abc" for number in range(1, 5)]
centres = np.stack([X[y == label].mean(axis=0) for label in range(12)])
half = np.concatenate([pdist(centres[superclasses == group]) / 2 for group in range(3)])
print(f"half the distance of siblings: {half.min():.1f} to {half.max():.1f}")

# %%
# The model is a softmax regression, trained against l2 perturbations of growing length. It needs no
# linearisation: the weights of a class are a row of its only matrix. The contrast is the mean
# cosine between weights of siblings minus the mean cosine between weights of other classes. The
# adjusted Rand index compares the three clusters that are found with the groups.

strengths = [0.0, 1.5, 3.0, 4.0, 5.0]
nets, agreements = {}, []
for eps in strengths:
    net = MinMaxNet(
        nn.Linear,
        module__in_features=30,
        module__out_features=12,
        attack__norm="l2",
        attack__eps=eps,
        attack__max_iter=5,
        lr=0.05,
        max_epochs=60,
        batch_size=180,
        random_state=0,
    ).fit(X, y)
    clustering = LinearizedClustering(net, n_clusters=3).fit(X)
    agreements.append(clustering.agreement(superclasses))
    nets[eps] = net
    print(
        f"eps {eps:g}: accuracy {net.score(X, y):.3f}, contrast {agreements[-1].contrast:5.2f}, "
        f"adjusted Rand index {agreements[-1].adjusted_rand:5.2f}"
    )

# %%
# As long as siblings can be separated, their differences reduce the loss, and these differences
# have no common direction. With larger perturbations they no longer do: the weights turn towards
# the centres of the classes, and the groups appear.

of_centres = ClassClustering(3).fit(centres).agreement(superclasses).contrast
figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
axis.axvspan(half.min(), half.max(), color="0.9", label="half the distance of siblings")
axis.axhline(of_centres, color="0.4", linestyle="--", label="contrast of the classes' centres")
contrasts = [measure.contrast for measure in agreements]
axis.plot(strengths, contrasts, "o-", label="contrast of the weights")
axis.set(xlabel="strength of training, eps (l2)", ylabel="contrast", ylim=(-0.3, 1.6))
axis.legend(loc="upper left")

# %%
# The picture shows the cosines between all classes, for natural and robust training. The tree
# beside the rows determines their order, and the frames mark the three clusters. At eps = 4 the
# clusters are the groups, and the accuracy is still 1.

display = ClassDendrogramDisplay.from_estimators(
    {"natural": nets[0.0], "trained against eps = 4": nets[4.0]}, n_clusters=3, classes=names
)

# %%
# This does not need an attack. A strong penalty on the length of the weights has the same effect,
# because small differences between classes need long weights.

shrunk = {}
for C in (1, 1e-2, 1e-3, 1e-4):
    model = LogisticRegression(C=C, max_iter=1000).fit(X, y)
    shrunk[C] = LinearizedClustering(model, n_clusters=3).fit(X).agreement(superclasses)
    print(f"C = {C:g}: accuracy {model.score(X, y):.3f}, contrast {shrunk[C].contrast:5.2f}")

# %%
# Clusters are therefore a sign of weights that ignore small differences. Adversarial training is
# one way to such weights, but not the only one.

weak, strong = agreements[1], agreements[3]
assert weak.contrast < 0.05 and weak.adjusted_rand < 0.2
assert strong.contrast > 0.5 and strong.adjusted_rand == 1 and nets[4.0].score(X, y) > 0.99
assert shrunk[1].contrast < 0.05 and shrunk[1e-4].contrast > 0.5
