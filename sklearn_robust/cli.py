"""The command ``sklearn-robust``."""

import argparse
import json
import math
import sys
from fractions import Fraction

from ._version import __version__

__all__ = ["main"]

_EPILOG = """examples:
  sklearn-robust compare --data digits
  sklearn-robust compare --data mydata.npz --nets NaturalNet,MinMaxNet --eps 2/255 4/255 8/255
  sklearn-robust evaluate report/nets/MinMaxNet.net --data digits --eps 0.1
"""


class _Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one sentence."""

    def error(self, message):
        """Say what is wrong, and leave."""
        self.exit(2, f"{self.prog}: {message}\n")


def radius(text):
    """Positive finite number, as 0.1 or 8/255."""
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no strength; give one such as 0.1 or 8/255.")
    return value


def count(text):
    """Positive integer."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 1 up.")
    return int(text)


def seed(text):
    """Integer from 0 to 2**32 - 1."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number from 0 up.")
    return int(text)


def jobs(text):
    """Integer other than zero."""
    if not text.removeprefix("-").isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of processes; give 2, or -1 for all."
        )
    return int(text)


def listed(kind):
    """Several of a kind, between commas or as words of their own."""
    return lambda text: [kind(word) for word in text.split(",") if word]


def _flat(lists):
    return None if lists is None else tuple(item for part in lists for item in part)


def _make_parser():
    from .report import DEFAULT_NETS

    parser = _Parser(
        prog="sklearn-robust",
        description="Train classifiers, attack them, and see which is robust and how to tell.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sklearn_robust {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="compare | evaluate", required=True)
    _add_compare(commands, DEFAULT_NETS)
    _add_evaluate(commands)
    return parser


def _add_shared(parser, default_samples):
    parser.add_argument(
        "--data",
        required=True,
        metavar="digits|moons|mnist|cifar10|FILE.npz",
        help="what to test on; a file has X_train, y_train, X_test, y_test",
    )
    parser.add_argument(
        "--eps",
        nargs="+",
        type=listed(radius),
        metavar="EPS",
        help="strengths of the attacks, as 0.1 or 8/255 (default: three that suit the data)",
    )
    parser.add_argument(
        "--samples",
        type=count,
        default=default_samples,
        metavar="N",
        help="test samples to attack at most (default: %(default)s)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="default: 0")
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    parser.add_argument("--data-home", metavar="FOLDER", help="where downloaded data are kept")


def _add_compare(commands, default_nets):
    text = "Train nets, attack them, and write a report."
    parser = commands.add_parser("compare", help=text, description=text)
    _add_shared(parser, 1000)
    parser.add_argument(
        "--nets",
        nargs="+",
        type=listed(str),
        metavar="NET,NET",
        default=[list(default_nets)],
        help=f"default: {','.join(default_nets)}",
    )
    parser.add_argument(
        "--train-eps",
        type=radius,
        metavar="EPS",
        help="strength that adversarial nets train with (default: the middle one)",
    )
    parser.add_argument("--epochs", type=count, metavar="N", help="default: each net's own")
    parser.add_argument("--train-samples", type=count, metavar="N", help="default: all")
    parser.add_argument(
        "--n-jobs",
        type=jobs,
        metavar="N",
        help="nets trained at a time (default: one a core, or one on a GPU)",
    )
    parser.add_argument("--output", default="report", metavar="FOLDER", help="default: report")
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument(
        "--verbose",
        dest="verbosity",
        action="store_const",
        const=2,
        default=1,
        help="show progress bars also where the output is no terminal",
    )
    talk.add_argument(
        "--quiet", dest="verbosity", action="store_const", const=0, help="write nothing but errors"
    )
    parser.set_defaults(run=_compare)


def _add_evaluate(commands):
    text = "Attack a saved net."
    parser = commands.add_parser("evaluate", help=text, description=text)
    parser.add_argument("net", metavar="NET", help="a file written by net.save")
    _add_shared(parser, 1000)
    parser.add_argument(
        "--attack",
        choices=["worst", "pgd", "fgsm", "bim", "cw"],
        default="worst",
        help="default: worst, the worst case of several",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="also read a pickle or joblib file, which may run any code it holds",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    parser.set_defaults(run=_evaluate)


def _compare(args):
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


def _evaluate(args):
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


def _results_table(results):
    from .plotting._style import shown_radius
    from .report._attack import ATTACKS

    eps = results["verdict_eps"]
    rows = [[f"accuracy (%), eps={shown_radius(eps)}", "natural", *ATTACKS]]
    for name in results.trained:
        attacked = [results.accuracy(name, attack, eps) for attack in ATTACKS]
        rows.append([name, *map(_percent, [results["nets"][name]["natural"], *attacked])])
    return _table(rows)


def _evaluation_table(result):
    from .plotting._style import shown_radius

    attacks = list(result["accuracy"])
    rows = [["accuracy (%)", *attacks], ["natural", *[_percent(result["natural"])] * len(attacks)]]
    for place, eps in enumerate(result["eps"]):
        shares = [result["accuracy"][attack][place] for attack in attacks]
        rows.append([f"eps={shown_radius(eps)}", *map(_percent, shares)])
    about = f"{result['net']}, {result['n_samples']} test samples of {result['data']}"
    return f"{about}, {result['norm']}\n{_table(rows)}"


def _percent(share):
    return "-" if share is None else f"{100 * share:.1f}"


def _table(rows):
    """Rows of words as lines of text, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            word.rjust(width) if place else word.ljust(width)
            for place, (word, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    code : int
        0 if all went well, 1 if a net failed, 2 for a request that makes no sense, 130 after a
        keyboard interrupt.
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
