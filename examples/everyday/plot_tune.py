"""
Search for the best trade-off
=============================

``GridSearchCV`` finds the strength of a penalty by accuracy and robust accuracy side by side, in a
pipeline with a scaler.
"""

# %%
# The scorer attacks every candidate with the same radius, in the units of X: 1 of 16 grey levels.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_robust import JacobianRegNet, make_robust_scorer
from sklearn_robust.attacks import PGD

X, y = load_digits(return_X_y=True)
X, y = X[:600], y[:600]
search = GridSearchCV(
    make_pipeline(MinMaxScaler(), JacobianRegNet(max_epochs=30, random_state=0)),
    {"jacobianregnet__lam": [0, 0.003, 0.01, 0.03]},
    scoring={
        "accuracy": "accuracy",
        "robust": make_robust_scorer(PGD(eps=1, random_state=0)),
    },
    refit="robust",
    cv=3,
).fit(X, y)
print("best:", search.best_params_)

# %%
# Bars are standard deviations over three folds.
lam = [params["jacobianregnet__lam"] for params in search.cv_results_["params"]]
_, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, marker in (("accuracy", "o"), ("robust", "s")):
    mean = search.cv_results_[f"mean_test_{name}"]
    ax.errorbar(
        range(len(lam)),
        mean,
        yerr=search.cv_results_[f"std_test_{name}"],
        marker=marker,
        capsize=3,
        label={"accuracy": "clean", "robust": "under PGD, 1 grey level"}[name],
    )
ax.set(xticks=range(len(lam)), xticklabels=lam, xlabel="lam", ylabel="accuracy", ylim=(0, 1))
ax.legend()
plt.show()
