"""Robust accuracy from both sides: sixteen classifiers on two data sets, with time per sample.

Run with ``make table-bounds``, or ``python examples/tables/table_bounds.py``. The data come with
scikit-learn and are scaled to [0, 1]; the radius is 0.05 in linf. ``--models Forest Neighbors``
takes those whose names hold one of these words. XGBoost and LightGBM are left out where they are
not installed.
"""

import argparse
import importlib.util
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust.certification import robust_bounds


def models():
    """Sixteen classifiers by name."""
    found = {
        "LogisticRegression": LogisticRegression(max_iter=1000),
        "StandardScaler, LogisticRegression": make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1000)
        ),
        "RidgeClassifier": RidgeClassifier(),
        "SVC(linear)": SVC(kernel="linear"),
        "GaussianNB": GaussianNB(var_smoothing=1e-2),
        "KNeighborsClassifier(1)": KNeighborsClassifier(1),
        "KNeighborsClassifier(3)": KNeighborsClassifier(3),
        "DecisionTreeClassifier": DecisionTreeClassifier(random_state=0),
        "RandomForestClassifier(25)": RandomForestClassifier(25, random_state=0),
        "ExtraTreesClassifier(25)": ExtraTreesClassifier(25, random_state=0),
        "BaggingClassifier(10)": BaggingClassifier(random_state=0),
        "AdaBoostClassifier(50)": AdaBoostClassifier(n_estimators=50, random_state=0),
        "GradientBoostingClassifier(20)": GradientBoostingClassifier(
            n_estimators=20, random_state=0
        ),
        "HistGradientBoostingClassifier(20)": HistGradientBoostingClassifier(
            max_iter=20, random_state=0
        ),
    }
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBClassifier

        found["XGBClassifier(20)"] = XGBClassifier(n_estimators=20, n_jobs=1)
    if importlib.util.find_spec("lightgbm"):
        from lightgbm import LGBMClassifier

        found["LGBMClassifier(20)"] = LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)
    return found


def data_sets(n_samples):
    """Yield name, training part and test part of both data sets."""
    for name, load in (("digits", load_digits), ("breast cancer", load_breast_cancer)):
        X, y = load(return_X_y=True)
        parts = train_test_split(X, y, random_state=0, test_size=0.3, stratify=y)
        low, high = parts[0].min(0), parts[0].max(0)
        if name == "digits":
            low, high = np.zeros(1), np.full(1, 16)
        train, test = ((part - low) / (high - low) for part in parts[:2])
        yield name, (train, parts[2]), (test.clip(0, 1)[:n_samples], parts[3][:n_samples])


def row(name, model, train, test, eps):
    """Line of the table of one classifier."""
    model.fit(*train)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = robust_bounds(model, *test, eps=eps)
    milliseconds = 1000 * (time.process_time() - start) / len(test[0])
    clean = model.score(*test)
    return f"{name:<36} {clean:6.2f} {found.lower:7.2f} {found.upper:7.2f} {milliseconds:9.1f}"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=[""], help="words in names")
    parser.add_argument("--samples", type=int, default=100, help="of each data set")
    parser.add_argument("--eps", type=float, default=0.05, help="radius in linf")
    options = parser.parse_args()
    for data, train, test in data_sets(options.samples):
        print(f"\n{data}, {len(test[0])} samples, eps={options.eps:g} in linf")
        print(f"{'':<36} {'clean':>6} {'proven':>7} {'attack':>7} {'ms/sample':>9}")
        for name, model in models().items():
            if any(word in name for word in options.models):
                print(row(name, model, train, test, options.eps), flush=True)


if __name__ == "__main__":
    main()
