"""Train natural and robust residual networks on CIFAR-10, and compare their class clusters.

Run with ``make table-clustering``, or
``python examples/tables/table_clustering.py --data cifar10.npz``. The file holds four arrays
``X_train, y_train, X_test, y_test``; without ``--data`` the images are downloaded. To try it, add
``--epochs 1 --n-train 500 --n-test 100 --n-attack 50 --n-auto 0 --seeds 0``.

The script appends one line per network to the output file as soon as the network is scored. A
second run with the same options trains only missing networks, so that a stopped run can be
continued. The controls are an untrained network, one stopped early, one trained on noise and one
with a Jacobian penalty.

A picture of the same name beside the file shows the trees of the natural and the min-max networks.
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sklearn_robust import ClusterRegNet, JacobianRegNet, MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import PGD, AutoAttack
from sklearn_robust.clustering import ClassClustering, class_weight_matrix
from sklearn_robust.datasets import fetch_cifar10, load_npz
from sklearn_robust.plotting import ClassDendrogramDisplay

NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()
VEHICLES, ANIMALS = (0, 1, 8, 9), (2, 3, 4, 5, 6, 7)
COLUMNS = {
    "accuracy": "accuracy",
    "pgd": "PGD-10",
    "autoattack": "AutoAttack",
    "contrast": "contrast",
    "contrast_drop": "contrast, BN dropped",
    "silhouette": "silhouette",
    "adjusted_rand": "adj. Rand",
    "dendrogram_purity": "purity",
    "p_value": "p",
    "seconds": "seconds",
}


class Block(nn.Module):
    """Two convolutions with batch normalisation, added to a shortcut, then an activation."""

    def __init__(self, width, wider, stride):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(width, wider, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(wider),
            nn.ReLU(),
            nn.Conv2d(wider, wider, 3, padding=1, bias=False),
            nn.BatchNorm2d(wider),
        )
        same = width == wider and stride == 1
        fit = [nn.Conv2d(width, wider, 1, stride, bias=False), nn.BatchNorm2d(wider)]
        self.shortcut = nn.Sequential(*([] if same else fit))

    def forward(self, x):
        return torch.relu(self.change(x) + self.shortcut(x))


class SmallResNet(nn.Module):
    """The paper's kind of network, convolution before normalisation, one block per stage."""

    def __init__(self, input_shape, n_classes, channels):
        super().__init__()
        first = [nn.Conv2d(3, channels[0], 3, padding=1, bias=False), nn.BatchNorm2d(channels[0])]
        widths = itertools.pairwise((channels[0], *channels))
        blocks = [Block(*pair, 1 + (number > 0)) for number, pair in enumerate(widths)]
        self.features = nn.Sequential(*first, nn.ReLU(), *blocks)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


class NoisyResNet(SmallResNet):
    """Sees every training image with fresh Gaussian noise."""

    def forward(self, x):
        return super().forward(x + 0.3 * torch.randn_like(x) if self.training else x)


def makers(args, superclasses):
    """The networks of the table by name; each is made for a seed."""
    module = {"module": SmallResNet, "module__channels": tuple(args.channels)}
    shared = {"batch_size": args.batch_size, "lr": args.lr, "max_epochs": args.epochs, **module}
    shared |= {"device": args.device, "lr_schedule": "cyclic"}
    attack = {"attack": PGD, "attack__eps": args.eps, "attack__max_iter": args.steps}
    clusters = {"superclasses": superclasses, **attack}
    return {
        "natural": lambda: NaturalNet(**shared),
        "min-max": lambda: MinMaxNet(**shared, **attack),
        "min-max, cluster loss 0.1": lambda: ClusterRegNet(lam=0.1, **shared, **clusters),
        "min-max, cluster loss 1": lambda: ClusterRegNet(lam=1.0, **shared, **clusters),
        "untrained": lambda: NaturalNet(**{**shared, "max_epochs": 1, "lr": 1e-12}),
        "natural, 1 epoch": lambda: NaturalNet(**{**shared, "max_epochs": 1}),
        "Gaussian noise 0.3": lambda: NaturalNet(**{**shared, "module": NoisyResNet}),
        "Jacobian penalty": lambda: JacobianRegNet(lam=args.lam, **shared),
    }


def score(net, data, superclasses, args):
    """Everything the table says of one fitted network."""
    X, y = data.X_test, data.y_test
    few, fewer = slice(args.n_attack), slice(args.n_auto)
    pgd = PGD(eps=args.eps, max_iter=10, random_state=0)
    row = {"accuracy": net.score(X, y), "pgd": robust_score(net, X[few], y[few], attack=pgd)}
    if args.n_auto:
        auto = AutoAttack(eps=args.eps, random_state=0)
        row["autoattack"] = robust_score(net, X[fewer], y[fewer], attack=auto)
    for batch_norm in ("drop", "fold"):
        clustering = ClassClustering(2).fit(class_weight_matrix(net, batch_norm=batch_norm))
        agreement = dict(clustering.agreement(superclasses))
        if batch_norm == "drop":
            row["contrast_drop"] = agreement["contrast"]
    row["cosines"] = clustering.correlation_.round(4).tolist()
    row["linkage"] = clustering.linkage_matrix_.round(4).tolist()
    return {**row, **agreement, "clusters": clustering.labels_.tolist()}


def key_of(args):
    """The options that decide the numbers, as text."""
    free = ("device", "nets", "output", "seeds")
    given = {name: value for name, value in vars(args).items() if name not in free}
    return json.dumps({**given, "data": name_of(args)}, sort_keys=True)


def name_of(args):
    """What to call the data."""
    return Path(args.data).name if args.data else "CIFAR-10"


def read(args):
    """The images that the options ask for."""
    data = load_npz(args.data) if args.data else fetch_cifar10()
    rows = np.random.default_rng(0).permutation(len(data.X_train))[: args.n_train]
    data.X_train, data.y_train = data.X_train[rows], data.y_train[rows]
    data.X_test, data.y_test = data.X_test[: args.n_test], data.y_test[: args.n_test]
    return data


def compute(args):
    """Train and score what the output file lacks; return all its rows of these options."""
    data = read(args)
    superclasses = np.isin(np.arange(10), VEHICLES).astype(int)
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = output.read_text().splitlines() if output.exists() else []
    rows = [row for row in map(json.loads, lines) if row["key"] == key_of(args)]
    done = {(row["model"], row["seed"]) for row in rows}
    for seed in args.seeds:
        for name, make in makers(args, superclasses).items():
            if (name, seed) in done or (args.nets and name not in args.nets):
                continue
            start = time.process_time()
            net = make().set_params(random_state=seed).fit(data.X_train, data.y_train)
            row = {"key": key_of(args), "model": name, "seed": seed}
            row["seconds"] = time.process_time() - start
            row |= score(net, data, superclasses, args)
            rows.append(row)
            with output.open("a") as file:
                print(json.dumps(row), file=file)
            print(
                f"# {name}, seed {seed}: accuracy {row['accuracy']:.3f}, "
                f"contrast {row['contrast']:.2f}, {row['seconds']:.0f} s",
                flush=True,
            )
    return rows


def cell(values):
    """Mean and, with two seeds or more, its standard error."""
    if not values:
        return ""
    digits = 0 if np.mean(values) > 10 else 3
    mean = f"{np.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.{digits}f}"


def print_table(rows, args):
    """One line for each kind of network, mean and standard error over the seeds."""
    seeds = sorted({row["seed"] for row in rows})
    print(
        f"\nScale: {name_of(args)}, {args.n_train} training and {args.n_test} test images, "
        f"residual networks of {sum(args.channels)} filters in {len(args.channels)} stages, "
        f"{args.epochs} epochs, seeds {seeds}. Training attack PGD-{args.steps}, "
        f"eps {args.eps:.4f} linf; PGD-10 on {args.n_attack} and AutoAttack on {args.n_auto} test "
        f"images. Superclasses: vehicles {VEHICLES}, animals {ANIMALS}. "
        "Mean ± standard error over seeds.\n"
    )
    print("| network | " + " | ".join(COLUMNS.values()) + " |")
    print("|---|" + "---|" * len(COLUMNS))
    for name in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == name]
        cells = [cell([row[c] for row in own if c in row]) for c in COLUMNS]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print_verdict(rows)


def print_verdict(rows):
    """Contrast of min-max minus natural for each seed, and the clusters of the min-max nets."""
    found = {(row["model"], row["seed"]): row for row in rows}
    print()
    for (name, seed), row in sorted(found.items()):
        if name == "min-max" and ("natural", seed) in found:
            gap = row["contrast"] - found["natural", seed]["contrast"]
            print(
                f"seed {seed}: contrast of min-max minus natural {gap:.2f}; its two clusters are "
                f"{'' if row['adjusted_rand'] == 1 else 'not '}vehicles and animals"
            )


def draw(rows, args):
    """Trees of a natural and a min-max network of the first seed that has both."""
    found = {(row["model"], row["seed"]): row for row in rows if "cosines" in row}
    for seed in args.seeds:
        pair = [found.get((name, seed)) for name in ("natural", "min-max")]
        if all(pair):
            arrays = (
                np.array([row[of] for row in pair]) for of in ("cosines", "linkage", "clusters")
            )
            titles = [f"{row['model']}\ncontrast {row['contrast']:.2f}" for row in pair]
            display = ClassDendrogramDisplay(*arrays, classes=NAMES, names=titles).plot()
            path = Path(args.output).with_suffix(".png")
            display.figure_.savefig(path, dpi=90)
            print(f"\nThe trees of seed {seed} are in {path}.")
            return


def parse(argv=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a file of four arrays; downloaded if left out")
    parser.add_argument(
        "--output", default="report/table-clustering.jsonl", help="file to append to"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--nets", nargs="+", metavar="NAME", help="only these rows")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument("--n-test", type=int, default=2_000)
    parser.add_argument("--n-attack", type=int, default=1_000)
    parser.add_argument("--n-auto", type=int, default=200, help="0 leaves AutoAttack out")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--channels", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-2, help="at the peak of its cycle")
    parser.add_argument("--eps", type=float, default=8 / 255)
    parser.add_argument("--steps", type=int, default=3, help="of the training attack")
    parser.add_argument("--lam", type=float, default=0.01, help="of the Jacobian penalty")
    return parser.parse_args(argv)


if __name__ == "__main__":
    torch.set_num_threads(1)
    options = parse()
    table = compute(options)
    print_table(table, options)
    draw(table, options)
