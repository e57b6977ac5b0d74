"""
Class clusters of natural and robust networks
=============================================

The weights of a residual network for each class, once its non-linear parts are removed, tell
which classes the network treats as similar. This example compares a natural and an adversarially
trained network on the same handwritten digits with four controls.
"""

# %%
# Digits have no generally accepted superclasses. Instead the reference is how similar the classes
# look: the cosines between their mean images. The *resemblance* of a network is the correlation,
# over all pairs of classes, between these cosines and the cosines between its class weights.

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import PGD, WorstCase
from sklearn_robust.clustering import class_weight_matrix, weight_correlation
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.modules import WideResNet
from sklearn_robust.plotting import ClassDendrogramDisplay

X, y = load_digits_images()
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=800, test_size=150, stratify=y, random_state=0
)
means = np.stack([X_train[y_train == digit].mean(axis=0).ravel() for digit in range(10)])
alike = weight_correlation(means, center="classes")
pairs = np.triu_indices(10, 1)


def resemblance(net):
    """Correlation of the cosines between class weights with those between mean images."""
    cosines = weight_correlation(class_weight_matrix(net, X_test))
    return np.corrcoef(cosines[pairs], alike[pairs])[0, 1]


# %%
# The controls are a network that was never trained, one after its first epoch, one trained on noisy
# images, and one with a penalty on its Jacobian. All are the same small residual network.

shared = {
    "module": WideResNet,
    "module__depth": 8,
    "module__widen_factor": 1,
    "lr": 5e-3,
    "batch_size": 50,
    "max_epochs": 4,
    "random_state": 0,
}
torch.manual_seed(0)
noise = np.random.default_rng(0).normal(0, 0.3, X_train.shape).astype(np.float32)
nets = {
    "natural": NaturalNet(**shared).fit(X_train, y_train),
    "min-max": MinMaxNet(attack__eps=0.15, attack__max_iter=3, **shared).fit(X_train, y_train),
    "untrained": NaturalNet.from_module(
        WideResNet((1, 8, 8), 10, depth=8, widen_factor=1), classes=range(10)
    ),
    "natural, 1 epoch": NaturalNet(**{**shared, "max_epochs": 1}).fit(X_train, y_train),
    "noisy images": NaturalNet(**shared).fit(X_train + noise, y_train),
    "Jacobian penalty": JacobianRegNet(lam=0.03, **shared).fit(X_train, y_train),
}

# %%
# Robust accuracy is the worst case over two losses, for eps = 0.1 in linf on 150 test images.

attack = WorstCase([PGD(), PGD(loss="margin")], eps=0.1, random_state=0)
rows = {}
print(f"{'':18s}accuracy  robust  resemblance")
for name, net in nets.items():
    robust = robust_score(net, X_test, y_test, attack=attack)
    rows[name] = net.score(X_test, y_test), robust, resemblance(net)
    print(f"{name:18s}{rows[name][0]:8.3f}{rows[name][1]:8.3f}{rows[name][2]:13.2f}")

# %%
# The class weights of the adversarially trained network resemble the mean images far more than
# those of the natural network.

display = ClassDendrogramDisplay.from_estimators(
    {name: nets[name] for name in ("natural", "min-max")}, n_clusters=3
)

# %%
# The same is true of the networks that were trained on noise or with a penalty on their Jacobian,
# although they are less robust. Resemblance and clusters are a diagnostic associated with
# adversarial training. They do not measure robustness, so do not select a model by them.

assert rows["min-max"][2] > rows["natural"][2] + 0.1
assert rows["min-max"][1] > rows["natural"][1] + 0.1
for name in ("noisy images", "Jacobian penalty"):
    assert rows[name][2] > rows["natural"][2] + 0.1
    assert rows[name][1] < rows["min-max"][1] - 0.05
assert abs(rows["untrained"][2]) < 0.3
