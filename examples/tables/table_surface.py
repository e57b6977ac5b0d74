"""Train the networks of the decision-surface paper's tables; print our figures and the paper's.

Run with ``make table-surface``, or ``python examples/tables/table_surface.py --data mnist.npz``.
The file holds four arrays ``X_train, y_train, X_test, y_test``: grey images make Table 1 (MNIST),
images of three channels Table 2 (CIFAR-10). Without ``--data`` the images are downloaded.

The paper is Yu, Liu, Wang, Zhao and Chen, "Interpreting adversarial robustness: a view from
decision surface in input space", arXiv 1810.00144. Its attacks are FGSM, and BIM and C&W (BIM on
the decision function) with 10 steps of 0.1, or of 1/255 for CIFAR-10, without a random start. It
does not give the optimiser, the batch size, the number of filters or the radius of its adversarial
training. Ours are Adam with a cosine schedule, 64, small networks, and on MNIST a radius of 0.03;
with 0.1 adversarial training is far stronger than the paper's. A sample counts as fooled if any
step of an attack fools it. The stronger attack is the worst case over three losses with 40 steps of
PGD each. The last lines tell how well indicators, computed without an attack, rank the nets.

The output folder keeps checkpoints. A second run with the same options trains only missing
networks, and a run with other options trains all of them again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from _indicators import indicate, print_rank_correlations

from sklearn_robust import (
    AdvTrainNet,
    JacobianRegNet,
    MinMaxNet,
    NaturalNet,
    robust_score,
)
from sklearn_robust.attacks import BIM, FGSM, PGD, WorstCase
from sklearn_robust.datasets import fetch_cifar10, fetch_mnist, load_npz
from sklearn_robust.metrics import robustness_curve
from sklearn_robust.modules import CIFARConvNet, MNISTConvNet

ATTACKS = ("FGSM", "BIM", "C&W")
WORST = "worst case"
HELD_OUT = 1000  # training samples to choose options by

# Accuracy in percent: natural, then each attack at the three radii.
PAPER = {
    "MNIST": {
        "natural": (99.1, (67.3, 12.9, 4.7), (22.5, 0.0, 0.0), (21.6, 0.0, 0.0)),
        "AdvTrain": (99.1, (73.0, 52.7, 10.9), (62.0, 6.5, 0.0), (71.09, 17.0, 2.1)),
        "cross-entropy": (99.2, (91.6, 60.4, 18.3), (87.9, 19.9, 0.0), (88.09, 20.0, 0.0)),
        "Jacobian": (98.4, (91.6, 70.3, 41.6), (88.1, 64.9, 26.7), (89.2, 72.6, 37.6)),
    },
    "CIFAR-10": {
        "natural": (87.2, (5.8, 2.4, 1.6), (0.7, 0.0, 0.0), (0.6, 0.0, 0.0)),
        "AdvTrain": (84.5, (10.2, 5.8, 2.6), (1.4, 0.0, 0.0), (0.0, 0.0, 0.0)),
        "cross-entropy": (86.2, (19.1, 9.5, 6.1), (2.6, 0.7, 0.4), (2.1, 1.5, 1.4)),
        "Jacobian": (84.2, (59.8, 41.9, 31.0), (54.6, 29.5, 20.3), (53.7, 29.8, 20.1)),
        "Jacobian + AdvTrain": (83.1, (68.5, 48.5, 38.2), (62.7, 39.3, 30.3), (60.5, 39.0, 30.3)),
        "min-max": (79.4, (65.8, 55.6, 47.4), (64.2, 49.3, 41.1), (62.9, 48.5, 40.7)),
    },
}
SETTINGS = {
    "MNIST": {
        "module": MNISTConvNet, "channels": (16, 32), "eps": (0.1, 0.2, 0.3), "step": 0.1,
        "epochs": 10, "lam": 0.02, "ce_lam": 10.0, "adv_eps": 0.03,
        "min_max": {"eps": 0.3, "step_size": 0.1},
    },
    "CIFAR-10": {
        "module": CIFARConvNet, "eps": (3 / 255, 6 / 255, 9 / 255), "step": 1 / 255, "epochs": 30,
        "lam": 0.01, "ce_lam": 1.0, "adv_eps": 3 / 255,
        "min_max": {"eps": 8 / 255, "step_size": 2 / 255},
    },
}  # fmt: skip


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a file of four arrays; downloaded if left out")
    parser.add_argument("--table", type=int, choices=(1, 2), default=1, help="what to download")
    parser.add_argument("--nets", nargs="+", metavar="NAME", help="only these rows")
    parser.add_argument("--n-train", type=int, help="training samples; all if left out")
    parser.add_argument("--n-test", type=int, default=1000, help="test samples to attack")
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="attack samples that are left out of the training data, to choose options by",
    )
    parser.add_argument("--epochs", type=int, help="10 for Table 1, 30 for Table 2")
    parser.add_argument("--channels", type=int, nargs="+", help="filters of the convolutions")
    parser.add_argument("--lam", type=float, help="penalty of the Jacobian of S (l1 norm)")
    parser.add_argument(
        "--ce-lam", type=float, help="penalty of the gradient of the loss (l2 squared)"
    )
    parser.add_argument("--adv-eps", type=float, help="radius of adversarial training")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="report/table-surface", help="folder to write")
    return parser.parse_args()


def read(chosen):
    """Data, the name of the data set, and the settings of its table."""
    if chosen.data:
        data = load_npz(chosen.data)
    else:
        data = fetch_mnist() if chosen.table == 1 else fetch_cifar10()
    name = "MNIST" if data.X_train.shape[1] == 1 else "CIFAR-10"
    settings = dict(SETTINGS[name])
    for option in ("channels", "epochs", "lam", "ce_lam", "adv_eps"):
        if getattr(chosen, option) is not None:
            settings[option] = getattr(chosen, option)
    rows = np.random.default_rng(0).permutation(len(data.X_train))
    held, rows = rows[:HELD_OUT], rows[HELD_OUT:][: chosen.n_train]
    if chosen.held_out:
        data.X_test, data.y_test = data.X_train[held], data.y_train[held]
    data.X_train, data.y_train = data.X_train[rows], data.y_train[rows]
    data.X_test, data.y_test = data.X_test[: chosen.n_test], data.y_test[: chosen.n_test]
    return data, name, settings


def make_nets(settings, chosen):
    """Unfitted nets by the names of their rows."""
    shared = {"module": settings["module"], "max_epochs": settings["epochs"], "lr": chosen.lr}
    shared |= {"lr_schedule": "cosine", "random_state": chosen.seed}
    shared |= {"device": chosen.device, "verbose": 1}
    if "channels" in settings:
        shared["module__channels"] = tuple(settings["channels"])
    mixed = BIM(eps=settings["adv_eps"], step_size=settings["step"], loss="margin")
    return {
        "natural": NaturalNet(**shared),
        "AdvTrain": AdvTrainNet(attack=mixed, **shared),
        "cross-entropy": JacobianRegNet(
            jacobian_target="loss", jacobian_norm="l2_squared", lam=settings["ce_lam"], **shared
        ),
        "Jacobian": JacobianRegNet(lam=settings["lam"], **shared),
        "Jacobian + AdvTrain": JacobianRegNet(lam=settings["lam"], adversarial=mixed, **shared),
        "min-max": MinMaxNet(attack=PGD(**settings["min_max"]), **shared),
    }


def fitted(name, net, data, chosen):
    """The net, trained or read back from a run with the same options, and the seconds that took."""
    folder = Path(chosen.output)
    start = time.time()
    net.set_params(checkpoint=str(folder / "checkpoints")).fit(data.X_train, data.y_train)
    net.save(folder / f"{name.replace(' ', '')}.pt")
    return net, time.time() - start


def judge(net, data, settings):
    """Accuracies in percent: a number for clean samples, one a radius for each attack."""
    X, y, eps = data.X_test, data.y_test, settings["eps"]
    iterated = {"max_iter": 10, "step_size": settings["step"]}
    attacks = {
        "FGSM": lambda radius: FGSM(eps=radius),
        "BIM": lambda radius: BIM(eps=radius, **iterated),
        "C&W": lambda radius: BIM(eps=radius, loss="margin", **iterated),
    }
    scores = {"natural": 100 * net.score(X, y)}
    for name, attack in attacks.items():
        scores[name] = [100 * robust_score(net, X, y, attack=attack(radius)) for radius in eps]
    curve = robustness_curve(net, X, y, eps=eps, attack=WorstCase(random_state=0))
    scores[WORST] = (100 * curve).tolist()
    return {**scores, "indicators": indicate(net, X, y)}


def markdown(found, paper, eps):
    """Lines of the table: ours, with the paper's figure in brackets."""
    columns = [f"{attack} {shown(radius)}" for attack in (*ATTACKS, WORST) for radius in eps]
    lines = ["| net | natural | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for name, scores in found.items():
        theirs = paper.get(name)
        cells = [cell(scores["natural"], theirs and theirs[0])]
        for number, attack in enumerate((*ATTACKS, WORST)):
            known = theirs[1 + number] if theirs and attack != WORST else [None] * len(eps)
            cells += [cell(ours, value) for ours, value in zip(scores[attack], known, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def cell(ours, theirs):
    return f"{ours:.1f}" if theirs is None else f"{ours:.1f} ({theirs:.1f})"


def shown(radius):
    return f"{round(radius * 255)}/255" if radius < 0.05 else f"{radius:g}"


def verdicts(found):
    """What the paper claims of Table 1, each as a sentence and whether it holds for us."""

    def at(name, attack, place):
        return found[name][attack][place]

    claims = []
    order = ("Jacobian", "cross-entropy", "AdvTrain", "natural")
    if all(name in found for name in order):
        for attack in ("BIM", "C&W"):
            ours, ce, adv, natural = (at(name, attack, 1) for name in order)
            holds = ours > ce > adv >= natural
            claims.append((f"second radius, {attack}: {' > '.join(order)} (last: >=)", holds))
            others = max(at(name, attack, 2) for name in order[1:])
            holds = at("Jacobian", attack, 2) >= others + 15
            claims.append((f"third radius, {attack}: Jacobian leads by 15 points", holds))
    if "Jacobian" in found:
        first = min(at("Jacobian", attack, 0) for attack in ATTACKS)
        claims.append(("Jacobian: 88 % at the first radius under all three attacks", first >= 88))
        claims.append(("Jacobian: 98 % natural", found["Jacobian"]["natural"] >= 98))
    return claims


def rank(found, eps):
    """Print how each indicator orders the nets, against the worst case at each radius."""
    indicators = [scores["indicators"] for scores in found.values()]
    for place, radius in enumerate(eps) if len(found) > 2 else []:
        left = [scores[WORST][place] for scores in found.values()]
        print_rank_correlations(indicators, left, f"the worst case at {shown(radius)}")


def write(folder, lines, found, chosen, settings):
    """Keep the table and its numbers."""
    settings = {key: value for key, value in settings.items() if key != "module"}
    record = {"options": vars(chosen), "settings": settings, "accuracy": found}
    (folder / "table.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    chosen = options()
    data, name, settings = read(chosen)
    folder = Path(chosen.output)
    folder.mkdir(parents=True, exist_ok=True)
    print(
        f"{name}: {len(data.X_train)} training and {len(data.X_test)} test samples, "
        f"{settings['epochs']} epochs, lam {settings['lam']:g}, ce_lam {settings['ce_lam']:g}, "
        f"adversarial eps {settings['adv_eps']:g}, seed {chosen.seed}"
    )
    found = {}
    for row, net in make_nets(settings, chosen).items():
        if chosen.nets and row not in chosen.nets:
            continue
        net, seconds = fitted(row, net, data, chosen)
        found[row] = judge(net, data, settings)
        print(
            f"{row}: trained in {seconds:.0f} s, natural {found[row]['natural']:.1f} %", flush=True
        )
        lines = markdown(found, PAPER[name], settings["eps"])
        write(folder, lines, found, chosen, settings)  # a killed run keeps its rows
    print("\nAccuracy in percent, the paper's in brackets\n")
    print("\n".join(lines))
    if name == "MNIST":
        for claim, holds in verdicts(found):
            print(f"{'yes' if holds else 'NO '}  {claim}")
    rank(found, settings["eps"])
    print(f"\nTable, numbers and networks are in {folder}.")


if __name__ == "__main__":
    main()
