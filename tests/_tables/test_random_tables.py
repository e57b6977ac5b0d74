"""Random tables, models, constraints and attacks: nothing is violated, every success is real."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust.attacks import FGSM, PGD, Square

N = 30
NUMBERS = {
    "float64": lambda rng: rng.randn(N),
    "float32": lambda rng: rng.randn(N).astype("float32"),
    "int16": lambda rng: rng.randint(-9, 9, N).astype("int16"),
    "Int64": lambda rng: pd.array(rng.randint(0, 9, N), dtype="Int64"),
    "Float64": lambda rng: pd.array(rng.randn(N), dtype="Float64"),
    "large": lambda rng: 1e9 + rng.randn(N),
    "bool": lambda rng: rng.rand(N) > 0.5,
}
CODES = {
    "str": lambda rng: rng.choice(list("abc"), N),
    "object": lambda rng: rng.choice(list("abc"), N).astype(object),
    "category": lambda rng: pd.Categorical(rng.choice(list("abc"), N)),
    "int": lambda rng: rng.randint(0, 4, N),
    "datetime": lambda rng: pd.date_range("2020", periods=3)[rng.randint(0, 3, N)],
}
ENCODERS = [OneHotEncoder, OrdinalEncoder, TargetEncoder]


def table(rng, numbers, codes, holes):
    frame = pd.DataFrame({f"n{k}": NUMBERS[kind](rng) for k, kind in enumerate(numbers)})
    for k, kind in enumerate(codes):
        frame[f"c{k}"] = CODES[kind](rng)
    if holes:
        floats = [f"n{k}" for k, kind in enumerate(numbers) if kind in ("float64", "Float64")]
        for name in floats:
            frame.loc[rng.rand(N) < 0.2, name] = None
    return frame[[*rng.permutation(frame.columns)]]


def check(seed, numbers, codes, encoder, trees, attack, norm, holes):
    """Attack a random table once, and return how many rows were looked at."""
    rng = np.random.RandomState(seed)
    X = table(rng, numbers, codes, holes)
    names = [f"n{k}" for k in range(len(numbers))]
    coded = [f"c{k}" for k in range(len(codes))]
    if encoder is TargetEncoder:
        coded = [name for name in coded if X[name].dtype.kind != "M"]
    y = rng.randint(0, 2, N)
    y[:2] = 0, 1
    numeric = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    last = DecisionTreeClassifier(max_depth=4, random_state=0) if trees else LogisticRegression()
    steps = make_column_transformer((numeric, names), (encoder(), coded))
    model = make_pipeline(steps, last).fit(X, y)
    first = X[names[0]].astype(float)
    room = float(np.nanmax(first)) + 0.25
    whole = [name for name in names if X[name].dtype.kind in "iu"]
    eps = {name: (2 if name in whole else 0.5) for name in names}
    params = {
        "bounds": {names[-1]: (float(np.nanmin(X[names[-1]].astype(float))) - 0.25, np.inf)},
        "increasing": names[1:2] or None,
        "relations": [f"{names[0]} <= {room!r}"],
        "categorical": {coded[0]: "any"} if coded and seed % 2 else None,
        "max_flips": 1,
        "random_state": 0,
    }
    if len(names) > 1 and names[-1] != names[0]:
        params["bounds"] = {names[-1]: params["bounds"][names[-1]]}
    steps = {"max_iter": 6} if attack is not FGSM else {}
    search = attack(eps=eps, norm=norm, **params, **steps)
    result = search.evaluate(model, X, y)
    moved = result.X_adv
    assert list(moved.dtypes) == list(X.dtypes) and moved.index.equals(X.index)
    assert np.array_equal(model.predict(moved) != y, result.fooled)
    assert moved.isna().equals(X.isna())
    gaps = []
    for name in names:
        new, old = moved[name].astype(float), X[name].astype(float)
        gap = (new - old).abs().to_numpy()
        slack = np.spacing(np.abs(old).max()) if X[name].dtype != "float32" else 1e-6
        assert np.nanmax(gap) <= eps[name] + slack
        gaps.append(np.nan_to_num(gap) / eps[name])
        if name in whole:
            assert (new.dropna() == new.dropna().round()).all()
    size = np.linalg.norm(gaps, {"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=0)
    assert size.max() <= 1 + 1e-5
    if params["increasing"]:
        name = names[1]
        assert ((moved[name].astype(float) >= X[name].astype(float)) | X[name].isna()).all()
    assert ((moved[names[0]].astype(float) <= room) | X[names[0]].isna()).all()
    low = params["bounds"][names[-1]][0]
    assert ((moved[names[-1]].astype(float) >= low) | X[names[-1]].isna()).all()
    flipped = sum(
        (moved[name] != X[name]).to_numpy() & X[name].notna().to_numpy() for name in coded
    )
    assert np.max(flipped) <= (1 if params["categorical"] else 0)
    return N


SCHEMA = {
    "seed": st.integers(0, 10**6),
    "numbers": st.lists(st.sampled_from([*NUMBERS]), min_size=1, max_size=3),
    "codes": st.lists(st.sampled_from([*CODES]), min_size=1, max_size=2),
    "encoder": st.sampled_from(ENCODERS),
    "trees": st.booleans(),
    "norm": st.sampled_from(["linf", "l2", "l1"]),
    "holes": st.booleans(),
}


def run(n_examples, attacks):
    rows = []

    @settings(
        max_examples=n_examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(choice=st.sampled_from(attacks), **SCHEMA)
    def one(choice, trees, **schema):
        attack = Square if trees else choice
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(check(trees=trees, attack=attack, **schema))

    one()
    return sum(rows)


def test_a_few_random_tables():
    assert run(12, [PGD, Square]) >= 300


@pytest.mark.slow
def test_ten_thousand_rows_of_random_tables():
    assert run(340, [PGD, FGSM, Square]) >= 10_000
