"""Train the adversarial-training family on MNIST and print robust accuracy and training time.

Run with ``make table-training``, or ``python examples/tables/table_training.py --data mnist.npz``.
The file holds four arrays ``X_train, y_train, X_test, y_test``; without it the images are
downloaded. The output folder keeps finished rows, so that a stopped run can be continued. Other
settings need another folder.

All nets have the same convolutional network, optimiser (Adam) and linf ball. A row has two lines:
the last epoch, and the best epoch, which has the highest accuracy under 10 steps of PGD on the
margin on 500 held-out training images. Test images are not used for any choice. "PGD-20" is
cross-entropy with a random start, "C&W" the same with the margin. A sample counts as fooled if any
iterate fools it. AutoAttack is the standard version, on fewer images. Times are processor seconds
per epoch on one thread, relative to natural training with the same seed.

Indicators are measured on AutoAttack's images, too. The last lines give Spearman's rho of each
indicator with the accuracy under AutoAttack, over all nets.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from _indicators import indicate, print_rank_correlations
from joblib import Parallel, delayed
from skorch.callbacks import Callback

from sklearn_robust import (
    AdvTrainNet,
    FastATNet,
    FATNet,
    FreeATNet,
    GAIRATNet,
    JacobianRegNet,
    MARTNet,
    MinMaxNet,
    NaturalNet,
    TRADESNet,
    robust_score,
)
from sklearn_robust.attacks import FGSM, PGD, AutoAttack
from sklearn_robust.callbacks import WeightPerturbation
from sklearn_robust.datasets import fetch_mnist, load_npz
from sklearn_robust.modules import MNISTConvNet

REPLAYS = 4  # of FreeATNet, which gets so many times fewer epochs
HELD_OUT = 500
COLUMNS = ("clean", "FGSM", "PGD-20", "C&W", "AutoAttack")


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a file of four arrays; downloaded if left out")
    parser.add_argument("--nets", nargs="+", metavar="NAME", help="only these rows")
    parser.add_argument("--eps", type=float, default=0.2, help="linf radius, in training and test")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument(
        "--n-test", type=int, default=1000, help="images for all attacks but AutoAttack"
    )
    parser.add_argument("--n-auto", type=int, default=200, help="images for AutoAttack")
    parser.add_argument("--channels", type=int, nargs=2, default=(16, 32))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--n-jobs", type=int, default=-1, help="rows at a time; -1: one per core")
    parser.add_argument("--output", default="report/table-training", help="folder to write")
    return parser.parse_args()


class Watch(Callback):
    """Time every epoch, and keep the weights that resist best on images that are held out."""

    def __init__(self, X, y, eps):
        self.X, self.y, self.eps = X, y, eps

    def on_train_begin(self, net, **kwargs):
        self.seconds_, self.scores_, self.best_ = [], [], None

    def on_epoch_begin(self, net, **kwargs):
        self.start_ = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        self.seconds_.append(time.process_time() - self.start_)
        attack = PGD(eps=self.eps, loss="margin", random_state=0)
        self.scores_.append(robust_score(net, self.X, self.y, attack=attack))
        if self.scores_[-1] >= max(self.scores_):
            state = net.module_.state_dict()
            self.best_ = {name: value.clone() for name, value in state.items()}


def make_nets(chosen):
    """Classes and their own parameters by the names of their rows."""
    n = chosen.epochs
    ball = {"attack__eps": chosen.eps}
    trades = {"beta": 1.0, **ball}  # its authors' beta for MNIST
    friendly = [(1, 0), (1 + round(n * 50 / 120), 1), (1 + round(n * 90 / 120), 2)]
    later = [(1, 0), (1 + round(0.4 * n), 3), (1 + round(0.7 * n), 6)]
    return {
        "natural": (NaturalNet, {}),
        "AdvTrain": (AdvTrainNet, ball),
        "MinMax": (MinMaxNet, ball),
        "FAT": (FATNet, {"tau": ascending(friendly), **ball}),
        "TRADES": (TRADESNet, trades),
        "TRADES+AWP": (TRADESNet, {"callbacks": [("awp", WeightPerturbation())], **trades}),
        "MART": (MARTNet, ball),
        "GAIRAT": (GAIRATNet, ball),
        "GAIR-FAT": (GAIRATNet, {"base": "fat", "lam": 0.0, "tau": ascending(later), **ball}),
        "FastAT": (FastATNet, ball),
        "FreeAT": (FreeATNet, {"m": REPLAYS, "max_epochs": -(-n // REPLAYS), **ball}),
        "Jacobian": (JacobianRegNet, {}),
    }


def ascending(pairs):
    """Pairs (first epoch, value) without those that the next one replaces at once."""
    return list(dict(pairs).items())


def read(chosen):
    """Training, held-out and test images."""
    data = load_npz(chosen.data) if chosen.data else fetch_mnist()
    rows = np.random.default_rng(0).permutation(len(data.X_train))
    n_train = min(chosen.n_train, len(rows) - HELD_OUT)
    fit, held = rows[:n_train], rows[n_train : n_train + HELD_OUT]
    return (
        (data.X_train[fit], data.y_train[fit]),
        (data.X_train[held], data.y_train[held]),
        (data.X_test[: chosen.n_test], data.y_test[: chosen.n_test]),
    )


def judge(net, test, chosen):
    """Accuracies in percent."""
    X, y = test
    steps = {"eps": chosen.eps, "max_iter": 20, "random_state": 0}
    attacks = {
        "FGSM": (FGSM(eps=chosen.eps), len(X)),
        "PGD-20": (PGD(**steps), len(X)),
        "C&W": (PGD(loss="margin", **steps), len(X)),
        "AutoAttack": (AutoAttack(eps=chosen.eps, random_state=0), chosen.n_auto),
    }
    scores = {"clean": net.score(X, y)}
    for name, (attack, n) in attacks.items():
        scores[name] = robust_score(net, X[:n], y[:n], attack=attack) if n else float("nan")
    # What the same few images say of PGD, to compare with AutoAttack.
    n = chosen.n_auto
    few = robust_score(net, X[:n], y[:n], attack=attacks["PGD-20"][0]) if n else float("nan")
    return {name: 100 * score for name, score in {**scores, "PGD-20 on few": few}.items()}


def make_row(name, seed, parts, chosen):
    """Train one net with one seed; scores of the last and of the best epoch, and seconds."""
    cls, params = make_nets(chosen)[name]
    train, held, test = parts
    watch = Watch(*held, chosen.eps)
    shared = {"max_epochs": chosen.epochs, "random_state": seed, "device": chosen.device}
    module = {"module": MNISTConvNet, "module__channels": tuple(chosen.channels)}
    callbacks = [("watch", watch), *params.pop("callbacks", [])]
    net = cls(**{**module, **shared, "callbacks": callbacks, **params}).fit(*train)
    row = {"seconds": float(np.median(watch.seconds_)), "last": judge(net, test, chosen)}
    row["indicators"] = indicate(net, *(part[: chosen.n_auto or chosen.n_test] for part in test))
    best = int(np.argwhere(np.array(watch.scores_) == max(watch.scores_))[-1, 0])
    if best + 1 < len(watch.scores_):
        net.module_.load_state_dict(watch.best_)
        row["best"] = judge(net, test, chosen)
    else:
        row["best"] = row["last"]
    return {**row, "best epoch": best + 1, "held out": watch.scores_}


def markdown(rows, seeds):
    """Lines of the table: mean and standard deviation over the seeds."""
    head = ["net", "epoch", *COLUMNS, "PGD-20, AutoAttack's images", "time of an epoch"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name in dict.fromkeys(name for name, _ in rows):
        mine = {seed: rows[name, seed] for seed in range(seeds) if (name, seed) in rows}
        natural = [(seed, rows.get(("natural", seed))) for seed in mine]
        ratios = [mine[seed]["seconds"] / row["seconds"] for seed, row in natural if row]
        for epoch in ("best", "last"):
            cells = [
                cell([row[epoch][column] for row in mine.values()])
                for column in (*COLUMNS, "PGD-20 on few")
            ]
            ratio = f"{np.mean(ratios):.1f}" if ratios else ""
            lines.append(f"| {name} | {epoch} | " + " | ".join(cells) + f" | {ratio} |")
    return lines


def cell(values):
    spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def verdict(rows, seeds):
    """Whether GAIRAT's gain over min-max under PGD survives AutoAttack, on the same images."""
    both = [s for s in range(seeds) if {("GAIRAT", s), ("MinMax", s)} <= rows.keys()]
    for epoch in ("best", "last"):
        gaps = {
            attack: np.array(
                [rows["GAIRAT", s][epoch][attack] - rows["MinMax", s][epoch][attack] for s in both]
            )
            for attack in ("PGD-20 on few", "AutoAttack")
        }
        if both:
            said = ", ".join(f"{k}: {cell(v)}" for k, v in gaps.items())
            print(f"GAIRAT less MinMax in points, {epoch} epoch: {said}")


def load_or_make(name, seed, parts, chosen, settings):
    """The row of one net and one seed: read from its file, or trained, judged and written."""
    path = Path(chosen.output, "rows", f"{name}-seed{seed}.json")
    if path.exists():
        row = json.loads(path.read_text(encoding="utf-8"))
        if row["settings"] != settings:
            raise SystemExit(f"{path} has other settings: give another --output.")
        return name, seed, row
    torch.set_num_threads(1)
    row = {"settings": settings, **make_row(name, seed, parts, chosen)}
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(row, indent=1), encoding="utf-8")
    draft.rename(path)
    shown = {key: round(value, 1) for key, value in row["last"].items()}
    print(f"{name}, seed {seed}: {row['seconds']:.1f} s an epoch, {shown}", flush=True)
    return name, seed, row


def main():
    chosen = options()
    folder = Path(chosen.output)
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    fixed = ("eps", "epochs", "n_train", "n_test", "n_auto", "channels", "data")
    settings = {key: value for key, value in vars(chosen).items() if key in fixed}
    settings = json.loads(json.dumps(settings))
    parts, names = read(chosen), chosen.nets or list(make_nets(chosen))
    jobs = [
        delayed(load_or_make)(name, seed, parts, chosen, settings)
        for seed in range(chosen.seeds)
        for name in names
    ]
    # A process a row keeps the processor's seconds of rows apart.
    done = Parallel(n_jobs=chosen.n_jobs, return_as="generator", batch_size=1)(jobs)
    rows = {}
    for name, seed, row in done:
        rows[name, seed] = row
        lines = markdown(rows, chosen.seeds)
        (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    n = len(parts[0][0])
    print(
        f"\nMNIST, {n} images, {chosen.epochs} epochs, eps = {chosen.eps:g}, accuracy in percent\n"
    )
    print("\n".join(lines))
    verdict(rows, chosen.seeds)
    if len(rows) > 2:
        what = "AutoAttack" if chosen.n_auto else "C&W"
        found = [row["indicators"] for row in rows.values()]
        accuracy = [row["last"][what] for row in rows.values()]
        print_rank_correlations(found, accuracy, f"{what}, last epoch")
    print(f"\nTable and rows are in {folder}.")


if __name__ == "__main__":
    main()
