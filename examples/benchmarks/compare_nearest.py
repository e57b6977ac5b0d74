"""Distances that attacks for the nearest point end at, beside adv-lib's, and their CPU time.

Run ``python examples/benchmarks/compare_nearest.py --mnist mnist.npz``. The table gives the median
distance (infinite where nothing was found) and the seconds of one thread. adv-lib is left out where
it is not installed.
"""

import time
from functools import partial

import numpy as np
import torch
from _nets import options, subjects

from sklearn_robust.attacks import ALMA, DDN, FAB, FMN, CarliniWagner, MinimumNorm, SigmaZero

ORDER = {"linf": np.inf, "l2": 2, "l1": 1, "l0": 0}
OURS = {
    "linf": [FMN(), FAB(), CarliniWagner(norm="linf"), MinimumNorm()],
    "l2": [DDN(), FMN(norm="l2"), ALMA(), FAB(norm="l2"), MinimumNorm(norm="l2")],
    "l1": [FMN(norm="l1"), ALMA(norm="l1"), FAB(norm="l1"), MinimumNorm(norm="l1")],
    "l0": [SigmaZero(), FMN(norm="l0"), MinimumNorm(norm="l0")],
}


def peers():
    """Attacks of adv-lib for each norm, by name; none where it is not installed."""
    try:
        from adv_lib import attacks
        from adv_lib.attacks.sigma_zero import sigma_zero
    except ImportError:
        return {norm: {} for norm in OURS}
    fmn = {
        norm: partial(attacks.fmn, norm=float(order), steps=100) for norm, order in ORDER.items()
    }
    alma = partial(attacks.alma, num_steps=200)
    return {
        "linf": {"FMN": fmn["linf"]},
        "l2": {
            "DDN": partial(attacks.ddn, steps=100, levels=None),
            "FMN": fmn["l2"],
            "ALMA": partial(alma, distance="l2", init_lr_distance=0.1),
        },
        "l1": {"FMN": fmn["l1"], "ALMA": partial(alma, distance="l1", init_lr_distance=0.5)},
        "l0": {"FMN": fmn["l0"], "sigma-zero": partial(sigma_zero, num_steps=200)},
    }


def measured(subject, attack):
    """Distances of one of our attacks, and its seconds."""
    start = time.process_time()
    distance = attack.evaluate(subject.net, subject.X, subject.y).distance
    return distance, time.process_time() - start


def measured_peer(subject, attack, norm):
    """Distances of one of adv-lib's attacks, and its seconds."""
    module = subject.net.module_.eval().requires_grad_(False)
    x, y = torch.as_tensor(subject.X), torch.as_tensor(subject.y).long()
    start = time.process_time()
    x_adv = attack(module, x, y).detach()
    seconds = time.process_time() - start
    gap = (x_adv - x).double().flatten(1).numpy()
    fooled = (module(x_adv).argmax(1) != y).numpy()
    return np.where(fooled, np.linalg.norm(gap, ORDER[norm], axis=1), np.inf), seconds


def main():
    """Print one row per net, norm and attack."""
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("--n-samples", type=int, default=40, help="samples per net")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for subject in subjects(chosen, {"MNIST": chosen.n_samples}):
        for norm, rivals in peers().items():
            rows = {f"{type(a).__name__}": partial(measured, subject, a) for a in OURS[norm]}
            for name, attack in rivals.items():
                rows[f"adv-lib {name}"] = partial(measured_peer, subject, attack, norm)
            for name, measure in rows.items():
                torch.manual_seed(0)
                distance, seconds = measure()
                told = f"{np.median(distance):10.4f} {distance.mean():10.4f} {seconds:8.2f} s"
                print(f"{subject.name:20s} {norm:5s} {name:20s} {told}", flush=True)


if __name__ == "__main__":
    main()
