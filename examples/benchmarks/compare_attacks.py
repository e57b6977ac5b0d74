"""Robust accuracy that our attacks leave, beside other libraries and the reference AutoAttack.

Run with ``make compare-attacks``, or ``python examples/benchmarks/compare_attacks.py --mnist
mnist.npz --cifar10 cifar10.npz``. All libraries attack the same nets and samples with the same
radii and settings. ``--autoattack`` compares the standard AutoAttack on 1,000 MNIST and 300
CIFAR-10 images instead, which takes hours.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
from _nets import options, subjects
from _peers import ATTACKS, LIBRARIES, attack_of, autoattack, fooled, quiet

from sklearn_robust.attacks import AutoAttack

RADII = {
    "MNIST natural": {"linf": 0.1, "l2": 1.5},
    "MNIST min-max": {"linf": 0.3, "l2": 1.5},
    "CIFAR-10 min-max": {"linf": 8 / 255, "l2": 0.5},
}
_SLOW = {
    "DeepFool-50 l2": 50,
    "C&W-50 l2": 20,
}  # samples: some libraries take a second or more for each


def shortened(subject, n):
    """The first samples."""
    short = type(subject)(subject.name, subject.net, subject.X[:n], subject.y[:n], subject.eps)
    return short


def compare_attacks(chosen):
    """Print one row per attack: the robust accuracy that each library leaves."""
    wanted = {"MNIST": chosen.n_samples, "CIFAR-10": chosen.n_samples}
    for subject in subjects(chosen, wanted):
        if subject.name not in RADII:
            continue
        print(f"\n{subject.name}, radii {RADII[subject.name]}, robust accuracy in percent (s)")
        print(f"  {'':16s}" + "".join(f"{library:>22s}" for library in LIBRARIES))
        for name, (norm, *_) in ATTACKS.items():
            few, eps = shortened(subject, _SLOW.get(name)), RADII[subject.name][norm]
            cells = [robust_accuracy(library, name, few, eps, norm) for library in LIBRARIES]
            print(f"  {name:16s}" + "".join(f"{cell:>22s}" for cell in cells), flush=True)


def robust_accuracy(library, name, subject, eps, norm):
    """Table cell: what the attack of a library leaves, and the seconds it took."""
    torch.manual_seed(0)
    np.random.seed(0)
    attack = attack_of(library, name, subject, eps)
    if attack is None:
        return "-"
    start = time.process_time()
    try:
        with quiet():
            X_adv = attack()
    except Exception as error:  # what a peer cannot do is part of the comparison
        return type(error).__name__
    seconds = time.process_time() - start
    left = 100 * (~fooled(subject, np.asarray(X_adv), eps, norm)).mean()
    return f"{left:.1f} ({seconds:.1f})"


def compare_autoattack(chosen):
    """Print what both AutoAttacks leave, sample by sample on the same data."""
    results = Path(chosen.nets) / "autoattack.json"
    rows = json.loads(results.read_text()) if results.exists() else {}
    spent = {"reference": 0.0, "sklearn_robust": 0.0}
    for subject in subjects(chosen, {"MNIST": chosen.n_mnist, "CIFAR-10": chosen.n_cifar10}):
        for who in ("reference", "sklearn_robust"):
            key = f"{subject.name}, {len(subject.X)} samples, {who}"
            if key not in rows:
                rows[key] = verdict(who, subject)
                results.write_text(json.dumps(rows, indent=1))
            print(f"  {key:50s} {rows[key]}", flush=True)
            spent[who] += rows[key]["seconds"]
    share = spent["reference"] / spent["sklearn_robust"]
    print(f"  The reference took {share:.2f} times as long in all.")


def verdict(who, subject):
    """Robust accuracy, number of fooled samples, and seconds of one AutoAttack."""
    start = time.process_time()
    if who == "reference":
        attack = autoattack(subject)
        if attack is None:
            raise SystemExit("pyautoattack is not installed: pip install pyautoattack")
        with quiet():
            X_adv = attack()
    else:
        attack = AutoAttack(eps=subject.eps, bounds=(0, 1), random_state=0)
        X_adv = attack.evaluate(subject.net, subject.X, subject.y).X_adv
    seconds = time.process_time() - start
    wrong = fooled(subject, X_adv, subject.eps, "linf")
    return {
        "robust accuracy (%)": round(100 * float((~wrong).mean()), 2),
        "fooled": int(wrong.sum()),
        "seconds": round(seconds, 1),
    }


def main():
    """Print the tables asked for."""
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("--n-samples", type=int, default=200, help="samples per net")
    parser.add_argument("--autoattack", action="store_true", help="compare AutoAttack only")
    parser.add_argument("--n-mnist", type=int, default=1000, help="samples for AutoAttack")
    parser.add_argument("--n-cifar10", type=int, default=300, help="samples for AutoAttack")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.autoattack:
        compare_autoattack(chosen)
    else:
        compare_attacks(chosen)


if __name__ == "__main__":
    main()
