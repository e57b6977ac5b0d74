"""
Loans: a table with constraints
===============================

A lender scores applications by a pipeline over numbers and texts. An applicant can state a little
more income, ask for a little less money or name another purpose, but the instalment follows from
amount and term, and nobody grows younger. This example compares what an attack finds without and
with such constraints.
"""

# %%
# The data are made here. The instalment is tied to amount and term, and the purpose counts.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_robust import robust_score
from sklearn_robust.attacks import PGD

rng = np.random.RandomState(0)
n = 400
X = pd.DataFrame(
    {
        "age": rng.randint(18, 75, n),
        "income": rng.gamma(6, 6, n),
        "amount": rng.gamma(4, 3, n),
        "term": rng.choice([12, 24, 36, 48], n),
        "purpose": rng.choice(["car", "house", "business", "study"], n),
    }
)
X["instalment"] = X.amount / X.term * rng.uniform(0.8, 1, n)
risk = 30 * X.instalment - 0.3 * X.income + 3 * (X.purpose == "business") - 0.03 * X.age
y = (risk + rng.randn(n) > 2).astype(int).to_numpy()

numbers = ["age", "income", "amount", "term", "instalment"]
steps = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), ["purpose"]))
model = make_pipeline(steps, LogisticRegression(max_iter=1000)).fit(X, y)
print(f"accuracy {model.score(X, y):.3f}")

# %%
# Each setting adds to the one before: a box, years that only grow, the relation, and the purpose. A
# constraint makes the score rise; a choice of purposes makes it fall.
box = {"eps": {"age": 3, "income": 4, "amount": 2, "instalment": 0.1}, "random_state": 0}
honest = {"increasing": ["age"], "bounds": {"amount": (0, 1000), "instalment": (0, 100)}}
tied = {"relations": ["instalment <= amount / term", "instalment >= 0.8 * amount / term"]}
purposes = {"categorical": {"purpose": ["car", "house", "study"]}}

settings = {
    "a box": box,
    "years only grow": box | honest,
    "instalment tied": box | honest | tied,
    "any purpose": box | honest | tied | purposes,
}
scores = {
    name: robust_score(model, X, y, attack=PGD(**params)) for name, params in settings.items()
}
for name, score in scores.items():
    print(f"{name:<16} {score:.3f}")

# %%
# The adversarial examples are loans that could exist.
attack = PGD(**settings["any purpose"])
moved = attack.evaluate(model, X, y).X_adv
print(pd.concat({"before": X, "after": moved}, axis=1).swaplevel(axis=1).iloc[:3].T)

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.barh([*scores][::-1], [*scores.values()][::-1], color="tab:blue")
ax.axvline(model.score(X, y), color="black", linestyle="--", label="accuracy")
ax.set(xlabel="robust accuracy", xlim=(0, 1))
ax.legend()
plt.show()
