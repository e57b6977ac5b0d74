"""
Judge a torch model
===================

A trained ``torch.nn.Module`` that expects normalised images becomes a fitted classifier whose
samples are raw pixels, so that eps is in pixels, too.
"""

# %%
# A small network, trained by a plain loop as in any tutorial.
import matplotlib.pyplot as plt
import torch
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import robustness_report

X, y = load_digits_images()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=300, random_state=0)
mean, std = float(X_train.mean()), float(X_train.std())

torch.manual_seed(0)
module = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10)
)
optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
inputs, labels = torch.tensor((X_train - mean) / std), torch.tensor(y_train)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(module(inputs), labels).backward()
    optimizer.step()

# %%
# ``preprocess`` takes the normalisation into the net.
net = NaturalNet.from_module(module, classes=range(10), preprocess=((mean,), (std,)))
print(f"accuracy {net.score(X_test, y_test):.2f}")
print(f"robust accuracy {robust_score(net, X_test, y_test, eps=0.1):.2f} at eps = 0.1")
print(robustness_report(net, X_test, y_test, attack=PGD(eps=0.1, random_state=0)))

# %%
# What the attack did to six digits that were read correctly.
result = PGD(eps=0.1, random_state=0).evaluate(net, X_test, y_test)
rows = (result.fooled & (net.predict(X_test) == y_test)).nonzero()[0][:6]
_, axes = plt.subplots(2, 6, figsize=(8, 3.2), layout="constrained")
for column, row in enumerate(rows):
    for ax, image in zip(axes[:, column], (X_test[row], result.X_adv[row]), strict=True):
        ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], title=f"read as {net.predict(image[None])[0]}")
axes[0, 0].set_ylabel("clean")
axes[1, 0].set_ylabel("attacked")
plt.show()
