"""
What stronger robust training changes, and how sure that is
===========================================================

Stronger robust training on handwritten digits gives a smaller gap between train and test loss,
margins that spread less and lower confidence. Other claims depend on how long the networks train,
and the end of this page says which.

The example follows Wen, Li and Jia, "Towards understanding the regularization of adversarial
robustness on neural networks", ICML 2020, on data so small that a sweep takes seconds.
``make sweep-regularization`` measures each of the claims on MNIST, for two kinds of training.
"""

# %%
# A sweep over the strength
# -------------------------
# There are two kinds of training: on adversarial examples, whose strength is ``eps``, and with a
# penalty on the input Jacobian, whose strength is ``lam``. One scorer measures all quantities of
# the claims, and attacks every net in the same way.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV

from sklearn_robust import JacobianRegNet, MinMaxNet
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.modules import MNISTConvNet
from sklearn_robust.plotting import (
    FeatureChangeDisplay,
    LayerSpectrumDisplay,
    MarginDisplay,
    RegularizationPathDisplay,
)
from sklearn_robust.spectral import make_regularization_scorer

X, y = load_digits_images()
rows = np.random.default_rng(0).permutation(len(X))
X, y, X_test, y_test = X[rows[:320]], y[rows[:320]], X[rows[320:520]], y[rows[320:520]]

network = {
    "module": MNISTConvNet,
    "module__channels": (8, 16),
    "module__kernel_size": 3,
    "module__hidden": 64,
    "lr": 0.01,
    "max_epochs": 16,
    "random_state": 0,
}
attack = PGD(eps=0.1, random_state=0)
sweeps = {
    "MinMaxNet": (MinMaxNet(attack__max_iter=3, **network), {"attack__eps": [0, 0.05, 0.1, 0.15]}),
    "JacobianRegNet": (JacobianRegNet(**network), {"lam": [0, 0.02, 0.06]}),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
paths = {}
for ax, (name, (net, grid)) in zip(axes, sweeps.items(), strict=True):
    search = GridSearchCV(
        net,
        grid,
        scoring=make_regularization_scorer(attack, max_samples=60),
        refit=False,
        cv=2,
        return_train_score=True,
    ).fit(X, y)
    display = RegularizationPathDisplay.from_results(
        search, param=next(iter(grid)), kind="loss", name=name, ax=ax
    )
    paths[name] = display.path

# %%
# For both kinds of training the train loss rises with the strength, and the gap, the spread of the
# margins and confidence fall: each of these claims would be false if its column turned round once.
# These networks stop after 16 epochs: the strongest are right on about nine tenths of their
# training samples, and the test error above that of natural training comes with that.
for name, path in paths.items():
    print(f"\n{name}, {path.param} =", *path["values"])
    for column in (
        "loss_gap",
        "test_error",
        "test_margin_std",
        "test_confidence",
        "test_spectrum_std",
    ):
        print(f"{column:>18}", *(f"{value:8.3f}" for value in path[column]))
    assert path.loss_gap[-1] < 0.6 * path.loss_gap[0]
    assert (np.diff(path.train_loss) > 0).all()
    assert (np.diff(path.test_margin_std) < 0).all()
    assert (np.diff(path.test_confidence) < 0).all()
    assert path.test_error[-1] > path.test_error[0]
    layers = [key for key in path if key.startswith("test_spectrum_std/") and key[-4:] != "_std"]
    assert len(layers) == 4 and all(path[layer][-1] < path[layer][0] for layer in layers)

# %%
# Margins at the boundary
# -----------------------
# The picture compares three nets, from natural to strong training. The margins of the strongest
# net are concentrated near zero: fewer samples are far on the right side of the boundary, and none
# is as far on the wrong side as with natural training.
nets = {
    f"eps = {eps:g}": MinMaxNet(attack__max_iter=3, attack__eps=eps, **network).fit(
        X[:160], y[:160]
    )
    for eps in (0, 0.05, 0.15)
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
margins = MarginDisplay.from_estimators(nets, X_test, y_test, ax=axes[0]).values
natural, robust = margins["eps = 0"], margins["eps = 0.15"]
assert robust.std() < 0.8 * natural.std()
assert robust.min() > natural.min() and robust.max() < natural.max()

# %%
# Layers with more uniform spectra
# --------------------------------
# The singular values of each layer spread less here (previous picture, right). In the last two
# layers the change that an attack makes in the features is closer to the change that noise of the
# same length makes (next picture, right). In the first two layers it is not.
spectra = LayerSpectrumDisplay.from_estimators(nets, X_test, ax=axes[1]).reports
assert (spectra["eps = 0.15"]["std"] < spectra["eps = 0"]["std"]).all()

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
changes = FeatureChangeDisplay.from_estimators(
    nets, X_test, y_test, attack=attack, n_directions=3, ax=axes[0]
)
changes.plot(kind="anisotropy", ax=axes[1])
anisotropy = {name: report.anisotropy for name, report in changes.reports.items()}
assert (anisotropy["eps = 0.15"][2:] < anisotropy["eps = 0"][2:]).all()

# %%
# How sure is that?
# -----------------
# The same sweep with 60 epochs, between natural and the strongest training (MinMaxNet at 0.15, with
# two seeds; JacobianRegNet at 0.06, with one), on two folds of 160 samples:
#
# =============================  ==============  ==============  ==============
# natural, strongest             MinMax, seed 0  MinMax, seed 1  Jacobian
# =============================  ==============  ==============  ==============
# loss gap (nats)                0.40, 0.22      0.31, 0.17      0.40, 0.23
# spread of the logits' margins  4.8, 2.8        4.9, 2.7        4.8, 1.1
# confidence (%)                 96, 83          96, 83          96, 60
# test error (%)                 9.1, 6.9        8.8, 8.4        9.1, 17.8
# spread of singular values,
#   first layer                  1.08, 0.89      0.69, 0.84      1.08, 0.78
#   second layer                 1.10, 1.05      1.10, 0.87      1.10, 0.84
#   third layer                  0.85, 0.79      0.91, 0.77      0.85, 0.68
#   last layer                   0.58, 0.53      0.62, 0.49      0.58, 0.60
# =============================  ==============  ==============  ==============
#
# The first three rows hold in every column. Adversarial training that goes on long enough has a
# lower test error than natural training, so there is no evidence here that it must cost accuracy;
# the penalty on the Jacobian does. There is no evidence that every layer's spectrum narrows either:
# the first layer's widens with seed 1, and the last one's under the penalty. Two seeds and one data
# set are few: a third could contradict any row.
plt.show()
