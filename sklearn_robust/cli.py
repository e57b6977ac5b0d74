"""The command ``sklearn-robust``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from ._version import __version__

if TYPE_CHECKING:
    from .report._results import Results

__all__ = ["main"]

_EPILOG = """examples:
  sklearn-robust compare --data digits
  sklearn-robust compare --data mydata.npz --nets NaturalNet,MinMaxNet --eps 2/255 4/255 8/255
  sklearn-robust evaluate report/nets/MinMaxNet.net --data digits --eps 0.1
"""


class _Parser(argparse.ArgumentParser):
    """Parser that reports a mistake in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit."""
        self.exit(2, f"{self.prog}: {message}\n")


def radius(text: str) -> float:
    """Positive finite number, such as 0.1 or 8/255."""
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a strength; give a positive number such as 0.1 or 8/255."
        )
    return value


def count(text: str) -> int:
    """Positive integer."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; give a whole number from 1.")
    return int(text)


def seed(text: str) -> int:
    """Integer from 0 to 2**32 - 1."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; give a whole number from 0.")
    return int(text)


def jobs(text: str) -> int:
    """Integer other than zero."""
    if not text.removeprefix("-").isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of processes; give one such as 2, or -1 for one per core."
        )
    return int(text)


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """List of values of one kind, separated by commas."""
    return lambda text: [kind(word) for word in text.split(",") if word]


def _flat(lists: list[list[Any]] | None) -> tuple[Any, ...] | None:
    return None if lists is None else tuple(item for part in lists for item in part)


def _make_parser() -> argparse.ArgumentParser:
    from .report import DEFAULT_NETS

    parser = _Parser(
        prog="sklearn-robust",
        description="Train classifiers, attack them, and find out which one is robust.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sklearn_robust {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="compare | evaluate", required=True)
    _add_compare(commands, DEFAULT_NETS)
    _add_evaluate(commands)
    return parser


def _add_shared(parser: argparse.ArgumentParser, default_samples: int) -> None:
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
    parser.add_argument(
        "--samples",
        type=count,
        default=default_samples,
        metavar="N",
        help="largest number of test samples to attack (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, help="seed of all random choices (default: 0)"
    )
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    parser.add_argument("--data-home", metavar="FOLDER", help="folder of downloaded data")


def _add_compare(commands: Any, default_nets: Sequence[str]) -> None:
    text = "Train nets, attack them, and write a report."
    parser = commands.add_parser("compare", help=text, description=text)
    _add_shared(parser, 1000)
    parser.add_argument(
        "--nets",
        nargs="+",
        type=listed(str),
        metavar="NET,NET",
        default=[list(default_nets)],
        help=f"nets to compare (default: {','.join(default_nets)})",
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


def _add_evaluate(commands: Any) -> None:
    text = "Attack a saved net."
    parser = commands.add_parser("evaluate", help=text, description=text)
    parser.add_argument("net", metavar="NET", help="file written by net.save")
    _add_shared(parser, 1000)
    parser.add_argument(
        "--attack",
        choices=["worst", "pgd", "fgsm", "bim", "cw"],
        default="worst",
        help="attack to run (default: worst, the worst case of several attacks)",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="also read a pickle or joblib file, which may run any code that it holds",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_evaluate)


def _compare(args: argparse.Namespace) -> int:
    from .report import Settings, compare

    asked = {name: value for name, value in vars(args).items() if name not in ("command", "run")}
    asked |= {"nets": _flat(args.nets), "eps": _flat(args.eps)}
    results, page = compare(Settings(**asked))
    if args.verbosity:
        print(_results_table(results))
        print(f"The report is in {page}: open it in a browser.")
    if results["interrupted"]:
        return 130
    return 1 if any(net["failed"] for net in results["nets"].values()) else 0


def _evaluate(args: argparse.Namespace) -> int:
    from .report import evaluate

    result = evaluate(
        args.net,
        args.data,
        eps=_flat(args.eps),
        attack=args.attack,
        trust_pickle=args.trust_pickle,
        device=args.device,
        seed=args.seed,
        samples=args.samples,
        data_home=args.data_home,
    )
    print(json.dumps(result, indent=1) if args.json else _evaluation_table(result))
    return 0


def _results_table(results: Results) -> str:
    from .plotting._style import shown_radius
    from .report._attack import ATTACKS

    eps = results["summary_eps"]
    rows = [[f"accuracy (%), eps={shown_radius(eps)}", "natural", *ATTACKS]]
    for name in results.trained:
        attacked = [results.accuracy(name, attack, eps) for attack in ATTACKS]
        rows.append([name, *map(_percent, [results["nets"][name]["natural"], *attacked])])
    return _table(rows)


def _evaluation_table(result: dict[str, Any]) -> str:
    from .plotting._style import shown_radius

    attacks = list(result["accuracy"])
    rows = [["accuracy (%)", *attacks], ["natural", *[_percent(result["natural"])] * len(attacks)]]
    for place, eps in enumerate(result["eps"]):
        shares = [result["accuracy"][attack][place] for attack in attacks]
        rows.append([f"eps={shown_radius(eps)}", *map(_percent, shares)])
    about = f"{result['net']}, {result['n_samples']} test samples of {result['data']}"
    return f"{about}, {result['norm']}\n{_table(rows)}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words as lines of text, with the first column aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            word.rjust(width) if place else word.ljust(width)
            for place, (word, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the command line.

    Returns
    -------
    code : int
        0 on success, 1 if a net failed, 2 for arguments that make no sense, 130 after a keyboard
        interrupt.
    """
    from .report import BadInput

    args = _make_parser().parse_args(argv)
    try:
        return args.run(args)
    except BadInput as error:
        print(f"sklearn-robust {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
