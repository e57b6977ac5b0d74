"""AutoAttack's fast version beside the standard one: samples left, and CPU seconds of one thread.

Run ``python examples/benchmarks/compare_versions.py --mnist mnist.npz``. Two small nets are trained
on a few thousand images, which takes about half a minute; the attacks take a few minutes.
"""

import argparse
import time

import numpy as np
import torch

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.attacks import AutoAttack
from sklearn_robust.datasets import fetch_mnist, load_npz
from sklearn_robust.modules import MNISTConvNet

SMALL = {"module": MNISTConvNet, "module__channels": (8, 16), "module__hidden": 64}
NETS = {
    "natural": (NaturalNet(**SMALL, max_epochs=2, random_state=0), 12_000),
    "min-max": (MinMaxNet(**SMALL, max_epochs=5, random_state=0), 3_000),
}
CASES = [("natural", "linf", 0.1), ("min-max", "linf", 0.2), ("min-max", "l2", 2.0)]


def fitted(data):
    """Return the two nets, trained on the first of the shuffled images."""
    rows = np.random.default_rng(0).permutation(len(data.X_train))
    NETS["min-max"][0].set_params(attack__eps=0.1, attack__max_iter=4)
    return {
        name: net.fit(data.X_train[rows[:n]], data.y_train[rows[:n]])
        for name, (net, n) in NETS.items()
    }


def main():
    """Print one row per net, norm and radius."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mnist", metavar="FILE.npz", help="downloaded if left out")
    parser.add_argument("--n-samples", type=int, default=100, help="test images")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    data = fetch_mnist() if chosen.mnist is None else load_npz(chosen.mnist)
    X = data.X_test[: chosen.n_samples].astype(np.float32)
    y, nets = data.y_test[: chosen.n_samples], fitted(data)
    for name, norm, eps in CASES:
        for version in ("standard", "fast"):
            attack = AutoAttack(eps=eps, norm=norm, version=version, random_state=0)
            start = time.process_time()
            left = int((~attack.evaluate(nets[name], X, y).fooled).sum())
            seconds = time.process_time() - start
            print(
                f"{name:8s} {norm:5s} {eps:4} {version:9s} {left:4d} {seconds:7.1f} s", flush=True
            )


if __name__ == "__main__":
    main()
