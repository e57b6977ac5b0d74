"""The command ``sklearn-robust compare``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ._arguments import add_run, count, flat, jobs, listed, radius
from ._tables import percent, table

if TYPE_CHECKING:
    from ..report._results import Results

__all__ = ["add_compare", "add_named_data"]


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
    from ..report import DEFAULT_NETS

    text = "Train nets, attack them, and write a report."
    parser = commands.add_parser("compare", help=text, description=text)
    add_named_data(parser)
    add_run(parser, 1000)
    parser.add_argument(
        "--nets",
        nargs="+",
        type=listed(str),
        metavar="NET,NET",
        default=[list(DEFAULT_NETS)],
        help=f"nets to compare (default: {','.join(DEFAULT_NETS)})",
    )
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
    parser.set_defaults(run=_compare)


def _compare(args: argparse.Namespace) -> int:
    from ..report import Settings, compare

    asked = {name: value for name, value in vars(args).items() if name not in ("command", "run")}
    asked |= {"nets": flat(args.nets), "eps": flat(args.eps)}
    results, page = compare(Settings(**asked))
    if args.verbosity:
        print(_results_table(results))
        print(f"The report is in {page}: open it in a browser.")
    if results["interrupted"]:
        return 130
    return 1 if any(net["failed"] for net in results["nets"].values()) else 0


def _results_table(results: Results) -> str:
    from ..plotting._style import shown_radius
    from ..report._attack import ATTACKS

    eps = results["summary_eps"]
    rows = [[f"accuracy (%), eps={shown_radius(eps)}", "natural", *ATTACKS]]
    for name in results.trained:
        attacked = [results.accuracy(name, attack, eps) for attack in ATTACKS]
        rows.append([name, *map(percent, [results["nets"][name]["natural"], *attacked])])
    return table(rows)
