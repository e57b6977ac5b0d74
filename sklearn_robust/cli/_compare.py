"""The command ``sklearn-robust compare``."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING, Any

from ._arguments import add_run, add_trust, count, flat, jobs, listed, radius
from ._tables import in_words, percent, table

if TYPE_CHECKING:
    from ..report._results import Results

__all__ = ["add_compare", "add_named_data", "how_to_go_on"]


def add_named_data(parser: argparse.ArgumentParser) -> None:
    """Add a data set that has a training and a test part, and the strengths of attacks."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="digits|moons|mnist|cifar10|FILE.npz",
        help="data set, or a file with the arrays X_train, y_train, X_test and y_test",
    )
    parser.add_argument(
        "--eps",
        nargs="+",
        type=listed(radius),
        metavar="EPS",
        help="strengths of the attacks, such as 0.1 or 8/255 (default: three that suit the data)",
    )


def add_compare(commands: Any) -> None:
    """Add the command."""
    text = "Train nets, attack them and models that are fitted already, and write a report."
    parser = commands.add_parser("compare", help=text, description=text)
    add_named_data(parser)
    add_run(parser, 1000)
    _add_models(parser)
    _add_training(parser)
    _add_output(parser)
    parser.set_defaults(run=_compare)


def _add_models(parser: argparse.ArgumentParser) -> None:
    """Add the nets to train and the models that are given."""
    from ..report import DEFAULT_NETS

    parser.add_argument(
        "--nets",
        nargs="+",
        type=listed(str),
        metavar="NET,NET",
        help=f"nets to train and compare (default: {','.join(DEFAULT_NETS)}, or none if there "
        "are --models)",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=(),
        metavar="MODEL",
        help="fitted models to compare with them: .net or .skops files, TorchScript, torch.export "
        "(.pt2), joblib or pickle, or mine.py:function",
    )
    add_trust(parser)


def _add_training(parser: argparse.ArgumentParser) -> None:
    """Add how the nets are trained."""
    parser.add_argument(
        "--train-eps",
        type=radius,
        metavar="EPS",
        help="strength of the attacks in adversarial training (default: the middle one of --eps)",
    )
    parser.add_argument(
        "--epochs", type=count, metavar="N", help="number of epochs (default: that of each net)"
    )
    parser.add_argument(
        "--train-samples", type=count, metavar="N", help="number of training samples (default: all)"
    )
    parser.add_argument(
        "--n-jobs",
        type=jobs,
        metavar="N",
        help="number of nets trained at a time (default: one per core, or one on a GPU)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    """Add what is written and shown."""
    parser.add_argument(
        "--certify",
        action="store_true",
        help="prove a lower bound for every model, and not only where that is cheap: about a "
        "second for each sample and strength of a net",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep the trained nets and finished attacks that are in the folder, and go on",
    )
    parser.add_argument(
        "--output", default="report", metavar="FOLDER", help="folder to write (default: report)"
    )
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument(
        "--verbose",
        dest="verbosity",
        action="store_const",
        const=2,
        default=1,
        help="show progress bars even if the output is not a terminal",
    )
    talk.add_argument(
        "--quiet", dest="verbosity", action="store_const", const=0, help="print only errors"
    )


def _compare(args: argparse.Namespace) -> int:
    from ..report import DEFAULT_NETS, Settings, compare

    other = ("command", "run", "typed")
    asked = {name: value for name, value in vars(args).items() if name not in other}
    nets = flat(args.nets)
    if nets is None:
        nets = () if args.models else DEFAULT_NETS
    asked |= {"nets": nets, "models": tuple(args.models), "eps": flat(args.eps)}
    results, page = compare(Settings(**asked))
    if args.verbosity:
        print(_results_table(results))
        print(f"The report is in {page}: open it in a browser.")
    if results["interrupted"]:
        print(how_to_go_on(args), file=sys.stderr)
        return 130
    return 1 if any(net["failed"] for net in results["nets"].values()) else 0


def how_to_go_on(args: argparse.Namespace) -> str:
    """Say what to type after an interruption."""
    words = [word for word in args.typed if word != "--resume"]
    return f"interrupted. To go on from here, type:\n  {shlex.join([*words, '--resume'])}"


def _results_table(results: Results) -> str:
    from ..plotting._style import shown_radius
    from ..report._attack import ATTACKS, PROVEN, WORST

    eps = results["summary_eps"]
    sides = [PROVEN] if any(results.curve(name, PROVEN) for name in results.judged) else []
    head = [f"accuracy (%), eps={shown_radius(eps)}", "natural", *ATTACKS, *sides]
    rows = [[*head, *(["so it is"] if sides else [])]]
    for name in results.judged:
        found = {attack: results.accuracy(name, attack, eps) for attack in [*ATTACKS, *sides]}
        shares = [percent(results["nets"][name]["natural"]), *map(percent, found.values())]
        if results.is_bound(name, eps):
            shares[1 + ATTACKS.index(WORST)] += " at most"
        rows.append([name, *shares, *([in_words(found[PROVEN], found[WORST])] if sides else [])])
    return table(rows)
