"""
Unmask a model that only looks robust
=====================================

A model whose logits are multiplied by a large number makes the same predictions, and its
cross-entropy has no gradient left to follow. One step along that gradient then finds nothing, and a
report says why that proves nothing.
"""

# %%
# The same network twice: as it was trained, and with logits times 1,000.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import FGSM, WorstCase
from sklearn_robust.metrics import robustness_report

X, y = load_digits(return_X_y=True)
X, y = (X / 16).astype("float32"), y
honest = NaturalNet(max_epochs=15, random_state=0).fit(X[:1200], y[:1200])


class Loud(nn.Module):
    """Logits times 1,000."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return 1000 * self.body(x)


masked = NaturalNet.from_module(Loud(honest.module_), classes=honest.classes_)
X_test, y_test = X[1200:1400], y[1200:1400]

# %%
# Accuracy under FGSM, one step on the cross-entropy, and under the worst of three losses.
attacks = {"FGSM": FGSM(eps=0.1), "worst case": WorstCase(eps=0.1, random_state=0)}
left = {}
for name, model in {"honest": honest, "masked": masked}.items():
    for label, attack in attacks.items():
        report = robustness_report(model, X_test, y_test, attack=attack, output_dict=True)
        left[name, label] = report["attacks"].get(label, report["worst_case"])
        print(f"{name}, {label}: {left[name, label]:.2f}, trusted: {report['trusted']}")

# %%
# The report of the masked model under FGSM alone.
print(robustness_report(masked, X_test, y_test, attack=attacks["FGSM"]))

_, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for number, label in enumerate(attacks):
    heights = [left[name, label] for name in ("honest", "masked")]
    ax.bar([x + 0.4 * number for x in range(2)], heights, 0.38, label=label)
ax.set(xticks=[0.2, 1.2], xticklabels=["honest", "masked"], ylabel="accuracy left", ylim=(0, 1))
ax.legend(loc="upper left")
plt.show()
