"""
Compare three classifiers
=========================

Which of three fitted classifiers withstands an attack best? This example draws robust accuracy
against the radius, and the accuracy that is proven where a proof is known.
"""

# %%
# Three pipelines on one table. Features are scaled inside the pipelines, and eps is a tenth of each
# feature's standard deviation, so that the same eps means the same to all.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_robust import robust_score
from sklearn_robust.attacks import WorstCase
from sklearn_robust.certification import robust_bounds
from sklearn_robust.metrics import suggest_eps
from sklearn_robust.plotting import RobustnessCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=150, random_state=0)
models = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "SVC": make_pipeline(StandardScaler(), SVC()),
    "forest": RandomForestClassifier(25, random_state=0),
}
for model in models.values():
    model.fit(X_train, y_train)

eps = suggest_eps(X_train).eps  # a tenth of each feature's standard deviation
for name, model in models.items():
    clean, robust = model.score(X_test, y_test), robust_score(model, X_test, y_test, eps=eps)
    print(f"{name:<9} accuracy {clean:.3f}, robust accuracy {robust:.3f}")

# %%
# An attack gives an upper bound, a proof a lower one. They meet for the linear model and for the
# forest: those numbers are exact. The SVC's is an upper bound.
for name in ("logistic", "forest"):
    both = robust_bounds(models[name], X_test, y_test, eps=eps)
    print(f"{name:<9} between {both.lower:.3f} and {both.upper:.3f}")

# %%
# The curves of the two models with a gradient. Radii are multiples of ``eps``, and bands are 95 %
# intervals of 150 samples. ``certify=False`` leaves out what is proven.
_, ax = plt.subplots(figsize=(6, 4), layout="constrained")
RobustnessCurveDisplay.from_estimators(
    {name: models[name] for name in ("logistic", "SVC")},
    X_test,
    y_test,
    eps=[0, 0.5, 1, 2, 4],
    attack=WorstCase(eps=eps, random_state=0),
    certify=False,
    ax=ax,
)
ax.set_xlabel("radius in standard deviations / 10")
plt.show()
