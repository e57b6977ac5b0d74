"""Time to find which samples an attack fools, relative to the attacks of other libraries.

Run with ``make bench``, or ``python examples/benchmarks/bench_attacks.py --mnist mnist.npz``.
The script uses one torch thread and prints medians of process time over interleaved rounds. One
batched forward pass of the bare net tells which adversarial examples of the other libraries fool
it. Ours takes fooled samples out of the batch, and the estimator confirms each success.
"""

import numpy as np
import torch
from _nets import Subject, options, subjects
from _peers import LIBRARIES, attack_of, fooled, quiet
from _timing import print_table, ratios

# Largest allowed share of the other libraries' times.
LIMITS = {
    "all fall": {"PGD-40": {"torchattacks": 1 / 2.5, "foolbox": 1 / 3, "ART": 1 / 3}},
    "none falls": {"PGD-40": {"torchattacks": 1, "foolbox": 1, "ART": 1}},
}
BOTH = {
    "FGSM": {"torchattacks": 1, "foolbox": 1, "ART": 1},
    "DeepFool-50 l2": {"foolbox": 1 / 3},
}
ROUNDS = {"FGSM": 15, "PGD-40": 5, "DeepFool-50 l2": 3}


def withstanding(subject, eps):
    """The samples that no library's PGD fools at a small radius."""
    left = np.ones(len(subject.X), bool)
    for library in LIBRARIES:
        attack = attack_of(library, "PGD-40", subject, eps)
        if attack is not None:
            with quiet():
                left &= ~fooled(subject, attack(), eps, "linf")
    return Subject(subject.name, subject.net, subject.X[left], subject.y[left], eps)


def judging(subject, attack):
    """The attack, and the classes of its points."""
    module = subject.net.module_.eval()

    def verdict():
        X_adv = torch.as_tensor(attack())
        with torch.inference_mode():
            return module(X_adv).argmax(1).numpy() != subject.y

    return verdict


def compare(case, subject, name, limits):
    """Print the tables of one attack on one net: ours beside each library that has a limit."""
    ours = attack_of("sklearn_robust", name, subject, subject.eps)
    for library in limits:
        way = attack_of(library, name, subject, subject.eps)
        if way is None:
            continue
        with quiet():
            judged = judging(subject, way)
            rows = ratios({library: judged, "sklearn_robust": ours}, n_rounds=ROUNDS[name])
        title = f"{name}, {subject.name}, {case} ({len(subject.X)} samples), beside {library}"
        print_table(title, rows, {"sklearn_robust": limits[library]})


def main():
    """Print all tables."""
    chosen = options(__doc__.split("\n")[0]).parse_args()
    torch.set_num_threads(1)
    (natural,) = subjects(chosen, {"MNIST": 128}, ways=("one epoch",))
    cases = {"all fall": natural, "none falls": withstanding(natural, 0.02)}
    for case, subject in cases.items():
        for name, limits in LIMITS[case].items():
            compare(case, subject, name, limits)
    for name, limits in BOTH.items():
        compare("all fall", natural, name, limits)


if __name__ == "__main__":
    main()
