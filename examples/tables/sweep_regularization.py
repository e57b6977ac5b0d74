"""Sweep the strength of robust training, and report which effects of a regulariser appear.

Run with ``make sweep-regularization``, or ``python examples/tables/sweep_regularization.py``.
Without ``--data`` the samples are scikit-learn's handwritten digits; ``--data mnist.npz`` takes any
file of four arrays ``X_train, y_train, X_test, y_test``. By default the sweep is small: a few
minutes on two cores. ``--full`` takes the papers' network, 10,000 training samples, ten steps of
PGD and three splits.

The claims are those of Wen, Li and Jia, "Towards understanding the regularization of adversarial
robustness on neural networks", ICML 2020. The strength is ``attack__eps`` of MinMaxNet and ``lam``
of JacobianRegNet, and one attack is used for all nets. Training and test quantities are measured on
natural samples in eval mode. Means and standard deviations are over splits.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit

from sklearn_robust import JacobianRegNet, MinMaxNet
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_digits_images, load_npz
from sklearn_robust.modules import MNISTConvNet
from sklearn_robust.plotting import RegularizationPathDisplay
from sklearn_robust.spectral import (
    feature_change_report,
    make_regularization_scorer,
    regularization_path,
)

# (claim, columns of the path, +1 if they should grow with the strength, -1 if they should fall)
CLAIMS = [
    ("the loss gap shrinks", "loss_gap", -1),
    ("the error gap shrinks", "error_gap", -1),
    ("the train loss grows", "train_loss", 1),
    ("margins concentrate", "test_softmax_margin_std", -1),
    ("margins gather near zero", "test_boundary_mass", 1),
    ("confidence falls", "test_confidence", -1),
    ("the spread of singular values falls", "test_spectrum_std/", -1),
    ("relative feature changes get smaller", "test_change/", -1),
    ("feature changes get more uniform", "test_anisotropy/", -1),
    ("standard accuracy drops", "test_error", 1),
    ("robust accuracy grows", "test_robust_accuracy", 1),
]


class SweepScorer:
    """The scorer of the library, and the changes of the features."""

    def __init__(self, eps, max_samples):
        self.attack = PGD(eps=eps, random_state=0)
        self.scores = make_regularization_scorer(self.attack, max_samples=max_samples)
        self.max_samples = max_samples

    def __call__(self, estimator, X, y):
        scores = self.scores(estimator, X, y)
        some = slice(self.max_samples)
        report = feature_change_report(estimator, X[some], y[some], attack=self.attack)
        for row, name in enumerate(report.name):
            scores[f"change/{name}"] = report.adversarial_relative[row]
            scores[f"anisotropy/{name}"] = report.anisotropy[row]
        return scores


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a file of four arrays; the digits if left out")
    parser.add_argument("--full", action="store_true", help="hours instead of minutes")
    nets = ["MinMaxNet", "JacobianRegNet"]
    parser.add_argument("--nets", nargs="+", choices=nets, default=nets, help="default: both")
    parser.add_argument("--n-train", type=int, help="training samples per split")
    parser.add_argument("--n-test", type=int, help="test samples per split")
    parser.add_argument("--n-attack", type=int, help="training and test samples to attack")
    parser.add_argument("--n-splits", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--jobs", type=int, default=2, help="processes, one torch thread each")
    parser.add_argument("--output", default="report/sweep-regularization", help="folder to write")
    chosen = parser.parse_args()
    usual = {"n_train": 10_000, "n_test": 2000, "n_attack": 500, "n_splits": 3, "epochs": 20}
    if not chosen.full:
        n_train = 1000 if chosen.data else 600
        usual = {"n_train": n_train, "n_test": 500, "n_attack": 100, "n_splits": 2, "epochs": 15}
    for name, value in usual.items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    return chosen


def read(data):
    """All samples of the data, and the strengths and the reference that suit them."""
    if data is None:
        X, y = load_digits_images()
        return X, y, [0.0, 0.05, 0.1, 0.15], [0.0, 0.01, 0.03, 0.06], 0.1
    bunch = load_npz(data)
    X = np.concatenate([bunch.X_train, bunch.X_test])
    y = np.concatenate([bunch.y_train, bunch.y_test])
    return X, y, [0.0, 0.1, 0.2, 0.3], [0.0, 0.003, 0.01, 0.03], 0.1


def sweep(net, param, strengths, X, y, reference, chosen):
    """Path of one way to train."""
    n_test = min(chosen.n_test, len(X) - chosen.n_train)
    split = StratifiedShuffleSplit(
        chosen.n_splits, train_size=chosen.n_train, test_size=n_test, random_state=0
    )
    search = GridSearchCV(
        net,
        {param: strengths},
        scoring=SweepScorer(reference, chosen.n_attack),
        refit=False,
        cv=split,
        n_jobs=chosen.jobs,
        return_train_score=True,
        error_score="raise",
    )
    return regularization_path(search.fit(X, y), param=param)


def judge(path):
    """Rows (claim, weakest, strongest, verdict) of one path."""
    rows = []
    for claim, column, sign in CLAIMS:
        columns = [column]
        if column.endswith("/"):
            columns = [key for key in path if key.startswith(column) and key[-4:] != "_std"]
        rises = [sign * np.diff(path[key]) for key in columns]
        held = [sign * (path[key][-1] - path[key][0]) > 0 for key in columns]
        ends = [f"{np.mean([path[key][end] for key in columns]):.4g}" for end in (0, -1)]
        if len(columns) > 1:
            verdict = (
                f"{'yes' if np.mean(held) > 0.5 else 'no'}, at {sum(held)} of {len(held)} layers"
            )
        elif held[0]:
            verdict = "yes, at every step" if (rises[0] > 0).all() else "yes, not at every step"
        else:
            verdict = "no"
        rows.append((claim, *ends, verdict))
    return rows


def show(name, path, seconds):
    """Print the path and the verdicts."""
    print(f"\n{name}, {path.param} = {path['values'].tolist()}   ({seconds:.0f} s)")
    shown = ["train_error", "test_error", "error_gap", "train_loss", "test_loss", "loss_gap"]
    shown += [f"test_{key}" for key in ("robust_accuracy", "margin_mean", "margin_std")]
    shown += [f"test_{key}" for key in ("softmax_margin_std", "boundary_mass", "confidence")]
    shown += [key for key in path if "/" in key and key[:5] == "test_" and key[-4:] != "_std"]
    for key in shown:
        cells = zip(path[key], path[f"{key}_std"], strict=True)
        print(f"  {key:<34s}", *(f"{mean:9.4f} ({std:.4f})" for mean, std in cells))
    print(f"\n  {'claim':<38s} {'weakest':>9s} {'strongest':>9s}   held")
    for claim, low, high, verdict in judge(path):
        print(f"  {claim:<38s} {low:>9s} {high:>9s}   {verdict}")


def write(folder, paths, chosen):
    """Keep paths, verdicts and figures in a folder."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("error", "loss", "robust_accuracy", "confidence")
    for name, path in paths.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            columns = [key for key in path if key != "param"]
            writer.writerow([path.param, *columns[1:]])
            writer.writerows(zip(*(path[key] for key in columns), strict=True))
        figure = Figure(figsize=(11, 7), layout="constrained")
        for ax, kind in zip(figure.subplots(2, 2).flat, kinds, strict=True):
            RegularizationPathDisplay(path=path).plot(kind=kind, ax=ax)
        figure.suptitle(name)
        figure.savefig(folder / f"{name}.png", dpi=120)
    verdicts = {name: judge(path) for name, path in paths.items()}
    record = {"options": vars(chosen), "verdicts": verdicts}
    (folder / "verdicts.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
    print(f"\nThe numbers and figures are in {folder}.")


def main():
    chosen = options()
    X, y, radii, lams, reference = read(chosen.data)
    shared = {"max_epochs": chosen.epochs, "random_state": 0}
    if not chosen.full:
        size = {"channels": (8, 16), "kernel_size": 3, "hidden": 64}
        shared |= {"module": MNISTConvNet, "lr": 0.003}
        shared |= {f"module__{key}": value for key, value in size.items()}
    steps = 10 if chosen.full else 4
    sweeps = {
        "MinMaxNet": (MinMaxNet(attack__max_iter=steps, **shared), "attack__eps", radii),
        "JacobianRegNet": (JacobianRegNet(**shared), "lam", lams),
    }
    print(f"{len(X)} samples of {chosen.data or 'digits'}: {chosen.n_splits} splits with ", end="")
    print(f"{chosen.n_train} for training, {chosen.epochs} epochs; reference attack ", end="")
    print(f"PGD(eps={reference}, random_state=0)")
    paths = {}
    for name in chosen.nets:
        net, param, strengths = sweeps[name]
        start = time.time()
        paths[name] = sweep(net, param, strengths, X, y, reference, chosen)
        show(name, paths[name], time.time() - start)
    write(Path(chosen.output), paths, chosen)


if __name__ == "__main__":
    main()
