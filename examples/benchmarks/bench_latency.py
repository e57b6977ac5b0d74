"""Seconds until the first answer: import, prediction of one row, robust score of one row.

Run with ``python examples/benchmarks/bench_latency.py``. The script uses one torch thread and
prints the best of several runs, each against its budget; imports are timed in processes of their
own, against the import of torch, scikit-learn and skorch alone.
"""

import subprocess
import sys
import time

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import PGD

ATTACK = PGD(eps=0.1, max_iter=10, random_state=0)


def best(call, n_runs):
    """Least seconds of a call, after one that warms up."""
    call()
    seconds = []
    for _ in range(n_runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def import_of(modules):
    """Call that imports modules in a fresh process."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)


def main():
    torch.set_num_threads(1)
    X, y = load_iris(return_X_y=True)
    net = NaturalNet(max_epochs=2, random_state=0).fit(X, y)
    linear = LogisticRegression(max_iter=1000).fit(X, y)
    row, label = X[:1].astype(np.float32), y[:1]
    anchor = best(import_of("torch, sklearn.pipeline, skorch, scipy.stats"), 1)
    whole = best(import_of("sklearn_robust"), 1)
    rows = [
        ("predict of one row, net", best(lambda: net.predict(row), 50), 0.005),
        (
            "robust_score of one row, net",
            best(lambda: robust_score(net, row, label, attack=ATTACK), 20),
            0.1,
        ),
        (
            "robust_score of one row, linear",
            best(lambda: robust_score(linear, row, label, attack=ATTACK), 20),
            0.1,
        ),
        ("import sklearn_robust", whole, 1.5 * anchor),
        ("import torch, sklearn, skorch, scipy", anchor, None),
    ]
    print("\nlatency")
    for name, seconds, budget in rows:
        limit = "" if budget is None else f"   at most {budget:.3f}: "
        holds = "" if budget is None else "yes" if seconds <= budget else "NO"
        print(f"  {name:<44s} {seconds:9.4f} s{limit}{holds}")


if __name__ == "__main__":
    main()
